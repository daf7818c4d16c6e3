import Addressing
import SIPMessage
import Time

/// Looks at all that goes in and out of the process, at its door, and knows what RFC 3261 lets it do. It shares no code
/// with the core but the parser: what it knows of a request is what it saw of it.
///
/// A step is one datagram or transport error given to the process, or its timers at one instant, with all that leaves
/// because of it. `arrived` or `failed` begins a step, `left` is told of each datagram, `endStep` asks for what was
/// owed.
struct CallWatch {
    /// A request that came, and what was answered.
    struct Request {
        let call: Int
        let method: Method
        let isRedirect: Bool
        let isWithinDialog: Bool
        let source: TransportAddress
        let firstAt: Instant
        var finalStatus = 0
        var finalFingerprint: UInt64 = 0
        var finalAt: Instant?
        var acknowledgedAt: Instant?
        var cancelledAt: Instant?
        /// A 2xx or 6xx has come: §16.7 steps 5 and 10 end the search of all other targets.
        var isDecided = false
        /// 2xx to it that came, and that went upstream.
        var successesIn = 0
        var successesOut = 0
        /// A redirect server elsewhere has named targets: nobody waits for another one any more.
        var isRouted = false
        /// When its search ends unless it has found a gateway; nil: no bound.
        var giveUpAt: Instant?
        /// The branch opened last, an index into `branches`; the others hang behind it.
        var lastBranch = -1
    }

    /// A request that was forwarded, and what came back.
    struct Forwarded {
        let request: Int
        let previous: Int
        let branch: UInt64
        let destination: TransportAddress
        let fingerprint: UInt64
        let firstAt: Instant
        var lastAt: Instant
        var copies = 1
        var provisionalAt: Instant?
        /// More than a 100 has come.
        var hasProgress = false
        var hasRung = false
        var finalStatus = 0
        var finalAt: Instant?
        var cancelAt: Instant?
        var cancelLastAt: Instant?
        var cancelFingerprint: UInt64 = 0
        /// The transport failed it before anything came back.
        var hasFailed = false
        /// Others found the gateway dead while it was awaited.
        var hasFallen = false
    }

    /// Where a worker sends.
    struct Way: Hashable {
        let worker: Int
        let destination: TransportAddress
    }

    /// What the step at hand was asked by, and what it owes.
    struct Step {
        enum Cause {
            case timers
            /// A request, by its index; or a copy of one.
            case request(Int)
            case acknowledgement
            case cancel(branch: UInt64, source: TransportAddress)
            /// A response that belongs to a forwarded request.
            case response(Int, status: Int)
            /// Something that nobody should react to.
            case nothing
            /// Noise, a probe: not ours to judge.
            case unwatched
        }
        var cause = Cause.timers
        /// Whose message it was; -1 for nobody's.
        var call = -1
        var owesAnswer = -1
        var owesCopy = -1
        var owesCancelAnswer = false
        var owesCancel: [Int] = []
        var owesAcknowledgement = -1
        var owesForwardedAcknowledgement = false
        var owesSuccess = -1
        var owesFinal = -1
        var acknowledgements = 0
        /// The gateways that were found dead in it.
        var fallen: [TransportAddress] = []
    }

    /// How long a transaction may take and its end be remembered: 64 T1.
    static let transaction: Duration = .seconds(32)
    static let t1: Duration = .milliseconds(500)
    static let t4: Duration = .seconds(5)
    /// §16.6 step 11: more than three minutes.
    static let timerC: Duration = .seconds(180)

    let responseTimeout: Duration
    let resendLimit: Int
    /// Redirect servers elsewhere.
    var servers: Set<TransportAddress> = []
    /// How long a call waits for more after a 100; nil: no bound of its own.
    var progressTimeout: Duration?
    /// How long the search of a call may take, by the call's number, going round; empty: no bound.
    var searchBounds: [Duration?] = []
    var requests: [Request] = []
    var branches: [Forwarded] = []
    // No order of these is ever seen.
    var requestsByKey: [UInt64: Int] = [:]
    var branchesByBranch: [UInt64: Int] = [:]
    /// The branches opened towards an address since it last failed.
    var openedTo: [Way: [Int]] = [:]
    var step = Step()
    var now = Simulation.origin
    var cancelCount = 0
    var withinDialogCount = 0
    /// How often an invariant was looked at.
    var checkCount = 0
    var violations: [Violation] = []

