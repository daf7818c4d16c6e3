import Addressing
import SIPMessage
import Time

/// A gateway: a user agent server that has good and bad hours.
struct SimulatedGateway {
    enum Mode: Int {
        /// Takes calls; some callees refuse, some calls fail, some answers are slow.
        case answering
        /// Says nothing at all.
        case silent
        /// 503, half of them with Retry-After.
        case busy
        /// Its host answers with ICMP errors.
        case unreachable
        /// Says 100 to each call and nothing more; OPTIONS it answers.
        case stalled
        /// Is well, behind a network that loses a third of all datagrams.
        case lossy
    }

    enum Wake {
        case ring(Int)
        case progress(Int)
        case reliableRing(Int)
        case resendReliable(Int, after: Duration)
        case answer(Int, status: Int)
        case fork(Int)
        case resend(Int, answer: Int, after: Duration, waited: Duration)
        case dialog(Int, Dialog.Wake)
    }

    /// One final response.
    struct Answer {
        let bytes: [UInt8]
        let dialog: Int?
        var isAcknowledged = false
    }

    struct Call {
        let invite: Parcel
        let source: TransportAddress
        let tag: [UInt8]
        let life: Int
        var lastProvisional: [UInt8]?
        var isRinging = false
        var isReliablyHeard = false
        var earlyDialog: Int?
        var finalStatus = 0
        var answers: [Answer] = []
    }

    /// How callees refuse where the gateway is steady.
    static let refusals: Set<Int> = [404, 480, 486, 603]

    let number: Int
    let address: TransportAddress
    /// Whether it has each call ring as long as it is well, and says no for callees alone.
    private let isSteady: Bool
    private(set) var mode = Mode.answering
    /// When its mode changed, or its memory was lost.
    private(set) var disturbedAt: Instant?

    private(set) var violations: [Violation] = []
    private(set) var forkCount = 0
    /// Goes up with each crash; calls of an earlier life are forgotten.
    private var life = 0
    private var calls: [Call] = []
    private var dialogs: [Dialog] = []
    /// The call that each dialog was made by.
    private var callOfDialog: [Int] = []
    // No order of these is ever seen.
    private var callsByBranch: [UInt64: Int] = [:]
    private var dialogsByTag: [UInt64: Int] = [:]
    private var invitesSeen: [Int: (branch: UInt64, epoch: Int)] = [:]
    private var dialogEffects = EndpointEffects<Dialog.Wake>()

    init(number: Int, address: TransportAddress, isSteady: Bool = false) {
        (self.number, self.address, self.isSteady) = (number, address, isSteady)
    }

    private var isTalking: Bool { mode == .answering || mode == .busy || mode == .lossy }

    mutating func turn(_ mode: Mode, _ now: Instant) { (self.mode, disturbedAt) = (mode, now) }

    /// Forgets every call.
    mutating func crash(_ now: Instant) {
        life += 1
        disturbedAt = now
        callsByBranch.removeAll(keepingCapacity: true)
        dialogsByTag.removeAll(keepingCapacity: true)
        invitesSeen.removeAll(keepingCapacity: true)
    }

    /// True when the call of that branch rings without an end in sight.
    func isRinging(_ branch: UInt64) -> Bool {
        guard isTalking, let call = callsByBranch[branch] else { return false }
        return calls[call].isRinging && calls[call].finalStatus == 0
    }

    // MARK: what arrives

    mutating func receive(
        _ parcel: Parcel, from source: TransportAddress, _ now: Instant, _ generator: inout SeededGenerator,
        _ effects: inout EndpointEffects<Wake>
    ) {
        guard parcel.isReadable else {
            violations.append(Violation(.readable, call: nil, now, "gateway \(number) got what is no message"))
            return
        }
        guard isTalking || (mode == .stalled && isHeardWhileStalled(parcel)) else { return }
        let message = parcel.message
        guard message.isRequest else {
            withDialog(parcel.fingerprint(of: message.fromTag), &effects) { $0.receiveResponse(parcel, &$1) }
            return
        }
        switch message.method {
        case .invite where message.toTag == nil: receiveInvite(parcel, source, now, &generator, &effects)
        case .ack: acknowledge(parcel, &generator, &effects)
        case .cancel: cancel(parcel, source, &effects)
        case .options where message.toTag == nil:
            let status = mode == .busy ? 503 : 200
            effects.send(parcel.response(status, tag: [UInt8(ascii: "o")], contact: address), to: source)
        default:
            let tag = parcel.fingerprint(of: message.toTag)
            if message.method == .prack, let call = dialogsByTag[tag].map({ callOfDialog[$0] }) {
                calls[call].isReliablyHeard = true
            }
            let isKnown = withDialog(tag, &effects) {
                $0.receiveRequest(parcel, from: source, &generator, &$1)
            }
            guard !isKnown else { return }
            effects.send(parcel.response(481, tag: [UInt8(ascii: "x")], contact: address), to: source)
        }
    }

