/// What one worker tells another of a live call that the other has: a request within its dialog came elsewhere.
package struct CallNotice: Equatable, Sendable, BitwiseCopyable {
    /// What was seen.
    package enum Kind: UInt8, Sendable, BitwiseCopyable {
        /// A BYE.
        case ended
        /// Another request: it lives.
        case alive
    }

    /// Who is to be told.
    package let worker: UInt8
    /// What was seen.
    package let kind: Kind
    /// Names the dialog.
    package let dialog: UInt64
    /// How long it may be counted from now on, s; 0: as long as before.
    package let leaseSeconds: UInt32

    init(worker: UInt8, kind: Kind, dialog: UInt64, leaseSeconds: UInt32 = 0) {
        (self.worker, self.kind, self.dialog, self.leaseSeconds) = (worker, kind, dialog, leaseSeconds)
    }

    /// How many bytes it takes in a letter.
    package static let byteCount = 14

    /// Reads it from a letter; nil when that is none.
    package init?(bytes: Span<UInt8>) {
        guard bytes.count == Self.byteCount, let kind = Kind(rawValue: bytes[1]) else { return nil }
        var (dialog, lease): (UInt64, UInt32) = (0, 0)
        for index in 2..<10 { dialog = dialog << 8 | UInt64(bytes[index]) }
        for index in 10..<14 { lease = lease << 8 | UInt32(bytes[index]) }
        self.init(worker: bytes[0], kind: kind, dialog: dialog, leaseSeconds: lease)
    }

    /// Lends its bytes for a letter.
    package func withBytes<Result>(_ body: (Span<UInt8>) -> Result) -> Result {
        var bytes = InlineArray<14, UInt8>(repeating: 0)
        (bytes[0], bytes[1]) = (worker, kind.rawValue)
        for index in 0..<8 { bytes[2 + index] = UInt8(truncatingIfNeeded: dialog >> UInt64(8 * (7 - index))) }
        for index in 0..<4 { bytes[10 + index] = UInt8(truncatingIfNeeded: leaseSeconds >> UInt32(8 * (3 - index))) }
        return body(bytes.span)
    }
}
