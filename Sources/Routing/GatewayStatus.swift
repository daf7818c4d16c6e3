package import Time

/// The row of a gateway in the gateway information table. A gateway keeps it as long as it lives and its URI stays.
package struct GatewaySlot: Hashable, Sendable, BitwiseCopyable {
    /// 0..<`GatewayInformationTable.slotLimitCount`, and behind those the rows of remote gateways.
    package let index: UInt16
    /// Tells successive gateways in one row apart, so that a call under way can't blame its gateway's successor.
    package let generation: UInt8

    /// The slot of its parts.
    package init(index: UInt16, generation: UInt8) { (self.index, self.generation) = (index, generation) }
}

/// Whether calls are sent to a gateway (X.731's operational state in the words of our API).
package enum GatewayStatus: String, Sendable, BitwiseCopyable {
    case inService = "in-service", outOfService = "out-of-service"
}

/// Why a status changed. The raw number stands in the status word and must stay below 32.
package enum StatusCause: UInt8, Sendable, BitwiseCopyable, CaseIterable {
    case noResponse = 1
    case transportError, failureResponse, retryAfter, probeNoResponse, probeFailureResponse
    case operatorWord, reported, timeValueReached, trialAnswered, probeAnswered, callAnswered
    /// `reported` as well: what others saw was silence, which an answer ends.
    case reportedNoResponse

    /// The word of API section 6.
    package var name: String {
        switch self {
        case .noResponse: "no-response"
        case .transportError: "transport-error"
        case .failureResponse: "failure-response"
        case .retryAfter: "retry-after"
        case .probeNoResponse: "probe-no-response"
        case .probeFailureResponse: "probe-failure-response"
        case .operatorWord: "operator"
        case .reported, .reportedNoResponse: "reported"
        case .timeValueReached: "time-value-reached"
        case .trialAnswered: "trial-answered"
        case .probeAnswered: "probe-answered"
        case .callAnswered: "call-answered"
        }
    }

    /// True where the gateway gave no sign of life: an answer ends it, and who waits for one waits in vain. What it
    /// says of itself (503, Retry-After) is a sign, and the operator's word says nothing of calls under way.
    package var isSilence: Bool {
        switch self {
        case .noResponse, .transportError, .probeNoResponse, .reportedNoResponse: true
        case .failureResponse, .retryAfter, .probeFailureResponse, .operatorWord, .reported, .timeValueReached,
            .trialAnswered, .probeAnswered, .callAnswered:
            false
        }
    }

    /// The cause that the API calls so; of two the one that stands first.
    package init?(name: String) {
        guard let cause = Self.allCases.first(where: { $0.name == name }) else { return nil }
        self = cause
    }
}

/// Who saw what changed a status.
package enum StatusReporter: String, Sendable, BitwiseCopyable {
    case call, probe, clock
    case operatorWord = "operator"
    /// Others, who have names of their own.
    case reported
    /// The network manager, who finds the fault elsewhere.
    case networkManager = "network-manager"
}

/// The present status of a gateway, read in one piece.
///
///     63: out-of-service | 62...58: cause | 57...20: time value, ms | 19...8: change count | 7...0: generation
package struct StatusWord: Equatable, Sendable, BitwiseCopyable {
    let bits: UInt64

    /// The change count of a row goes round at this number.
    package static let changeCountModulus: UInt16 = 1 << 12
    private static let timeMask: UInt64 = (1 << 38) - 1

    /// The last time value that a word can hold; a later one becomes this.
    package static var lastTimeValue: Instant { Instant(nanoseconds: Int64(timeMask) * 1_000_000) }

    init(bits: UInt64) { self.bits = bits }

    /// A word of its parts. The time value is kept in whole milliseconds, rounded up, below 2**38 (8 years of uptime).
    package init(
        _ status: GatewayStatus, cause: StatusCause?, timeValue: Instant?, changeCount: UInt16, generation: UInt8
    ) {
        let milliseconds = timeValue.map { UInt64(clamping: $0.nanoseconds / 1_000_000 + 1) } ?? 0
        bits =
            (status == .outOfService ? 1 << 63 : 0) | UInt64(cause?.rawValue ?? 0) << 58
            | min(milliseconds, Self.timeMask) << 20 | UInt64(changeCount % Self.changeCountModulus) << 8
            | UInt64(generation)
    }

    /// In-service or out-of-service.
    package var status: GatewayStatus { bits >> 63 == 1 ? .outOfService : .inService }
    /// Why; nil for a gateway that never changed.
    package var cause: StatusCause? { StatusCause(rawValue: UInt8(truncatingIfNeeded: bits >> 58 & 31)) }
    /// The time until which the gateway is left out; nil when in-service, or out until the operator says otherwise.
    package var timeValue: Instant? {
        let milliseconds = Int64(bits >> 20 & Self.timeMask)
        return milliseconds == 0 ? nil : Instant(nanoseconds: milliseconds * 1_000_000)
    }
    /// How many changes the row has seen, modulo `changeCountModulus`.
    package var changeCount: UInt16 { UInt16(truncatingIfNeeded: bits >> 8) & (Self.changeCountModulus - 1) }
    /// Which gateway of the row the word speaks of.
    package var generation: UInt8 { UInt8(truncatingIfNeeded: bits) }

    /// True when the gateway may be tried at `now` as far as its status goes: in-service, or its time value is reached.
    package func isUsable(at now: Instant) -> Bool {
        guard status == .outOfService, let timeValue else { return status == .inService }
        return timeValue <= now
    }

    /// True when an answer ends it: out-of-service, begun by silence or by probes. What the gateway said of itself in
    /// answer to a call lasts until its time value, and the operator's word as long as he said.
    package var isOfSilence: Bool {
        status == .outOfService && (cause?.isSilence ?? true || cause == .probeFailureResponse)
    }
}

