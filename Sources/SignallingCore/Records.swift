import Addressing
import Proxy
import Routing
import SIPMessage
import SIPTransaction
import Time

/// A server transaction with what it needs to answer.
struct ServerRecord: BitwiseCopyable {
    enum Machine: BitwiseCopyable {
        case invite(InviteServerTransaction)
        case nonInvite(NonInviteServerTransaction)
    }

    typealias Handle = Slab<ServerRecord>.Handle

    var machine: Machine
    var key: ServerTransactionKey
    /// Where responses go (RFC 3261 section 18.2.2, RFC 3581).
    var destination: TransportAddress
    var listener: ListenerNumber
    /// The last response, for as long as it may have to be sent again.
    var response: ByteStore.Block
    /// The response context, in the proxy role.
    var context: ContextRecord.Handle?

    var isTerminated: Bool {
        switch machine {
        case .invite(let machine): machine.isTerminated
        case .nonInvite(let machine): machine.isTerminated
        }
    }

    /// True while the last response may have to be sent again.
    var mayResend: Bool {
        switch machine {
        case .invite(let machine): machine.mayResend
        case .nonInvite: true
        }
    }

    /// True when a response with this status would be sent, and so replaces the last one.
    func accepts(status: Int) -> Bool {
        switch machine {
        case .invite(let machine): machine.accepts(status: status)
        case .nonInvite(let machine): machine.acceptsResponse
        }
    }

    /// True after a 2xx to INVITE: the ACK that finds this transaction goes on to the target.
    var isAccepted: Bool {
        switch machine {
        case .invite(let machine): machine.isAccepted
        case .nonInvite: false
        }
    }
}

/// A client transaction with what it serves.
struct ClientRecord: BitwiseCopyable {
    enum Machine: BitwiseCopyable {
        case invite(InviteClientTransaction)
        case nonInvite(NonInviteClientTransaction)
    }

    enum Purpose: BitwiseCopyable {
        /// One attempt of a response context.
        case attempt(ContextRecord.Handle, target: Int)
        /// One probe.
        case probe(ProbeRecord.Handle)
    }

    typealias Handle = Slab<ClientRecord>.Handle

    var machine: Machine
    /// The CANCEL of this INVITE; it has the INVITE's branch (RFC 3261 section 9.1).
    var cancel: NonInviteClientTransaction?
    var purpose: Purpose
    var destination: TransportAddress
    var listener: ListenerNumber
    /// When it was sent first.
    let begun: Instant
    /// What it holds of its gateway.
    var claim = SignallingCore.Claim()
    /// Which attempt of its call's record it is.
    var attemptNumber: UInt8?
    /// Those that a 2xx to it has made.
    var dialogs = AnsweredDialogs()
    /// The client transaction of the target that its context tried before.
    var previousAttempt: Handle?
    /// Neighbours among the transactions that wait for a first response from the same destination.
    var previousWaiting: Handle?
    var nextWaiting: Handle?
    var isWaiting = false

    var awaitsFirstResponse: Bool {
        switch machine {
        case .invite(let machine): machine.awaitsFirstResponse
        case .nonInvite(let machine): machine.awaitsFirstResponse
        }
    }

    /// True while it may still send something that is written from its context's request.
    var maySend: Bool {
        if let cancel, cancel.maySend { return true }
        return switch machine {
        case .invite(let machine): machine.maySend
        case .nonInvite(let machine): machine.maySend
        }
    }

    var isTerminated: Bool {
        if let cancel, !cancel.isTerminated { return false }
        return switch machine {
        case .invite(let machine): machine.isTerminated
        case .nonInvite(let machine): machine.isTerminated
        }
    }
}

/// A response context with the request that it serves.
struct ContextRecord: BitwiseCopyable {
    typealias Handle = Slab<ContextRecord>.Handle

    var machine: ResponseContext
    let server: ServerRecord.Handle
    /// The request's method.
    let method: Method
    /// So many of the targets are redirect servers elsewhere, which are asked for the others.
    let serverCount: Int
    /// A bit for each target that was selected though its gateway was out-of-service.
    var triedThoughOut: UInt64
    /// The request as it came, for as long as something may have to be written from it.
    var original: ByteStore.Block
    /// Its Call-ID.
    let callID: ByteRange
    /// Its Request-URI.
    let requestURI: ByteRange
    let source: TransportAddress
    /// Copied out of the snapshot or, behind redirect servers, out of what they answered; empty for a request within a
    /// dialog.
    var targets: StoredTargets
    /// Where a request within a dialog goes.
    let dialogDestination: TransportAddress?
    /// What becomes of the Route values.
    let routes: ForwardedRoutes
    /// P-Asserted-Identity goes no further.
    let withholdsIdentity: Bool
    /// The mark of our Record-Route; nil: none.
    let recordRoute: UInt64?
    /// The best final response so far, as it would go upstream.
    var kept = ByteStore.Block.empty
    var keptStatus = 0
    /// The Reason fields of the caller's CANCEL, with their line ends.
    var cancelReason = ByteStore.Block.empty
    /// Whose call it is, as long as it counts among those of its ingress peer by this.
    var peer: PeerSlot?
    /// The call's record while the search goes on.
    var search: Slab<CallSearch>.Handle?
    /// The final status that the caller was sent; 0: none yet.
    var answer = 0
    /// Its name afterwards; 0: there is none.
    var recordID: UInt64 = 0
    /// Why the last attempt ended; nil before the first end.
    var lastEnd: AttemptEnd?
    /// The client transaction of the last target that was tried.
    var lastAttempt: ClientRecord.Handle?
    var liveClientCount = 0
    /// Where responses go, and through which listener.
    let upstream: TransportAddress
    let listener: ListenerNumber

    var isInvite: Bool { method == .invite }
}

extension TimerToken {
    /// What a timer belongs to.
    enum Owner: UInt64 {
        case server, client, cancel, context, probing, liveCalls
    }

    /// owner: 4 bits | timer: 4 bits | generation: 24 bits | slot: 32 bits
    init(_ owner: Owner, _ timer: TransactionTimer?, slot: UInt32, generation: UInt32) {
        self.init(
            bits: owner.rawValue << 60 | UInt64(timer?.rawValue ?? 15) << 56 | UInt64(generation & 0xFF_FFFF) << 32
                | UInt64(slot))
    }

    var owner: Owner? { Owner(rawValue: bits >> 60) }
    var timer: TransactionTimer? { TransactionTimer(rawValue: UInt8(truncatingIfNeeded: bits >> 56 & 15)) }
    var generation: UInt32 { UInt32(truncatingIfNeeded: bits >> 32 & 0xFF_FFFF) }
    var slot: UInt32 { UInt32(truncatingIfNeeded: bits) }
}
