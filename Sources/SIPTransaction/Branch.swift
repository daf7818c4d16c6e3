package import SIPMessage

/// The branch that we put into our Via (RFC 3261 section 8.1.1.7): it names the worker and the client transaction that
/// a response is for, so that no table is searched.
///
///     z9hG4bK | worker: 2 hex digits | slot: 8 | generation: 8 | check: 12
///
/// The check is a keyed hash of the rest: whoever makes a branch up has one chance in 2**48.
package struct Branch: Equatable, Sendable, BitwiseCopyable {
    /// The worker that owns the transaction.
    package let worker: UInt8
    /// Where the transaction lies at that worker; `.max` for a request that is forwarded without a transaction.
    package let slot: UInt32
    /// Which tenant of that place it is.
    package let generation: UInt32

    private static let cookie: StaticString = "z9hG4bK"
    private static let lengthBytes = 7 + 2 + 8 + 8 + 12

    /// A branch of its parts.
    package init(worker: UInt8, slot: UInt32, generation: UInt32) {
        (self.worker, self.slot, self.generation) = (worker, slot, generation)
    }

    /// Appends the branch as text.
    package func write(into output: inout OutputBuffer, key: KeyedHash.Key) {
        output.append(Self.cookie)
        output.append(hex: UInt64(worker), digits: 2)
        output.append(hex: UInt64(slot), digits: 8)
        output.append(hex: UInt64(generation), digits: 8)
        output.append(hex: check(key), digits: 12)
    }

    /// Reads a branch of ours; nil for any other text and for a check that another key, or nobody, made.
    package static func parse(_ datagram: Span<UInt8>, _ range: ByteRange, key: KeyedHash.Key) -> Branch? {
        guard let worker = worker(of: datagram, range),
            let slot = hexadecimal(datagram, range.lowerBound + 9, digits: 8),
            let generation = hexadecimal(datagram, range.lowerBound + 17, digits: 8),
            let given = hexadecimal(datagram, range.lowerBound + 25, digits: 12)
        else { return nil }
        let branch = Branch(
            worker: worker, slot: UInt32(truncatingIfNeeded: slot), generation: UInt32(truncatingIfNeeded: generation))
        return branch.check(key) ^ given == 0 ? branch : nil
    }

    /// The worker that a branch names, if it has the form of ours; unchecked, since each worker has a key of its own.
    package static func worker(of datagram: Span<UInt8>, _ range: ByteRange) -> UInt8? {
        guard range.count == lengthBytes, range.upperBound <= datagram.count else { return nil }
        let hasCookie = cookie.withUTF8Buffer { cookie in
            for offset in 0..<cookie.count where datagram[range.lowerBound + offset] != cookie[offset] { return false }
            return true
        }
        guard hasCookie else { return nil }
        return hexadecimal(datagram, range.lowerBound + 7, digits: 2).map { UInt8(truncatingIfNeeded: $0) }
    }

    /// The twelve digits at the end.
    package func check(_ key: KeyedHash.Key) -> UInt64 {
        var hash = KeyedHash(key)
        hash.update(UInt64(slot) << 32 | UInt64(generation))
        hash.update(UInt64(worker))
        return hash.finish() & 0xFFFF_FFFF_FFFF
    }

    /// The number in so many lower-case digits; the caller has checked that they lie within the datagram.
    private static func hexadecimal(_ datagram: Span<UInt8>, _ start: Int, digits: Int) -> UInt64? {
        var value: UInt64 = 0
        for index in start..<start + digits {
            let byte = datagram[index]
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): value = value << 4 | UInt64(byte - UInt8(ascii: "0"))
            case UInt8(ascii: "a")...UInt8(ascii: "f"): value = value << 4 | UInt64(byte - UInt8(ascii: "a") + 10)
            default: return nil
            }
        }
        return value
    }
}
