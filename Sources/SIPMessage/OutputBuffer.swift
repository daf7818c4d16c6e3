package import Addressing

/// Bytes on their way out. Emptied and filled again, so that in the steady state nothing is allocated.
///
/// It has its memory for itself (an array would ask at each of the some thirty pieces of a message whether it must be
/// copied first), and its short pieces are written where the writer stands.
package struct OutputBuffer: ~Copyable, @unchecked Sendable {
    @usableFromInline var start: UnsafeMutablePointer<UInt8>
    @usableFromInline var capacity: Int
    @usableFromInline var length = 0

    /// An empty buffer with room for so many bytes.
    package init(capacity: Int) {
        self.capacity = max(capacity, 64)
        start = .allocate(capacity: self.capacity)
    }

    deinit { start.deallocate() }

    /// How many bytes.
    @inlinable package var count: Int { length }

    /// True when there are none.
    @inlinable package var isEmpty: Bool { length == 0 }

    /// What was appended, as an array of its own.
    package var bytes: [UInt8] { Array(UnsafeBufferPointer(start: start, count: length)) }

    /// Lends the bytes.
    @inlinable
    package func withUnsafeBufferPointer<Result>(_ body: (UnsafeBufferPointer<UInt8>) -> Result) -> Result {
        body(UnsafeBufferPointer(start: start, count: length))
    }

    /// Forgets the bytes and keeps the memory.
    @inlinable package mutating func removeAll() { length = 0 }

    /// Appends text.
    @inlinable
    @inline(__always)
    package mutating func append(_ text: StaticString) {
        let more = text.utf8CodeUnitCount
        room(for: more).update(from: text.utf8Start, count: more)
        length &+= more
    }

    /// Appends text that is made at run time; a literal is a `StaticString`, which costs nothing to read.
    package mutating func append(text: String) {
        var text = text
        text.withUTF8 { append($0) }
    }

    /// Appends a part of a datagram; what lies outside of it is left out.
    @inlinable
    package mutating func append(_ datagram: Span<UInt8>, _ range: ByteRange) {
        let end = min(range.upperBound, datagram.count)
        guard range.lowerBound < end else { return }
        datagram.extracting(range.lowerBound..<end).withUnsafeBufferPointer { append($0) }
    }

    /// Appends bytes.
    @inlinable
    package mutating func append(_ more: Span<UInt8>) { more.withUnsafeBufferPointer { append($0) } }

    /// Appends bytes.
    @inlinable
    package mutating func append(_ more: [UInt8]) { more.withUnsafeBufferPointer { append($0) } }

    /// Appends bytes.
    @inlinable
    package mutating func append(_ more: ArraySlice<UInt8>) { more.withUnsafeBufferPointer { append($0) } }

    /// Appends a number in decimal.
    package mutating func append(decimal number: Int64) {
        var rest = number.magnitude
        let to = room(for: 20)
        if number < 0 {
            to.pointee = UInt8(ascii: "-")
            length &+= 1
        }
        var (digitCount, bound): (Int, UInt64) = (1, 10)
        while rest >= bound, digitCount < 19 { (digitCount, bound) = (digitCount + 1, bound * 10) }
        var place = digitCount - 1
        let first = start + length
        while place >= 0 {
            first[place] = UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: rest % 10)
            (rest, place) = (rest / 10, place - 1)
        }
        length &+= digitCount
    }

    /// Appends the lowest `digits` hexadecimal digits of a number, 1...16, in lower case.
    package mutating func append(hex number: UInt64, digits: Int) {
        let digits = min(max(digits, 1), 16)
        let to = room(for: digits)
        for place in 0..<digits {
            let digit = UInt8(truncatingIfNeeded: number >> UInt64((digits - 1 - place) * 4) & 15)
            to[place] = digit &+ (digit < 10 ? UInt8(ascii: "0") : UInt8(ascii: "a") - 10)
        }
        length &+= digits
    }

    /// Appends `192.0.2.10` or `2001:db8::1`.
    package mutating func append(_ address: IPAddress) {
        guard address.family == .ipv4 else {
            append(text: address.description)
            return
        }
        var shift: UInt64 = 24
        while true {
            append(decimal: Int64(address.low >> shift & 255))
            guard shift > 0 else { break }
            append(".")
            shift -= 8
        }
    }

    /// Appends `192.0.2.10:5060` or `[2001:db8::1]:5060`.
    package mutating func append(hostPort address: TransportAddress) {
        guard address.address.family == .ipv4 else {
            append(text: address.hostPort)
            return
        }
        append(address.address)
        append(":")
        append(decimal: Int64(address.port))
    }

    /// A part of a datagram as an array of its own.
    package static func copy(of datagram: Span<UInt8>, _ range: ByteRange) -> [UInt8] {
        let end = min(range.upperBound, datagram.count)
        guard range.lowerBound < end else { return [] }
        return datagram.extracting(range.lowerBound..<end).withUnsafeBufferPointer { [UInt8]($0) }
    }

    @usableFromInline
    @inline(__always)
    mutating func append(_ more: UnsafeBufferPointer<UInt8>) {
        guard let from = more.baseAddress else { return }
        room(for: more.count).update(from: from, count: more.count)
        length &+= more.count
    }

    /// Where the next bytes go; so many fit.
    @usableFromInline
    @inline(__always)
    mutating func room(for more: Int) -> UnsafeMutablePointer<UInt8> {
        if capacity &- length < more { grow(by: more) }
        return start + length
    }

    @usableFromInline
    @inline(never)
    mutating func grow(by more: Int) {
        capacity = max(capacity * 2, length + more)
        let larger = UnsafeMutablePointer<UInt8>.allocate(capacity: capacity)
        larger.update(from: start, count: length)
        start.deallocate()
        start = larger
    }
}
