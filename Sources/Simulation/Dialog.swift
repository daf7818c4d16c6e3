import Addressing
import SIPMessage

/// One side of one dialog (RFC 3261 section 12): what it asks within it, and how it answers.
struct Dialog {
    enum Wake {
        case send(Method)
        case resend(cSeq: UInt32, after: Duration)
        case answer(cSeq: UInt32)
        case resendAnswer(cSeq: UInt32, after: Duration, waited: Duration)
    }

    /// What was asked and is not answered yet.
    private struct Pending {
        let method: Method
        let cSeq: UInt32
        let bytes: [UInt8]
        var waited: Duration = .zero
        var hasProvisional = false
    }

    /// What was asked by the other side.
    private struct Served {
        let request: Parcel
        let source: TransportAddress
        var response: [UInt8]?
        var isAcknowledged = false
    }

    let call: Int
    /// The other side's tag as a number.
    let remoteTag: UInt64
    private let address: TransportAddress
    private let nextHop: TransportAddress
    private let target: [UInt8]
    private let routes: [UInt8]
    private let localField: [UInt8]
    private let remoteField: [UInt8]
    private let branchLetter: StaticString
    private let branchNumber: Int
    private var cSeq: UInt32

    private(set) var isOver = false
    private(set) var hasSentPrack = false
    private var pending: Pending?
    private var lastInvite: (cSeq: UInt32, branch: [UInt8]) = (0, [])
    private var acknowledgement: (cSeq: UInt32, bytes: [UInt8])?
    private var served: [Served] = []

    /// The caller's side, by the response that made it.
    init?(
        answeredBy response: Parcel, call: Int, number: Int, address: TransportAddress, cSeq: UInt32
    ) {
        let routes = Array(response.values(of: .recordRoute).reversed())
        self.init(
            response, routes, call: call, number: number, address: address, letter: "c",
            remoteTag: response.message.toTag, local: response.copy(of: response.message.from),
            remote: response.copy(of: response.message.to), cSeq: cSeq)
    }

    /// The callee's side, by the INVITE that made it.
    init?(
        invitedBy invite: Parcel, call: Int, number: Int, address: TransportAddress, tag: [UInt8]
    ) {
        self.init(
            invite, invite.values(of: .recordRoute), call: call, number: number, address: address, letter: "g",
            remoteTag: invite.message.fromTag,
            local: invite.copy(of: invite.message.to) + Array(";tag=".utf8) + tag,
            remote: invite.copy(of: invite.message.from), cSeq: 100)
    }

    private init?(
        _ parcel: Parcel, _ routes: [ByteRange], call: Int, number: Int, address: TransportAddress,
        letter: StaticString, remoteTag: ByteRange?, local: [UInt8], remote: [UInt8], cSeq: UInt32
    ) {
        guard let contact = parcel.contact else { return nil }
        let first = routes.first.flatMap { parcel.uri(in: $0) }
        guard let nextHop = parcel.address(of: first ?? contact) else { return nil }
        let bytes = parcel.bytes
        var lines = OutputBuffer(capacity: 160)
        for route in routes {
            lines.append("Route: ")
            lines.append(bytes.span, route)
            lines.append("\r\n")
        }
        (self.call, self.address, self.nextHop) = (call, address, nextHop)
        (target, self.routes) = (parcel.copy(of: contact), lines.bytes)
        (localField, remoteField) = (local, remote)
        (branchLetter, branchNumber, self.cSeq) = (letter, number, cSeq)
        self.remoteTag = parcel.fingerprint(of: remoteTag)
    }

    // MARK: asking

    mutating func wake(_ wake: Wake, _ effects: inout EndpointEffects<Wake>) {
        switch wake {
        case .send(let method): ask(method, &effects)
        case .resend(let cSeq, let after): resend(cSeq, after, &effects)
        case .answer(let cSeq):
            guard let index = served.firstIndex(where: { $0.request.message.cSeqNumber == cSeq }) else { return }
            answer(index, 200, &effects)
        case .resendAnswer(let cSeq, let after, let waited):
            guard waited < .seconds(32),
                let index = served.firstIndex(where: { $0.request.message.cSeqNumber == cSeq }),
                !served[index].isAcknowledged, let response = served[index].response
            else { return }
            effects.send(response, to: served[index].source)
            let next = min(after * 2, .seconds(4))
            effects.wake(.resendAnswer(cSeq: cSeq, after: next, waited: waited + next), after: next)
        }
    }

    /// Answers a reliable provisional (RFC 3262).
    mutating func sendPrack(_ effects: inout EndpointEffects<Wake>) {
        guard !hasSentPrack else { return }
        hasSentPrack = true
        ask(.prack, extra: Array("RAck: 1 \(cSeq) INVITE\r\n".utf8), &effects)
    }