    private func isHeardWhileStalled(_ parcel: Parcel) -> Bool {
        let message = parcel.message
        return message.isRequest && message.toTag == nil && (message.method == .invite || message.method == .options)
    }

    @discardableResult
    private mutating func withDialog(
        _ tag: UInt64, _ effects: inout EndpointEffects<Wake>,
        _ body: (inout Dialog, inout EndpointEffects<Dialog.Wake>) -> Void
    ) -> Bool {
        guard let index = dialogsByTag[tag] else { return false }
        body(&dialogs[index], &dialogEffects)
        passOn(index, &effects)
        return true
    }

    private mutating func passOn(_ dialog: Int, _ effects: inout EndpointEffects<Wake>) {
        effects.datagrams += dialogEffects.datagrams
        for wake in dialogEffects.wakes { effects.wake(.dialog(dialog, wake.wake), after: wake.after) }
        dialogEffects.removeAll()
    }

    private mutating func receiveInvite(
        _ parcel: Parcel, _ source: TransportAddress, _ now: Instant, _ generator: inout SeededGenerator,
        _ effects: inout EndpointEffects<Wake>
    ) {
        if let known = callsByBranch[parcel.branch] {
            if let response = calls[known].answers.first?.bytes ?? calls[known].lastProvisional {
                effects.send(response, to: calls[known].source)
            }
            return
        }
        noteMerged(parcel, now)
        let call = calls.count
        calls.append(
            Call(
                invite: parcel, source: source, tag: SimulatedRequest.branch("g", number, call), life: life))
        callsByBranch[parcel.branch] = call
        if mode == .busy {
            respond(503, call, retryAfter: generator.chance(perMille: 500) ? 5 + generator.below(20) : 0, &effects)
            return
        }
        if mode == .stalled {
            provisional(100, call, &effects)
        } else if isSteady {
            behaveWell(call, &generator, &effects)
        } else {
            behave(call, &generator, &effects)
        }
    }

    /// RFC 3261 section 8.2.2.2: the same request by two branches is a request that was forwarded twice.
    private mutating func noteMerged(_ parcel: Parcel, _ now: Instant) {
        guard parcel.call >= 0, parcel.epoch > 0 else { return }
        let key = parcel.call * 64 + Int(parcel.message.cSeqNumber)
        if let seen = invitesSeen[key], seen.epoch == parcel.epoch {
            let text = "gateway \(number) got the same INVITE by two branches"
            violations.append(Violation(.forwardedOnce, call: parcel.call, now, text))
        }
        invitesSeen[key] = (parcel.branch, parcel.epoch)
    }

    private mutating func behaveWell(
        _ call: Int, _ generator: inout SeededGenerator, _ effects: inout EndpointEffects<Wake>
    ) {
        provisional(100, call, &effects)
        switch generator.below(1000) {
        case ..<60: effects.wake(.answer(call, status: 486), after: generator.milliseconds(10, 900))
        case ..<90: effects.wake(.answer(call, status: 404), after: generator.milliseconds(10, 1500))
        case ..<95: effects.wake(.answer(call, status: 603), after: generator.milliseconds(10, 2500))
        default: ring(call, &generator, &effects)
        }
    }