    init(responseTimeout: Duration, resendLimit: Int) {
        (self.responseTimeout, self.resendLimit) = (responseTimeout, resendLimit)
    }

    static func key(_ branch: UInt64, _ method: Method) -> UInt64 {
        Fingerprint.mixed(branch, UInt64(method.rawValue))
    }

    /// Notes a broken invariant unless the condition holds.
    mutating func check(
        _ invariant: Invariant, _ holds: Bool, _ call: Int, _ detail: @autoclosure () -> String
    ) {
        checkCount += 1
        if !holds { violations.append(Violation(invariant, call: call < 0 ? nil : call, now, detail())) }
    }

    /// The process has died with all that it knew.
    mutating func forget() {
        requests.removeAll(keepingCapacity: true)
        branches.removeAll(keepingCapacity: true)
        requestsByKey.removeAll(keepingCapacity: true)
        branchesByBranch.removeAll(keepingCapacity: true)
        openedTo.removeAll(keepingCapacity: true)
    }

    // MARK: steps

    mutating func beginTimers(_ now: Instant) { begin(.timers, now) }

    /// A worker hears that a destination can't be reached.
    mutating func failed(_ destination: TransportAddress, at worker: Int, _ now: Instant) {
        begin(.timers, now)
        for index in openedTo.removeValue(forKey: Way(worker: worker, destination: destination)) ?? [] {
            let branch = branches[index]
            let request = requests[branch.request]
            // Who has waited for a first response long enough is not told.
            let limit = request.isWithinDialog ? Self.transaction : responseTimeout
            // Nor is one that the call has left for another, or needs no more: it stays for what comes late.
            let isLeft = request.lastBranch != index || request.finalStatus / 100 == 2
            let isAwaited = branch.provisionalAt == nil && branch.finalStatus == 0 && now - branch.firstAt < limit
            if isAwaited, !isLeft { branches[index].hasFailed = true }
        }
    }

    /// The gateway was found dead: nobody need wait for a first response from there any more.
    mutating func fell(_ destination: TransportAddress) {
        step.fallen.append(destination)
        for way in openedTo.keys where way.destination == destination {
            openedTo[way]?.removeAll { now - branches[$0].firstAt >= Self.transaction }
            for index in openedTo[way] ?? [] where now - branches[index].firstAt < responseTimeout {
                branches[index].hasFallen = true
            }
        }
    }

    mutating func begin(_ cause: Step.Cause, _ now: Instant) {
        self.now = now
        var owed = step.owesCancel
        owed.removeAll(keepingCapacity: true)
        step = Step()
        step.cause = cause
        step.owesCancel = owed
    }

    /// What the step owed must have left.
    mutating func endStep() {
        checkCount += 1
        let call = step.call
        if step.owesAnswer >= 0 {
            owed(.promptAnswer, step.owesAnswer, "an INVITE that is not answered")
        }
        if step.owesCopy >= 0 {
            owed(.promptAnswer, step.owesCopy, "a copy of an answered request that is not answered")
        }
        if step.owesCancelAnswer {
            check(.promptAnswer, false, call, "a CANCEL that is not answered")
        }
        for branch in step.owesCancel where branches[branch].cancelAt == nil {
            owed(.cancelledIsSilent, branches[branch].request, "\(branches[branch].destination) gets no CANCEL")
        }
        if step.owesAcknowledgement >= 0 {
            let branch = branches[step.owesAcknowledgement]
            owed(
                .acknowledgedOnce, branch.request,
                "no ACK for the \(branch.finalStatus) of \(branch.destination)")
        }
        if step.owesForwardedAcknowledgement {
            check(.acknowledgedOnce, false, call, "the ACK of a 2xx goes nowhere")
        }
        if step.owesSuccess >= 0 { owed(.successIsReceived, step.owesSuccess, "a 2xx goes nowhere") }
        if step.owesFinal >= 0 { owed(.oneFinal, step.owesFinal, "a final response goes nowhere") }
    }

    private mutating func owed(_ invariant: Invariant, _ request: Int, _ detail: String) {
        let (call, method) = (requests[request].call, requests[request].method)
        check(invariant, false, call, "\(method): \(detail)")
    }

    /// When all is over: each INVITE that came has had its final response.
    mutating func judge(_ now: Instant) {
        self.now = now
        for request in requests where request.method == .invite {
            check(.oneFinal, request.finalStatus != 0, request.call, "an INVITE without a final response")
        }
    }
}
