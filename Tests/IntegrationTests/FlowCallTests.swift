import Fixtures
import Foundation
import Testing

/// One of RFC 3665's flows with our proxy in the place of one of its proxies.
struct FlowPlay: Sendable, CustomTestStringConvertible {
    let section: String
    let proxy: String
    /// The first step: those before it are a challenge of the proxy's own, which ours does not make.
    let from: Int
    /// The steps in which our proxy takes part; `through` is the last.
    var through = Int.max
    /// Responses of the far side that are not among the messages: after which step, and what.
    var missing: [Int: Int] = [:]

    var testDescription: String { "\(section) as \(proxy)" }

    static let all = [
        FlowPlay(section: "3.2", proxy: "Proxy 1", from: 4), FlowPlay(section: "3.2", proxy: "Proxy 2", from: 5),
        FlowPlay(section: "3.3", proxy: "Proxy 1", from: 4), FlowPlay(section: "3.3", proxy: "Proxy 2", from: 13),
        FlowPlay(section: "3.4", proxy: "Proxy 2", from: 11), FlowPlay(section: "3.5", proxy: "Proxy 2", from: 2),
        FlowPlay(section: "3.6", proxy: "Proxy 3", from: 4),
        FlowPlay(section: "3.7", proxy: "Proxy 2", from: 1, through: 7),  // then without the proxy
        FlowPlay(section: "3.8", proxy: "Proxy 1", from: 1), FlowPlay(section: "3.8", proxy: "Proxy 2", from: 4),
        FlowPlay(section: "3.9", proxy: "Proxy 2", from: 2, missing: [5: 486]),
        FlowPlay(section: "3.10", proxy: "Proxy 1", from: 1), FlowPlay(section: "3.11", proxy: "Proxy 1", from: 1),
        FlowPlay(section: "3.11", proxy: "Proxy 2", from: 2),
    ]

    struct Step {
        let number: Int
        let file: String
        let from: String
        let to: String
        let startLine: String
        let cSeqMethod: String
        var message: RawMessage { RawMessage(TortureFolder.bytes(of: "flows/rfc3665/\(file)") ?? []) }
    }

    /// What comes in and what goes out, in the flow's order.
    var steps: [Step] {
        TortureFolder.rows(of: "flows/rfc3665/flows.tsv").filter { $0[2] == section }.map { columns in
            Step(
                number: Int(columns[4].dropFirst()) ?? 0, file: columns[0],
                from: columns[5].isEmpty ? proxy : columns[5],  // the table leaves one sender out: it is the proxy
                to: columns[6], startLine: columns[7],
                cSeqMethod: columns[8].split(separator: " ").last.map(String.init) ?? "")
        }
        .filter { ($0.from == proxy || $0.to == proxy) && $0.number >= from && $0.number <= through }
    }

    /// Whether somebody stands behind the proxy, seen from the caller.
    func isFarSide(_ name: String) -> Bool { name == "Bob" || (proxy == "Proxy 1" && name == "Proxy 2") }
}

/// The state of one play: both sides of the proxy, and what it has sent to them.
private final class Player {
    let bench: TortureBench
    let play: FlowPlay
    /// The newest request of each method that the proxy sent to either side.
    private var sent: [String: RawMessage] = [:]
    private var ourRoute: String
    private var faults: [String] = []
    /// What was waited for already: copies of it may come again.
    private var seen: Set<[UInt8]> = []

    init(_ bench: TortureBench, _ play: FlowPlay) {
        (self.bench, self.play, ourRoute) = (bench, play, "<sip:127.0.0.1:\(bench.port);lr>")
        bench.gatewayStatus = nil
    }

    func run() throws {
        let steps = play.steps
        if let first = steps.first, !first.message.isRequest || first.from == play.proxy {
            let response = try #require(steps.first { $0.to == play.proxy && !$0.message.isRequest }).message
            bench.send(Flow.request(of: response))
        }
        for step in steps {
            if step.to == play.proxy { try comeIn(step) } else { try goOut(step) }
            if let status = play.missing[step.number] {
                bench.sendFromGateway(try request("INVITE").response(status))
            }
        }
        try finish()
    }

    private func comeIn(_ step: FlowPlay.Step) throws {
        let message = step.message
        let isFromFarSide = play.isFarSide(step.from)
        let ready: RawMessage
        if message.isRequest {
            let hostPort = isFromFarSide ? "\(TortureBench.sender):5060" : "127.0.0.1:\(bench.gateway.port)"
            ready = Flow.incoming(
                message, ourRoute: ourRoute, to: .init(hostPort: hostPort),
                viaPort: isFromFarSide ? bench.gateway.port : nil)
        } else {
            ready = Flow.incoming(message, to: try request(step.cSeqMethod))
        }
        if isFromFarSide { bench.sendFromGateway(ready) } else { bench.send(ready) }
    }