/// One change of one gateway's status, as the thread that made it hands it to the network manager.
package struct StatusTransition: Sendable, BitwiseCopyable {
    /// Whose status changed.
    package let slot: GatewaySlot
    /// The word before.
    package let before: StatusWord
    /// The word after; its change count is one more.
    package let after: StatusWord
    /// When, on the monotonic time line.
    package let at: Instant
    /// Who saw it.
    package let reporter: StatusReporter
    /// The status code of the response that caused it; 0 for none.
    package let sipStatus: UInt16
    /// The Call-ID of the call that saw it; empty for none.
    package let callID: ShortText

    /// A transition of its parts.
    package init(
        slot: GatewaySlot, before: StatusWord, after: StatusWord, at: Instant, reporter: StatusReporter,
        sipStatus: UInt16 = 0, callID: ShortText = ShortText()
    ) {
        (self.slot, self.before, self.after, self.at) = (slot, before, after, at)
        (self.reporter, self.sipStatus, self.callID) = (reporter, sipStatus, callID)
    }
}

/// Up to 80 bytes of received text, without a reference: what is longer is cut and ends in `~`.
package struct ShortText: Sendable, BitwiseCopyable {
    private static let limitBytes = 80
    fileprivate var bytes = InlineArray<80, UInt8>(repeating: 0)
    fileprivate var count: UInt8 = 0

    /// The empty text.
    package init() {}

    /// The bytes of `range` in a datagram; the caller has checked that it lies within.
    package init(_ datagram: Span<UInt8>, _ range: Range<Int>) {
        guard range.lowerBound >= 0, range.upperBound <= datagram.count else { return }
        let kept = min(range.count, Self.limitBytes)
        datagram.withUnsafeBytes { from in
            withUnsafeMutableBytes(of: &bytes) {
                $0.copyMemory(from: UnsafeRawBufferPointer(rebasing: from[range.lowerBound..<range.lowerBound + kept]))
            }
        }
        var end = kept
        if range.count > Self.limitBytes {
            // Not within a character of UTF-8.
            while end > 1, bytes[end - 1] & 0xC0 == 0x80 { end -= 1 }
            bytes[end - 1] = UInt8(ascii: "~")
        }
        count = UInt8(truncatingIfNeeded: end)
    }

    /// The text, cut as a datagram's would be.
    package init(_ text: String) {
        let text = Array(text.utf8)
        self.init(text.span, 0..<text.count)
    }

    /// True for the empty text.
    package var isEmpty: Bool { count == 0 }

    /// Calls `body` with each byte.
    func forEachByte(_ body: (UInt8) -> Void) {
        for index in 0..<Int(count) { body(bytes[index]) }
    }

    /// The text; bytes that are not UTF-8 are replaced.
    package var string: String { withBytes { String(decoding: $0, as: UTF8.self) } }

    /// Lends the bytes.
    package func withBytes<Result>(_ body: (UnsafeBufferPointer<UInt8>) -> Result) -> Result {
        withUnsafeBytes(of: bytes) { all in
            all.withMemoryRebound(to: UInt8.self) { body(UnsafeBufferPointer(rebasing: $0.prefix(Int(count)))) }
        }
    }
}

extension ShortText: Equatable {
    /// True when both are the same, byte by byte.
    package static func == (left: ShortText, right: ShortText) -> Bool {
        guard left.count == right.count else { return false }
        for index in 0..<Int(left.count) where left.bytes[index] != right.bytes[index] { return false }
        return true
    }
}
