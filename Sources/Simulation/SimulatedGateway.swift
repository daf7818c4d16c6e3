import Addressing
import SIPMessage

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
    }

    enum Wake {
        case ring(branch: String)
        case answer(branch: String, status: Int)
        case resend(branch: String, after: Duration)
    }

    private struct Call {
        let invite: WireMessage
        let source: TransportAddress
        let toTag: String
        var lastResponse: [UInt8]?
        var finalStatus: Int?
        var isAcknowledged = false
    }

    let number: Int
    let address: TransportAddress
    var mode = Mode.answering

    private(set) var violations: [String] = []
    private(set) var invitesTaken = 0
    private(set) var answeredCount = 0
    private(set) var probesAnswered = 0
    private var calls: [String: Call] = [:]  // by branch; no order of it is ever seen

    init(number: Int, address: TransportAddress) { (self.number, self.address) = (number, address) }

    private var contact: String { "sip:gw@\(address.hostPort)" }

    // MARK: requests

    mutating func receive(
        _ bytes: [UInt8], from source: TransportAddress, _ generator: inout SeededGenerator
    ) -> EndpointEffects<Wake> {
        var effects = EndpointEffects<Wake>()
        guard let wire = WireMessage(bytes), wire.message.isRequest else {
            violations.append("gateway \(number) got what is no request")
            return effects
        }
        guard mode == .answering || mode == .busy else { return effects }
        switch wire.message.method {
        case .invite: receiveInvite(wire, source, &generator, &effects)
        case .ack: acknowledge(wire)
        case .cancel: cancel(wire, source, &effects)
        case .options:
            probesAnswered += 1
            effects.datagrams.append((wire.response(mode == .busy ? 503 : 200, toTag: "o", contact: contact), source))
        default: effects.datagrams.append((wire.response(200, toTag: "x", contact: contact), source))
        }
        return effects
    }

    private mutating func receiveInvite(
        _ wire: WireMessage, _ source: TransportAddress, _ generator: inout SeededGenerator,
        _ effects: inout EndpointEffects<Wake>
    ) {
        let branch = wire.branch
        if let call = calls[branch] {
            if let response = call.lastResponse { effects.datagrams.append((response, call.source)) }
            return
        }
        invitesTaken += 1
        calls[branch] = Call(invite: wire, source: source, toTag: "g\(number)-\(invitesTaken)")
        if mode == .busy {
            let extra = generator.chance(perMille: 500) ? ["Retry-After: \(5 + generator.below(20))"] : []
            respond(503, branch, extra: extra, &effects)
            return
        }
        switch generator.below(100) {
        case ..<8: effects.wakes.append((generator.milliseconds(10, 900), .answer(branch: branch, status: 486)))
        case ..<12: effects.wakes.append((generator.milliseconds(10, 900), .answer(branch: branch, status: 500)))
        case ..<15: effects.wakes.append((generator.milliseconds(10, 5000), .answer(branch: branch, status: 404)))
        case ..<22:  // slower than the predetermined time
            effects.wakes.append((generator.milliseconds(2000, 6000), .ring(branch: branch)))
            effects.wakes.append((generator.milliseconds(6000, 9000), .answer(branch: branch, status: 200)))
        case ..<27: effects.wakes.append((generator.milliseconds(1800, 2600), .answer(branch: branch, status: 200)))
        default:
            respond(100, branch, &effects)
            effects.wakes.append((generator.milliseconds(10, 400), .ring(branch: branch)))
            let status = generator.chance(perMille: 60) ? 480 : 200
            effects.wakes.append((generator.milliseconds(500, 20_000), .answer(branch: branch, status: status)))
        }
    }

    /// The ACK of a 2xx is known by the tag that it was given, that of a refusal by its branch.
    private mutating func acknowledge(_ wire: WireMessage) {
        if calls[wire.branch] != nil {
            calls[wire.branch]?.isAcknowledged = true
            return
        }
        let toTag = wire.text(wire.message.toTag)
        for branch in calls.keys where calls[branch]?.toTag == toTag { calls[branch]?.isAcknowledged = true }
    }

    private mutating func cancel(
        _ wire: WireMessage, _ source: TransportAddress, _ effects: inout EndpointEffects<Wake>
    ) {
        guard let call = calls[wire.branch] else {
            effects.datagrams.append((wire.response(481, toTag: "x", contact: contact), source))
            return
        }
        effects.datagrams.append((wire.response(200, toTag: call.toTag, contact: contact), source))
        if call.finalStatus == nil { respond(487, wire.branch, &effects) }
    }

    // MARK: time

    mutating func wake(_ wake: Wake) -> EndpointEffects<Wake> {
        var effects = EndpointEffects<Wake>()
        switch wake {
        case .ring(let branch): if isOpen(branch) { respond(180, branch, &effects) }
        case .answer(let branch, let status): if isOpen(branch) { respond(status, branch, &effects) }
        case .resend(let branch, let after):
            guard let call = calls[branch], !call.isAcknowledged, let response = call.lastResponse, after < .seconds(16)
            else { break }
            if isTalking { effects.datagrams.append((response, call.source)) }
            let next = min(after * 2, .seconds(4))
            effects.wakes.append((next, .resend(branch: branch, after: after * 2)))
        }
        return effects
    }

    private var isTalking: Bool { mode == .answering || mode == .busy }

    private func isOpen(_ branch: String) -> Bool {
        isTalking && calls[branch] != nil && calls[branch]?.finalStatus == nil
    }

    private mutating func respond(
        _ status: Int, _ branch: String, extra: [String] = [], _ effects: inout EndpointEffects<Wake>
    ) {
        guard var call = calls[branch] else { return }
        let response = call.invite.response(status, toTag: call.toTag, contact: contact, extra: extra)
        call.lastResponse = response
        if status >= 200 {
            call.finalStatus = status
            if status < 300 { answeredCount += 1 }
            effects.wakes.append((.milliseconds(500), .resend(branch: branch, after: .milliseconds(500))))
        }
        calls[branch] = call
        effects.datagrams.append((response, call.source))
    }
}
