import Addressing
import Routing
import SignallingCore

/// INVITE, 300, ACK.
struct RedirectCalls: BenchedCalls {
    private static let listener = ListenerNumber(1)

    private(set) var failedCount = 0
    private var call: BenchedCall
    private var invite = CallersMessages.invite(to: RoutingScenery.redirect)
    /// Hop by hop: the branch of the INVITE (§17.1.1.3).
    private var acknowledgement = MessageRecipe([
        .text(
            "ACK sip:+############@\(RoutingScenery.redirect.hostPort) SIP/2.0\r\n"
                + "Via: SIP/2.0/UDP 10.1.0.1:5060;branch=z9hG4bKc!!!!!!!!i;rport\r\nMax-Forwards: 70\r\n"),
        .fields("From"), .fields("To"), .fields("Call-ID"),
        .text("CSeq: 1 ACK\r\n" + CallersMessages.bareEnd),
    ])

    init(numbers: [UInt8]) { call = BenchedCall(numbers: numbers) }

    mutating func place(isWhole: Bool, in worker: inout BenchedWorker, _ snapshot: borrowing PinnedSnapshot) {
        call.next()
        invite.fill(call)
        worker.receive(invite.bytes.span, from: RoutingScenery.caller, on: Self.listener, snapshot)
        guard worker.hasSent(1, to: RoutingScenery.caller), worker.hasSent("SIP/2.0 30", to: RoutingScenery.caller)
        else {
            failedCount += 1
            return
        }
        guard isWhole else { return }
        worker.answer(&acknowledgement, call)
        worker.receive(acknowledgement.bytes.span, from: RoutingScenery.caller, on: Self.listener, snapshot)
    }
}
