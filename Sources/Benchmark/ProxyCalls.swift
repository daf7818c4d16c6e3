import Addressing
import Routing
import SignallingCore

/// INVITE, 100, maybe 180, 200, ACK, BYE, 200, with Record-Route, through the first gateway.
struct ProxyCalls: BenchedCalls {
    private static let listener = ListenerNumber(0)

    private(set) var failedCount = 0
    private var call: BenchedCall
    private let isRinging: Bool
    private var invite = CallersMessages.invite(to: RoutingScenery.proxy)
    private var ringing = Self.answer("180 Ringing", end: CallersMessages.bareEnd)
    private var answer = Self.answer("200 OK", end: CallersMessages.describedEnd)
    private var acknowledgement = CallersMessages.withinDialog("ACK", cSeq: 1, branch: "a")
    private var hangingUp = CallersMessages.withinDialog("BYE", cSeq: 2, branch: "b")
    private var hungUp = MessageRecipe([
        .text("SIP/2.0 200 OK\r\n"), .fields("Via"), .fields("From"), .fields("To"), .fields("Call-ID"),
        .fields("CSeq"), .text(CallersMessages.bareEnd),
    ])

    init(numbers: [UInt8], isRinging: Bool) { (call, self.isRinging) = (BenchedCall(numbers: numbers), isRinging) }

    /// The gateway's response to the INVITE at hand.
    private static func answer(_ status: String, end: String) -> MessageRecipe {
        MessageRecipe([
            .text("SIP/2.0 \(status)\r\n"), .fields("Via"), .fields("Record-Route"), .fields("From"),
            .text("To: "), .value("To"), .text(";tag=g!!!!!!!!\r\n"), .fields("Call-ID"), .fields("CSeq"),
            .text("Contact: <sip:gw@10.2.0.1:5060>\r\nServer: bench\r\n" + end),
        ])
    }

    mutating func place(isWhole: Bool, in worker: inout BenchedWorker, _ snapshot: borrowing PinnedSnapshot) {
        call.next()
        if !put(isWhole, worker: &worker, snapshot) { failedCount += 1 }
    }

    private mutating func put(
        _ isWhole: Bool, worker: inout BenchedWorker, _ snapshot: borrowing PinnedSnapshot
    ) -> Bool {
        let (caller, gateway) = (RoutingScenery.caller, RoutingScenery.gateway)
        invite.fill(call)
        worker.receive(invite.bytes.span, from: caller, on: Self.listener, snapshot)
        guard worker.hasSent(2, to: gateway) else { return false }  // 100, INVITE
        worker.answer(&answer, call)
        if isRinging || !isWhole {
            worker.answer(&ringing, call)
            worker.receive(ringing.bytes.span, from: gateway, on: Self.listener, snapshot)
            guard worker.hasSent(1, to: caller) else { return false }
        }
        guard isWhole else { return true }
        worker.receive(answer.bytes.span, from: gateway, on: Self.listener, snapshot)
        guard worker.hasSent("SIP/2.0 200", to: caller) else { return false }
        worker.answer(&acknowledgement, call)
        worker.answer(&hangingUp, call)
        worker.receive(acknowledgement.bytes.span, from: caller, on: Self.listener, snapshot)
        guard worker.hasSent("ACK", to: gateway) else { return false }
        worker.receive(hangingUp.bytes.span, from: caller, on: Self.listener, snapshot)
        guard worker.hasSent("BYE", to: gateway) else { return false }
        worker.answer(&hungUp, call)
        worker.receive(hungUp.bytes.span, from: gateway, on: Self.listener, snapshot)
        return worker.hasSent("SIP/2.0 200", to: caller)
    }
}
