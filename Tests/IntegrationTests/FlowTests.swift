import Fixtures
import Foundation
import Testing

/// One row of the table "message into a proxy, message out of that proxy".
struct FlowPair: Sendable, CustomTestStringConvertible {
    let inFile: String
    let isRequest: Bool
    let viaCount: Int
    let maxForwards: Int?
    let recordRouteCount: Int

    var testDescription: String { inFile }

    static let all = TortureFolder.rows(of: "flows/rfc3665/proxy-pairs.tsv").map { columns in
        FlowPair(
            inFile: columns[0], isRequest: columns[3] == "request", viaCount: Int(columns[7]) ?? 0,
            maxForwards: Int(columns[9]),
            // The proxy of these two does not record its route; ours always does.
            recordRouteCount: (Int(columns[11]) ?? 0) + (["3.5-F2.sip", "3.7-F1.sip"].contains(columns[0]) ? 1 : 0))
    }
}

extension IntegrationTests {
    /// RFC 3665's messages through the proxy, one by one.
    @Suite(
        .serialized, .enabled(if: TortureFolder.path != nil, "the folder sip-torture is not there"),
        .enabled(if: TortureBench.isFree(5060), "port 5060 is taken on \(TortureBench.sender)"))
    struct FlowTests {
        @Test(arguments: FlowPair.all)
        func `what comes out differs from what went in as the table says, and in nothing else`(pair: FlowPair) throws {
            let message = try #require(Flow.message(pair.inFile))
            try TandemProcess.serving { tandem in
                let bench = try TortureBench(tandem, port: tandem.proxyPort, replyPort: 5060)
                let out = try pair.isRequest ? passRequest(message, bench) : passResponse(message, bench)
                #expect(out.values("via").count == pair.viaCount)
                #expect(out.value("max-forwards").flatMap { Int($0) } == pair.maxForwards)
                #expect(out.values("record-route").count == pair.recordRouteCount)
            }
        }

        private func passRequest(_ message: RawMessage, _ bench: TortureBench) throws -> RawMessage {
            let gateway = Flow.FarSide(hostPort: "127.0.0.1:\(bench.gateway.port)")
            var ourRoute = "<sip:127.0.0.1:\(bench.port);lr>"
            let isWithinDialog = message.value("to")?.contains("tag=") == true
            if isWithinDialog {
                try bench.exchange(Flow.opening(of: message))
                ourRoute = try #require(bench.forwarded.first?.values("record-route").first)
            }
            let incoming = Flow.incoming(message, ourRoute: ourRoute, to: gateway)
            bench.forwarded.removeAll()
            try bench.exchange(incoming)
            let out = try #require(bench.forwarded.first)
            let routing = Forwarding(
                proxyPort: bench.port, source: TortureBench.sender,
                requestURI: isWithinDialog ? incoming.requestURI : "sip:bob@\(gateway.hostPort)",
                recordRouteCount: message.method == "INVITE" ? 1 : 0,
                routes: Array(incoming.values("route").dropFirst()))
            #expect(routing.faults(out, of: incoming) == [])
            #expect(bench.forwarded.count == 1)
            return out
        }

        private func passResponse(_ message: RawMessage, _ bench: TortureBench) throws -> RawMessage {
            let request = Flow.request(of: message)
            bench.gatewayStatus = nil
            try bench.exchange(request)
            let forwarded = try #require(bench.forwarded.first)
            bench.sendFromGateway(Flow.incoming(message, to: forwarded))
            try bench.fence()
            let out = try #require(bench.arrived.first { $0.status == message.status })
            #expect(out.bytes == Flow.outgoing(message).bytes)
            if message.status >= 300 {
                bench.send(request.acknowledgement(of: out))
                let ack = try #require(bench.forwarded.last)
                #expect(ack.method == "ACK", "hop by hop, to whoever sent the response (§17.1.1.3)")
                #expect(ack.values("via") == [forwarded.values("via")[0]])
                #expect(ack.value("to") == message.value("to"))
            }
            return out
        }
    }
}