    private mutating func behave(
        _ call: Int, _ generator: inout SeededGenerator, _ effects: inout EndpointEffects<Wake>
    ) {
        switch generator.below(1000) {
        case ..<80: effects.wake(.answer(call, status: 486), after: generator.milliseconds(10, 900))
        case ..<120: effects.wake(.answer(call, status: 500), after: generator.milliseconds(10, 900))
        case ..<150: effects.wake(.answer(call, status: 404), after: generator.milliseconds(10, 5000))
        case ..<155: effects.wake(.answer(call, status: 603), after: generator.milliseconds(10, 5000))
        case ..<220:  // slower than the predetermined time
            effects.wake(.ring(call), after: generator.milliseconds(2000, 6000))
            effects.wake(.answer(call, status: 200), after: generator.milliseconds(6000, 9000))
        case ..<270: effects.wake(.answer(call, status: 200), after: generator.milliseconds(1800, 2600))
        case ..<275: effects.wake(.ring(call), after: generator.milliseconds(10, 400))  // and nobody is at home
        case ..<280: break  // says nothing to this one
        default:
            provisional(100, call, &effects)
            ring(call, &generator, &effects)
        }
    }

    /// The callee hears of the call, and takes it or lets it ring.
    private func ring(_ call: Int, _ generator: inout SeededGenerator, _ effects: inout EndpointEffects<Wake>) {
        if generator.chance(perMille: 200) {
            effects.wake(.reliableRing(call), after: generator.milliseconds(10, 400))
        } else {
            if generator.chance(perMille: 300) {
                effects.wake(.progress(call), after: generator.milliseconds(10, 300))
            }
            effects.wake(.ring(call), after: generator.milliseconds(10, 400))
        }
        let status = generator.chance(perMille: 60) ? 480 : 200
        let after = generator.milliseconds(500, 20_000)
        effects.wake(.answer(call, status: status), after: after)
        if generator.chance(perMille: 40) { effects.wake(.fork(call), after: after + .milliseconds(120)) }
    }

    /// The ACK of a 2xx is known by the tag that it was given, that of a refusal by its branch.
    private mutating func acknowledge(
        _ parcel: Parcel, _ generator: inout SeededGenerator, _ effects: inout EndpointEffects<Wake>
    ) {
        if let call = callsByBranch[parcel.branch] {
            for index in calls[call].answers.indices { calls[call].answers[index].isAcknowledged = true }
            return
        }
        guard let dialog = dialogsByTag[parcel.fingerprint(of: parcel.message.toTag)] else { return }
        dialogs[dialog].receiveRequest(parcel, from: address, &generator, &dialogEffects)
        let call = callOfDialog[dialog]
        guard parcel.message.cSeqNumber == calls[call].invite.message.cSeqNumber else { return }
        for index in calls[call].answers.indices where calls[call].answers[index].dialog == dialog {
            guard !calls[call].answers[index].isAcknowledged else { continue }
            calls[call].answers[index].isAcknowledged = true
            talk(dialog, &generator, &effects)
        }
    }

    /// What the gateway asks within the dialog.
    private func talk(
        _ dialog: Int, _ generator: inout SeededGenerator, _ effects: inout EndpointEffects<Wake>
    ) {
        switch generator.below(100) {
        case ..<8: effects.wake(.dialog(dialog, .send(.invite)), after: generator.milliseconds(200, 8000))
        case ..<14: effects.wake(.dialog(dialog, .send(.info)), after: generator.milliseconds(200, 8000))
        default: break
        }
        guard generator.chance(perMille: 300) else { return }
        effects.wake(.dialog(dialog, .send(.bye)), after: generator.milliseconds(500, 30_000))
    }

    private mutating func cancel(
        _ parcel: Parcel, _ source: TransportAddress, _ effects: inout EndpointEffects<Wake>
    ) {
        guard let call = callsByBranch[parcel.branch] else {
            effects.send(parcel.response(481, tag: [UInt8(ascii: "x")], contact: address), to: source)
            return
        }
        effects.send(parcel.response(200, tag: calls[call].tag, contact: address), to: source)
        if calls[call].finalStatus == 0 { respond(487, call, &effects) }
    }

    // MARK: time

