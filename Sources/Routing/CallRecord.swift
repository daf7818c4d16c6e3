package import Addressing
package import Time

/// What became of one call setup request (API section 8): a value without references, made while the call is set up
/// and handed on when its search has ended. How long the call lasted comes later, in a `CallRecord.Ending`.
package struct CallRecord: Sendable, BitwiseCopyable {
    /// What became of it, in one word.
    package enum Result: UInt8, Sendable, BitwiseCopyable, CaseIterable {
        /// It still looks for a gateway.
        case searching
        /// A gateway's 2xx went to the caller.
        case answered
        /// A gateway's refusal went to the caller.
        case refused
        /// The caller gave up.
        case cancelled
        /// All that were tried failed, and none of them said what the caller could be told.
        case failed
        /// The caller was given targets.
        case redirected
        case unknownPeer, peerFull, overload, noRoute, incompleteNumber, rejected, emptyRoutingList
        case everyGatewayOut, everyGatewayFull, everyGatewayLocked, everyRedirectServerOut
        /// The request itself could not be routed or passed on: a loop, no hops left, a scheme nobody knows.
        case unacceptable

        /// The result of a call that gets no target.
        package init(_ failure: RoutingFailure) {
            switch failure {
            case .unknownPeer: self = .unknownPeer
            case .noRoute: self = .noRoute
            case .incompleteNumber: self = .incompleteNumber
            case .rejected: self = .rejected
            case .emptyRoutingList: self = .emptyRoutingList
            case .everyGatewayOut: self = .everyGatewayOut
            case .everyGatewayFull: self = .everyGatewayFull
            case .everyGatewayLocked: self = .everyGatewayLocked
            case .everyRedirectServerOut: self = .everyRedirectServerOut
            }
        }

        /// The word of the API.
        package var name: String {
            switch self {
            case .searching: "searching"
            case .answered: "answered"
            case .refused: "refused"
            case .cancelled: "cancelled"
            case .failed: "failed"
            case .redirected: "redirected"
            case .unknownPeer: "unknown-peer"
            case .peerFull: "peer-full"
            case .overload: "overload"
            case .noRoute: "no-route"
            case .incompleteNumber: "incomplete-number"
            case .rejected: "rejected"
            case .emptyRoutingList: "empty-routing-list"
            case .everyGatewayOut: "every-gateway-out"
            case .everyGatewayFull: "every-gateway-full"
            case .everyGatewayLocked: "every-gateway-locked"
            case .everyRedirectServerOut: "every-redirect-server-out"
            case .unacceptable: "unacceptable"
            }
        }
    }

    /// One attempt. Times are ms from when the call was received.
    package struct Attempt: Sendable, BitwiseCopyable {
        /// Which gateway.
        package var gateway: GatewaySlot
        /// When the request was sent first.
        package var sentAt: UInt32
        /// How often it was sent again.
        package var resendCount: UInt8 = 0
        /// When its first response of any kind came; nil: none did.
        package var firstResponseAt: UInt32?
        /// Its final response's status code; 0: none came.
        package var finalStatus: UInt16 = 0
        /// When and why it ended; nil: it had not when the record was made.
        package var endedAt: UInt32?
        /// Why it ended.
        package var end: AttemptEnd?
        /// The digits of its branch, behind the cookie of RFC 3261: 2, 8, 8 and 12.
        package var branch: (worker: UInt8, slot: UInt32, generation: UInt32, check: UInt64)

        /// An attempt that has just been sent.
        package init(
            gateway: GatewaySlot, sentAt: UInt32,
            branch: (worker: UInt8, slot: UInt32, generation: UInt32, check: UInt64)
        ) {
            (self.gateway, self.sentAt, self.branch) = (gateway, sentAt, branch)
        }

        /// The branch as it stands in Via.
        package var branchText: String {
            func hex(_ value: UInt64, _ digits: Int) -> String {
                let text = String(value, radix: 16)
                return String(repeating: "0", count: max(0, digits - text.utf8.count)) + text
            }
            return "z9hG4bK" + hex(UInt64(branch.worker), 2) + hex(UInt64(branch.slot), 8)
                + hex(UInt64(branch.generation), 8) + hex(branch.check, 12)
        }
    }

    /// How an answered call ended.
    package struct Ending: Sendable, BitwiseCopyable {
        /// Which call.
        package let call: UInt64
        /// When.
        package let at: Instant
        /// False: nothing was heard of it for so long that it is counted no longer.
        package let isByRequest: Bool

        /// An ending of its parts.
        package init(call: UInt64, at: Instant, isByRequest: Bool) {
            (self.call, self.at, self.isByRequest) = (call, at, isByRequest)
        }
    }

    /// So many copies' times are kept; of more there is only the count.
    package static let copyLimitCount = 7

    /// Names the call among those of this process.
    package let id: UInt64
    /// When the request came first.
    package let receivedAt: Instant
    /// Who sent it.
    package let source: TransportAddress
    /// Its Call-ID.
    package var callID = ShortText()
    /// The user part of the URI in From, or that URI.
    package var caller = ShortText()
    /// The user part of the Request-URI.
    package var dialled = ShortText()
    /// The routing data's revision that it was routed by.
    package var revision = Revision(0)
    /// What became of it.
    package var result = Result.searching
    /// The status code that the caller was sent; 0: none yet.
    package var status: UInt16 = 0
    /// True when that came from a gateway or, as the next says, from a redirect server.
    package var isForwarded = false
    /// True when that came from a remote redirect server.
    package var isOfRedirectServer = false
    /// The remote redirect server that was asked last; nil: it was routed here.
    package private(set) var redirectServer: GatewaySlot?
    /// How many remote redirect servers were asked.
    package private(set) var inquiryCount: UInt8 = 0
    /// When one of them had named targets, ms; nil: none did.
    package var routedAt: UInt32?
    /// When the search ended, ms from when the call was received.
    package var endedAt: UInt32 = 0
    /// How many copies of the request came while it was searching.
    package private(set) var copyCount: UInt16 = 0
    /// How many gateways were tried; what a `CallSearch` has of them.
    package fileprivate(set) var attemptCount: UInt16 = 0
    /// When they came, as far as kept: the first `copyCount` of these, ms.
    package private(set) var copies = InlineArray<7, UInt32>(repeating: 0)

    /// The record of a call that was just received.
    package init(id: UInt64, receivedAt: Instant, source: TransportAddress) {
        (self.id, self.receivedAt, self.source) = (id, receivedAt, source)
    }

    /// Milliseconds since the call was received, at most 2^32 - 1.
    package func milliseconds(at instant: Instant) -> UInt32 { UInt32(clamping: (instant - receivedAt).milliseconds) }

    /// Notes a copy of the request.
    package mutating func noteCopy(at instant: Instant) {
        if Int(copyCount) < Self.copyLimitCount { copies[Int(copyCount)] = milliseconds(at: instant) }
        copyCount = copyCount == .max ? .max : copyCount + 1
    }

    /// When the copies came that are kept, ms.
    package var copyTimes: [UInt32] { (0..<min(Int(copyCount), Self.copyLimitCount)).map { copies[$0] } }

    /// Notes that a remote redirect server is asked.
    package mutating func noteInquiry(of server: GatewaySlot) {
        redirectServer = server
        inquiryCount = inquiryCount == .max ? .max : inquiryCount + 1
    }
}

