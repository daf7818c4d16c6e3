package import Addressing

/// Bytes on their way out. Emptied and filled again, so that in the steady state nothing is allocated.
package struct OutputBuffer: Sendable {
    /// What was appended.
    package private(set) var bytes: [UInt8] = []

    /// An empty buffer with room for so many bytes.
    package init(capacity: Int) { bytes.reserveCapacity(capacity) }

    /// How many bytes.
    package var count: Int { bytes.count }

    /// Forgets the bytes and keeps the memory.
    package mutating func removeAll() { bytes.removeAll(keepingCapacity: true) }

    /// Appends text.
    package mutating func append(_ text: StaticString) {
        text.withUTF8Buffer { bytes.append(contentsOf: $0) }
    }

    /// Appends text.
    package mutating func append(_ text: String) { bytes.append(contentsOf: text.utf8) }

    /// Appends a part of a datagram; what lies outside of it is left out.
    package mutating func append(_ datagram: Span<UInt8>, _ range: ByteRange) {
        let end = min(range.upperBound, datagram.count)
        guard range.lowerBound < end else { return }
        datagram.extracting(range.lowerBound..<end).withUnsafeBufferPointer { bytes.append(contentsOf: $0) }
    }

    /// Appends bytes.
    package mutating func append(_ more: [UInt8]) { bytes.append(contentsOf: more) }

    /// Appends bytes.
    package mutating func append(_ more: ArraySlice<UInt8>) { bytes.append(contentsOf: more) }

    /// Appends a number in decimal.
    package mutating func append(decimal number: Int64) {
        var (rest, divisor): (UInt64, UInt64) = (number.magnitude, 1)
        if number < 0 { bytes.append(UInt8(ascii: "-")) }
        while rest / divisor >= 10 { divisor *= 10 }
        while divisor > 0 {
            bytes.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest / divisor))
            (rest, divisor) = (rest % divisor, divisor / 10)
        }
    }

    /// Appends the lowest `digits` hexadecimal digits of a number, 1...16, in lower case.
    package mutating func append(hex number: UInt64, digits: Int) {
        var shift = (min(digits, 16) - 1) * 4
        while shift >= 0 {
            let digit = UInt8(truncatingIfNeeded: number >> UInt64(shift) & 15)
            bytes.append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
            shift -= 4
        }
    }

    /// Appends `192.0.2.10:5060` or `[2001:db8::1]:5060`.
    package mutating func append(hostPort address: TransportAddress) {
        guard address.address.family == .ipv4 else {
            append(address.hostPort)
            return
        }
        var shift: UInt64 = 24
        while true {
            append(decimal: Int64(address.address.low >> shift & 255))
            guard shift > 0 else { break }
            bytes.append(UInt8(ascii: "."))
            shift -= 8
        }
        bytes.append(UInt8(ascii: ":"))
        append(decimal: Int64(address.port))
    }

    /// A part of a datagram as an array of its own.
    package static func copy(of datagram: Span<UInt8>, _ range: ByteRange) -> [UInt8] {
        let end = min(range.upperBound, datagram.count)
        guard range.lowerBound < end else { return [] }
        return datagram.extracting(range.lowerBound..<end).withUnsafeBufferPointer { [UInt8]($0) }
    }
}