    mutating func wake(_ wake: Wake, _ generator: inout SeededGenerator, _ effects: inout EndpointEffects<Wake>) {
        switch wake {
        case .ring(let call): if isOpen(call) { provisional(180, call, &effects) }
        case .progress(let call): if isOpen(call) { provisional(183, call, &effects) }
        case .reliableRing(let call):
            guard isOpen(call) else { return }
            calls[call].earlyDialog = makeDialog(call, tag: calls[call].tag)
            provisional(180, call, extra: "Require: 100rel\r\nRSeq: 1\r\n", &effects)
            effects.wake(.resendReliable(call, after: .milliseconds(500)), after: .milliseconds(500))
        case .resendReliable(let call, let after):
            guard isOpen(call), !calls[call].isReliablyHeard, after < .seconds(16),
                let response = calls[call].lastProvisional
            else { return }
            effects.send(response, to: calls[call].source)
            effects.wake(.resendReliable(call, after: after * 2), after: after * 2)
        case .answer(let call, let status): if isOpen(call) { respond(status, call, &effects) }
        case .fork(let call):
            guard calls[call].life == life, isTalking, calls[call].finalStatus == 200 else { return }
            forkCount += 1
            accept(call, tag: calls[call].tag + [UInt8(ascii: "f")], &effects)
        case .resend(let call, let answer, let after, let waited): resend(call, answer, after, waited, &effects)
        case .dialog(let dialog, let wake):
            guard calls[callOfDialog[dialog]].life == life, isTalking else { return }
            dialogs[dialog].wake(wake, &dialogEffects)
            passOn(dialog, &effects)
        }
    }

    private mutating func resend(
        _ call: Int, _ answer: Int, _ after: Duration, _ waited: Duration, _ effects: inout EndpointEffects<Wake>
    ) {
        guard calls[call].life == life, !calls[call].answers[answer].isAcknowledged else { return }
        guard waited < .seconds(32) else {  // §13.3.1.4: nobody acknowledged
            if let dialog = calls[call].answers[answer].dialog {
                effects.wake(.dialog(dialog, .send(.bye)), after: .milliseconds(1))
            }
            return
        }
        if isTalking { effects.send(calls[call].answers[answer].bytes, to: calls[call].source) }
        let next = min(after * 2, .seconds(4))
        effects.wake(.resend(call, answer: answer, after: next, waited: waited + next), after: next)
    }

    private func isOpen(_ call: Int) -> Bool {
        isTalking && calls[call].life == life && calls[call].finalStatus == 0
    }

    private mutating func provisional(
        _ status: Int, _ call: Int, extra: StaticString = "", _ effects: inout EndpointEffects<Wake>
    ) {
        let response = calls[call].invite.response(status, tag: calls[call].tag, contact: address, extra: extra)
        calls[call].lastProvisional = response
        calls[call].isRinging = true
        effects.send(response, to: calls[call].source)
    }

    private mutating func respond(
        _ status: Int, _ call: Int, retryAfter: Int = 0, _ effects: inout EndpointEffects<Wake>
    ) {
        calls[call].finalStatus = status
        if status < 300 {
            accept(call, tag: calls[call].tag, &effects)
            return
        }
        let bytes = calls[call].invite.response(
            status, tag: calls[call].tag, contact: address, retryAfter: retryAfter)
        send(Answer(bytes: bytes, dialog: nil), call, &effects)
    }

    private mutating func accept(_ call: Int, tag: [UInt8], _ effects: inout EndpointEffects<Wake>) {
        let isFirst = calls[call].answers.isEmpty
        let early = isFirst ? calls[call].earlyDialog : nil
        let bytes = calls[call].invite.response(200, tag: tag, contact: address)
        send(Answer(bytes: bytes, dialog: early ?? makeDialog(call, tag: tag)), call, &effects)
    }

    private mutating func send(_ answer: Answer, _ call: Int, _ effects: inout EndpointEffects<Wake>) {
        calls[call].answers.append(answer)
        effects.send(answer.bytes, to: calls[call].source)
        let first = Duration.milliseconds(500)
        let index = calls[call].answers.count - 1
        effects.wake(.resend(call, answer: index, after: first, waited: first), after: first)
    }

    /// Nil for a caller that said nowhere how to reach it.
    private mutating func makeDialog(_ call: Int, tag: [UInt8]) -> Int? {
        let number = self.number * 100_000 + dialogs.count
        guard
            let dialog = Dialog(
                invitedBy: calls[call].invite, call: calls[call].invite.call, number: number, address: address, tag: tag
            )
        else { return nil }
        dialogs.append(dialog)
        callOfDialog.append(call)
        dialogsByTag[Fingerprint.of(tag.span, ByteRange(0, tag.count))] = dialogs.count - 1
        return dialogs.count - 1
    }
}