    private mutating func ask(_ method: Method, extra: [UInt8] = [], _ effects: inout EndpointEffects<Wake>) {
        guard !isOver, pending == nil || method == .bye else { return }
        cSeq += 1
        let branch = SimulatedRequest.branch(branchLetter, call, branchNumber, Int(cSeq))
        let bytes = request(method, branch: branch, cSeq: cSeq, extra: extra).bytes
        pending = Pending(method: method, cSeq: cSeq, bytes: bytes)
        if method == .invite { lastInvite = (cSeq, branch) }
        if method == .bye { isOver = true }
        effects.send(bytes, to: nextHop)
        effects.wake(.resend(cSeq: cSeq, after: .milliseconds(500)), after: .milliseconds(500))
    }

    private func request(_ method: Method, branch: [UInt8], cSeq: UInt32, extra: [UInt8] = []) -> SimulatedRequest {
        SimulatedRequest(
            method: method, uri: target, sender: address, branch: branch, routes: routes, from: localField,
            to: remoteField, call: call, cSeq: cSeq, extra: extra, hasBody: method == .invite)
    }

    private mutating func resend(_ cSeq: UInt32, _ after: Duration, _ effects: inout EndpointEffects<Wake>) {
        guard var pending, pending.cSeq == cSeq else { return }
        pending.waited += after
        let isInvite = pending.method == .invite
        guard pending.waited < .seconds(32) else {
            if !(isInvite && pending.hasProvisional) { self.pending = nil }
            return
        }
        self.pending = pending
        if isInvite, pending.hasProvisional { return }
        effects.send(pending.bytes, to: nextHop)
        let next = isInvite ? after * 2 : min(after * 2, .seconds(4))
        effects.wake(.resend(cSeq: cSeq, after: next), after: next)
    }

    /// A response to something asked within the dialog.
    mutating func receiveResponse(_ parcel: Parcel, _ effects: inout EndpointEffects<Wake>) {
        let message = parcel.message
        let isPending = pending?.cSeq == message.cSeqNumber && pending?.method == message.cSeqMethod
        if message.status < 200 {
            if isPending { pending?.hasProvisional = true }
            return
        }
        if isPending { pending = nil }
        if message.status == 481 || message.status == 408 { isOver = true }
        guard message.cSeqMethod == .invite else { return }
        if message.status < 300 {
            acknowledge(message.cSeqNumber, &effects)
        } else if message.cSeqNumber == lastInvite.cSeq {
            effects.send(request(.ack, branch: lastInvite.branch, cSeq: lastInvite.cSeq).bytes, to: nextHop)
        }
    }

    /// The ACK of a 2xx, the same for each of its copies (section 13.2.2.4).
    mutating func acknowledge(_ cSeq: UInt32, _ effects: inout EndpointEffects<Wake>) {
        if acknowledgement?.cSeq != cSeq {
            let branch = SimulatedRequest.branch("a", call, branchNumber, Int(cSeq)) + [branchLetterByte]
            acknowledgement = (cSeq, request(.ack, branch: branch, cSeq: cSeq).bytes)
        }
        if let acknowledgement { effects.send(acknowledgement.bytes, to: nextHop) }
    }

    private var branchLetterByte: UInt8 { branchLetter.withUTF8Buffer { $0[0] } }

    // MARK: answering

    /// A request of the other side.
    mutating func receiveRequest(
        _ parcel: Parcel, from source: TransportAddress, _ generator: inout SeededGenerator,
        _ effects: inout EndpointEffects<Wake>
    ) {
        let message = parcel.message
        if message.method == .ack {
            for index in served.indices where served[index].request.message.cSeqNumber == message.cSeqNumber {
                served[index].isAcknowledged = true
            }
            return
        }
        if let known = served.first(where: { $0.request.branch == parcel.branch }) {
            if let response = known.response { effects.send(response, to: known.source) }
            return
        }
        served.append(Served(request: parcel, source: source))
        let index = served.count - 1
        switch message.method {
        case .bye:
            isOver = true
            answer(index, 200, &effects)
        case _ where isOver: answer(index, 481, &effects)
        case .invite where pending?.method == .invite: answer(index, 491, &effects)
        case .info where generator.chance(perMille: 300):
            effects.wake(.answer(cSeq: message.cSeqNumber), after: generator.milliseconds(300, 1800))
        default: answer(index, 200, &effects)
        }
    }

    private mutating func answer(_ index: Int, _ status: Int, _ effects: inout EndpointEffects<Wake>) {
        guard served[index].response == nil else { return }
        let response = served[index].request.response(status, tag: [], contact: address)
        served[index].response = response
        effects.send(response, to: served[index].source)
        let message = served[index].request.message
        guard message.method == .invite else { return }
        let first = Duration.milliseconds(500)
        effects.wake(.resendAnswer(cSeq: message.cSeqNumber, after: first, waited: first), after: first)
    }
}
