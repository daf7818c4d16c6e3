package import SIPMessage

/// SipHash-2-4 (Aumasson and Bernstein, 2012): a hash that nobody without the key can predict or steer.
///
/// What is fed is one string of bytes; where two parts could flow into each other, the caller feeds their lengths too.
package struct KeyedHash: Sendable {
    /// 128 secret bits.
    package struct Key: Equatable, Sendable, BitwiseCopyable {
        let first: UInt64
        let second: UInt64

        /// The key of its halves.
        package init(_ first: UInt64, _ second: UInt64) { (self.first, self.second) = (first, second) }
    }

    private var v0: UInt64
    private var v1: UInt64
    private var v2: UInt64
    private var v3: UInt64
    private var pending: UInt64 = 0  // the bytes of an unfinished word, the first one lowest
    private var lengthBytes = 0

    /// The hash of nothing yet.
    package init(_ key: Key) {
        v0 = key.first ^ 0x736F_6D65_7073_6575
        v1 = key.second ^ 0x646F_7261_6E64_6F6D
        v2 = key.first ^ 0x6C79_6765_6E65_7261
        v3 = key.second ^ 0x7465_6462_7974_6573
    }

    /// Feeds a part of a datagram; what lies outside of it is left out.
    package mutating func update(_ datagram: Span<UInt8>, _ range: ByteRange) {
        let end = min(range.upperBound, datagram.count)
        var index = range.lowerBound
        guard index < end else { return }
        let bytes = datagram.bytes
        while end &- index >= 8 {
            feed(UInt64(littleEndian: bytes.unsafeLoadUnaligned(fromByteOffset: index, as: UInt64.self)), count: 8)
            index &+= 8
        }
        var (rest, shift): (UInt64, UInt64) = (0, 0)
        while index < end {
            rest |= UInt64(datagram[index]) << shift
            (index, shift) = (index &+ 1, shift &+ 8)
        }
        if shift > 0 { feed(rest, count: Int(shift >> 3)) }
    }

    /// Feeds the eight bytes of a number, the lowest first.
    package mutating func update(_ number: UInt64) { feed(number, count: 8) }

    /// The hash of all that was fed. Feeding ends here.
    package consuming func finish() -> UInt64 { close().low }

    /// The same with 64 further bits, for a value of 128.
    package consuming func finishWide() -> (low: UInt64, high: UInt64) { close() }

    /// Feeds the lowest `count` bytes of a word, 1...8; all above them are zero.
    @inline(__always)
    private mutating func feed(_ word: UInt64, count: Int) {
        let used = lengthBytes & 7
        lengthBytes &+= count
        let joined = pending | word << UInt64(used &* 8)
        guard used &+ count >= 8 else {
            pending = joined
            return
        }
        compress(joined)
        pending = used == 0 ? 0 : word >> UInt64((8 &- used) &* 8)
    }

    @inline(__always)
    private mutating func compress(_ word: UInt64) {
        v3 ^= word
        round()
        round()
        v0 ^= word
    }

    private mutating func close() -> (low: UInt64, high: UInt64) {
        compress(pending | UInt64(truncatingIfNeeded: lengthBytes) << 56)
        v2 ^= 0xFF
        for _ in 0..<4 { round() }
        let low = v0 ^ v1 ^ v2 ^ v3
        v1 ^= 0xDD
        for _ in 0..<4 { round() }
        return (low, v0 ^ v1 ^ v2 ^ v3)
    }

    @inline(__always)
    private mutating func round() {
        v0 = v0 &+ v1
        v1 = Self.rotated(v1, 13) ^ v0
        v0 = Self.rotated(v0, 32)
        v2 = v2 &+ v3
        v3 = Self.rotated(v3, 16) ^ v2
        v0 = v0 &+ v3
        v3 = Self.rotated(v3, 21) ^ v0
        v2 = v2 &+ v1
        v1 = Self.rotated(v1, 17) ^ v2
        v2 = Self.rotated(v2, 32)
    }

    @inline(__always)
    private static func rotated(_ word: UInt64, _ count: UInt64) -> UInt64 { word &<< count | word &>> (64 &- count) }
}