/// The record of a call that is proxied, with its attempts: beside its response context while the search goes on, and
/// handed on when that has ended. It is apart from `CallRecord` because a redirect server hands on a hundred thousand a
/// second of those, none with an attempt.
package struct CallSearch: Sendable, BitwiseCopyable {
    /// So many attempts are kept; of more there is only the count.
    package static let attemptLimitCount = 8

    /// All but the attempts.
    package var record: CallRecord
    private var attempts = InlineArray<8, CallRecord.Attempt>(
        repeating: CallRecord.Attempt(gateway: GatewaySlot(index: 0, generation: 0), sentAt: 0, branch: (0, 0, 0, 0)))

    /// The search of a call that was just received.
    package init(_ record: CallRecord) { self.record = record }

    /// Notes an attempt and returns its number; nil when it is one too many to be kept.
    package mutating func begin(_ attempt: CallRecord.Attempt) -> UInt8? {
        record.attemptCount = record.attemptCount == .max ? .max : record.attemptCount + 1
        guard Int(record.attemptCount) <= Self.attemptLimitCount else { return nil }
        attempts[Int(record.attemptCount) - 1] = attempt
        return UInt8(truncatingIfNeeded: record.attemptCount - 1)
    }

    /// Changes an attempt that is kept.
    package mutating func change(_ number: UInt8, _ change: (inout CallRecord.Attempt) -> Void) {
        guard Int(number) < min(Int(record.attemptCount), Self.attemptLimitCount) else { return }
        change(&attempts[Int(number)])
    }

    /// How many attempts are kept.
    package var keptAttemptCount: Int { min(Int(record.attemptCount), Self.attemptLimitCount) }

    /// An attempt that is kept, by its number: 0..<`keptAttemptCount`.
    package func keptAttempt(_ number: Int) -> CallRecord.Attempt { attempts[number] }

    /// The attempts that are kept, in their order.
    package var keptAttempts: [CallRecord.Attempt] { (0..<keptAttemptCount).map { attempts[$0] } }
}