    /// The request that the proxy sent, also where the flow does not show it.
    private func request(_ method: String) throws -> RawMessage {
        if let known = sent[method] { return known }
        return try wait(method, isRequest: true, at: true, cSeqMethod: method)
    }

    private func goOut(_ step: FlowPlay.Step) throws {
        let word = step.startLine.split(separator: " ")[step.message.isRequest ? 0 : 1]
        // A request that had to be waited for out of turn, for a response to it, is here already.
        if step.message.isRequest, sent[String(word)] != nil, step.cSeqMethod == "BYE" { return }
        _ = try wait(
            String(word), isRequest: step.message.isRequest, at: play.isFarSide(step.to), cSeqMethod: step.cSeqMethod)
    }

    private func wait(_ word: String, isRequest: Bool, at isFarSide: Bool, cSeqMethod: String) throws -> RawMessage {
        func fits(_ message: RawMessage) -> Bool {
            message.isRequest == isRequest && (isRequest ? message.method : "\(message.status)") == word
                && message.value("cseq")?.hasSuffix(cSeqMethod) == true && !seen.contains(message.bytes)
        }
        var found: RawMessage?
        let isThere = eventually(within: 10) {
            bench.takeArrivals()
            found = (isFarSide ? bench.forwarded : bench.arrived).first(where: fits)
            return found != nil
        }
        guard isThere, let found else {
            let side = (isFarSide ? bench.forwarded : bench.arrived).map(\.startLine)
            throw HarnessError("\(word) (\(cSeqMethod)) did not come; what came to that side: \(side)")
        }
        seen.insert(found.bytes)
        if isRequest { sent[word] = found }
        if word == "INVITE" { ourRoute = found.values("record-route").first ?? ourRoute }
        return found
    }

    /// Nothing else came than what the flow shows, but for copies, 100s, and an ACK or a final response of a step that
    /// is not among the messages.
    private func finish() throws {
        try bench.fence()
        let shown = Set(play.steps.filter { $0.from == play.proxy }.map { $0.cSeqMethod })
        for message in bench.forwarded + bench.arrived where !seen.contains(message.bytes) && message.status != 100 {
            let method = message.value("cseq")?.split(separator: " ").last.map(String.init) ?? ""
            #expect(shown.contains(method), "\(message.startLine) (\(method))")
        }
        #expect(try bench.tandem.status(of: "gateway")["status"].string == "in-service")
        let isIdle = try eventually(within: 10) { try bench.tandem.metric("tandem_active_calls") == 0 }
        #expect(isIdle, "a call is still looking or ringing")
    }
}

extension IntegrationTests {
    /// RFC 3665's flows through the proxy, from their first message to their last.
    @Suite(
        .serialized, .enabled(if: TortureFolder.path != nil, "the folder sip-torture is not there"),
        .enabled(if: TortureBench.isFree(5060), "port 5060 is taken on \(TortureBench.sender)"))
    struct FlowCallTests {
        @Test(arguments: FlowPlay.all) func `a flow goes through the proxy to its end`(play: FlowPlay) throws {
            try TandemProcess.serving { tandem in
                try Player(try TortureBench(tandem, port: tandem.proxyPort, replyPort: 5060), play).run()
            }
        }

        @Test func `a caller is redirected, and his ACK ends it (3.6)`() throws {
            let invite = try #require(Flow.message("3.6-F1.sip"))
            let ack = try #require(Flow.message("3.6-F3.sip"))
            try TandemProcess.serving { tandem in
                let bench = try TortureBench(tandem, port: tandem.redirectPort, replyPort: 5060)
                bench.send(invite)
                try bench.fence()
                let answer = try #require(bench.arrived.first)
                #expect(answer.status == 302)
                #expect(Forwarding.faults(answer, to: invite) == [])
                #expect(
                    answer.values("contact") == [
                        "<sip:bob@127.0.0.1:\(bench.gateway.port)>;q=1.0;tandem-gateway=gateway"
                    ])
                bench.send(ack)
                try bench.fence()
                #expect(bench.forwarded.isEmpty)
                let isIdle = try eventually(within: 10) {
                    // What is left waits for copies: the ACK has ended the resending (Timer G).
                    bench.takeArrivals()
                    return try tandem.metric("tandem_requests_received_total", label: "ACK") == 1
                }
                #expect(isIdle)
                #expect(bench.arrived.filter { $0.bytes == answer.bytes }.count <= 2)
            }
        }
    }
}
