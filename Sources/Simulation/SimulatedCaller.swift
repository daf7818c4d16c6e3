import Addressing
import SIPMessage

/// A source user agent that makes one call by RFC 3261's rules, over a network that loses, repeats and reorders.
struct SimulatedCaller {
    enum Wake {
        case start
        case resendInvite(after: Duration)
        case giveUp
        case progressLimit
        case cancel
        case resendCancel(after: Duration)
        case bye(dialog: Int)
        case resendBye(dialog: Int, after: Duration)
    }

    /// How the call ended for its caller.
    enum End: Equatable {
        case answered
        case refused(status: Int)
        case gaveUp
    }

    private struct Dialog {
        let toTag: String
        let target: String
        let routes: [String]
        var byeSentFor: Duration = .zero
        var isOver = false
    }

    let number: Int
    let address: TransportAddress
    private let server: TransportAddress
    private let dialled: String
    /// Hangs up while it rings.
    private let isImpatient: Bool

    private(set) var end: End?
    private(set) var violations: [String] = []
    private var hasProvisional = false
    private var isCancelling = false
    private var isCancelAnswered = false
    private var dialogs: [Dialog] = []

    init(number: Int, address: TransportAddress, server: TransportAddress, dialled: String, isImpatient: Bool) {
        (self.number, self.address, self.server) = (number, address, server)
        (self.dialled, self.isImpatient) = (dialled, isImpatient)
    }

    private var inviteBranch: String { "z9hG4bKsim-\(number)-i" }

    // MARK: time

    mutating func wake(_ wake: Wake, _ generator: inout SeededGenerator) -> EndpointEffects<Wake> {
        var effects = EndpointEffects<Wake>()
        switch wake {
        case .start:
            send(invite(), &effects)
            effects.wakes = [(.milliseconds(500), .resendInvite(after: .milliseconds(500))), (.seconds(32), .giveUp)]
        case .resendInvite(let after):
            guard end == nil, !hasProvisional, after < .seconds(16) else { break }
            send(invite(), &effects)
            effects.wakes = [(after * 2, .resendInvite(after: after * 2))]
        case .giveUp: if end == nil, !hasProvisional { end = .gaveUp }
        case .progressLimit: if end == nil { end = .gaveUp }
        case .cancel:
            guard end == nil else { break }
            isCancelling = true
            send(request("CANCEL", uri: uri, branch: inviteBranch, to: to, cSeq: 1, routes: []), &effects)
            effects.wakes = [(.milliseconds(500), .resendCancel(after: .milliseconds(500)))]
        case .resendCancel(let after):
            guard !isCancelAnswered, after < .seconds(16) else { break }
            send(request("CANCEL", uri: uri, branch: inviteBranch, to: to, cSeq: 1, routes: []), &effects)
            effects.wakes = [(after * 2, .resendCancel(after: after * 2))]
        case .bye(let dialog): sendBye(dialog, after: .milliseconds(500), &effects)
        case .resendBye(let dialog, let after):
            guard !dialogs[dialog].isOver, dialogs[dialog].byeSentFor < .seconds(32) else { break }
            dialogs[dialog].byeSentFor += after
            sendBye(dialog, after: min(after * 2, .seconds(4)), &effects)
        }
        return effects
    }

    private mutating func sendBye(_ number: Int, after: Duration, _ effects: inout EndpointEffects<Wake>) {
        let dialog = dialogs[number]
        send(
            request(
                "BYE", uri: dialog.target, branch: "z9hG4bKsim-\(self.number)-b\(number)",
                to: "\(to);tag=\(dialog.toTag)",
                cSeq: 2, routes: dialog.routes), &effects)
        effects.wakes = [(after, .resendBye(dialog: number, after: after))]
    }

    // MARK: responses

    mutating func receive(_ bytes: [UInt8], _ generator: inout SeededGenerator) -> EndpointEffects<Wake> {
        var effects = EndpointEffects<Wake>()
        guard let wire = WireMessage(bytes), !wire.message.isRequest else {
            violations.append("caller \(number) got what is no response")
            return effects
        }
        guard wire.values(of: .via).count == 1, wire.branch.hasPrefix("z9hG4bKsim-\(number)-") else {
            violations.append("caller \(number) got a response with a Via that is not its own alone")
            return effects
        }
        switch wire.message.cSeqMethod {
        case .invite: receiveInviteResponse(wire, &generator, &effects)
        case .cancel: if wire.message.status >= 200 { isCancelAnswered = true }
        case .bye:
            for index in dialogs.indices where wire.branch.hasSuffix("-b\(index)") && wire.message.status >= 200 {
                dialogs[index].isOver = true
            }
        default: violations.append("caller \(number) got a response to a request that it never sent")
        }
        return effects
    }

    private mutating func receiveInviteResponse(
        _ wire: WireMessage, _ generator: inout SeededGenerator, _ effects: inout EndpointEffects<Wake>
    ) {
        switch wire.message.status {
        case ..<200:
            guard !hasProvisional else { return }
            hasProvisional = true
            effects.wakes.append((.seconds(600), .progressLimit))
            if isImpatient { effects.wakes.append((generator.milliseconds(1, 9000), .cancel)) }
        case ..<300:
            if end == nil { end = .answered }
            let toTag = wire.text(wire.message.toTag)
            var number = dialogs.firstIndex { $0.toTag == toTag }
            if number == nil {
                dialogs.append(
                    Dialog(toTag: toTag, target: wire.contact, routes: wire.values(of: .recordRoute).reversed()))
                number = dialogs.count - 1
                // Whoever answered second, or after the caller had turned away, is hung up at once (§13.2.2.4).
                let isFirst = dialogs.count == 1 && end == .answered && !isCancelling
                effects.wakes.append(
                    (isFirst ? generator.milliseconds(500, 30_000) : .milliseconds(10), .bye(dialog: dialogs.count - 1))
                )
            }
            guard let number else { return }
            send(
                request(
                    "ACK", uri: dialogs[number].target, branch: "z9hG4bKsim-\(self.number)-a\(number)",
                    to: "\(to);tag=\(toTag)", cSeq: 1, routes: dialogs[number].routes), &effects)
        default:
            if end == nil { end = .refused(status: wire.message.status) }
            send(
                request("ACK", uri: uri, branch: inviteBranch, to: wire.text(wire.message.to), cSeq: 1, routes: []),
                &effects)
        }
    }

    // MARK: requests

    private var uri: String { "sip:\(dialled)@\(server.hostPort)" }
    private var to: String { "<\(uri)>" }

    private func invite() -> [UInt8] {
        request("INVITE", uri: uri, branch: inviteBranch, to: to, cSeq: 1, routes: [], body: "v=0\r\n")
    }

    private func send(_ bytes: [UInt8], _ effects: inout EndpointEffects<Wake>) {
        effects.datagrams.append((bytes, server))
    }

    private func request(
        _ method: String, uri: String, branch: String, to: String, cSeq: Int, routes: [String], body: String = ""
    ) -> [UInt8] {
        var lines = ["\(method) \(uri) SIP/2.0", "Via: SIP/2.0/UDP \(address.hostPort);branch=\(branch);rport"]
        lines += routes.map { "Route: \($0)" }
        lines += ["Max-Forwards: 70", "From: <sip:c@\(address.hostPort)>;tag=c\(number)", "To: \(to)"]
        lines += ["Call-ID: sim-\(number)", "CSeq: \(cSeq) \(method)", "Contact: <sip:c@\(address.hostPort)>"]
        lines += ["Content-Length: \(body.utf8.count)", "", body]
        return Array(lines.joined(separator: "\r\n").utf8)
    }
}
