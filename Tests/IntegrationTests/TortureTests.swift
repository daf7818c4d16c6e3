import Fixtures
import Foundation
import Testing

/// The messages of RFC 4475 and RFC 5118 and what the table beside them says of each.
struct TortureRow: Sendable, CustomTestStringConvertible {
    let file: String
    let isRequest: Bool
    let isOverStream: Bool
    let replyPort: UInt16
    /// The outcomes that are allowed, by role.
    let outcomes: [TortureRole: [String]]

    var testDescription: String { file }
    var message: RawMessage { RawMessage(TortureFolder.bytes(of: file) ?? []) }

    static let all = TortureFolder.rows(of: "expected.tsv").map { columns in
        TortureRow(
            file: columns[0], isRequest: columns[3] == "request", isOverStream: ["TCP", "TLS"].contains(columns[4]),
            replyPort: UInt16(columns[5]) ?? 0,
            outcomes: [
                .proxy: columns[8].components(separatedBy: "|"), .redirect: columns[9].components(separatedBy: "|"),
            ])
    }
    static let replyPorts = Set(all.map(\.replyPort))

    /// Whether an outcome (`forwarded`, `drop`, a status code) is one of those. `process` is a well-formed message's:
    /// forwarded, or answered by routing policy with a code that does not call it malformed or unsupported.
    func allows(_ outcome: String, as role: TortureRole) -> Bool {
        let allowed = outcomes[role] ?? []
        if allowed.contains(outcome) { return true }
        guard allowed.contains("process") else { return false }
        return outcome != "drop" && !["400", "416", "420", "501", "505"].contains(outcome)
    }
}

enum TortureRole: String, Sendable, CaseIterable { case proxy, redirect }

extension IntegrationTests {
    /// Every row of the torture table over the socket, in both roles.
    @Suite(
        .serialized, .enabled(if: TortureFolder.path != nil, "the folder sip-torture is not there"),
        .enabled(
            if: TortureRow.replyPorts.allSatisfy(TortureBench.isFree),
            "a port that the messages name is taken on \(TortureBench.sender)"))
    struct TortureTests {
        @Test(arguments: TortureRow.all.filter { !$0.isOverStream }, TortureRole.allCases)
        func `a torture message has the outcome that the table allows, and nothing in it is lost`(
            row: TortureRow, role: TortureRole
        ) throws {
            try TandemProcess.serving { tandem in
                let port = role == .proxy ? tandem.proxyPort : tandem.redirectPort
                let bench = try TortureBench(tandem, port: port, replyPort: row.replyPort)
                let message = row.message
                try bench.exchange(message)
                let answers = bench.arrived.filter { $0.callID == message.callID && $0.status >= 200 }
                let outcome = bench.forwarded.isEmpty ? answers.first.map { "\($0.status)" } ?? "drop" : "forwarded"
                #expect(row.allows(outcome, as: role), "\(outcome), allowed: \(row.outcomes[role] ?? [])")
                #expect(answers.count <= 1)
                let isWellFormed = !["400", "505", "drop"].contains(outcome)
                if isWellFormed { expectWhole(bench, message, answers, role: role) }
                if outcome == "drop" {
                    #expect(bench.arrived.isEmpty)
                    #expect(try tandem.metric("tandem_datagrams_dropped_total", reaches: 1))
                    #expect(try tandem.metric("tandem_udp_datagrams_dropped_total", label: "send-error") == 0)
                }
                // Whatever came of it, a copy makes no second request (for those without a branch: RFC 2543).
                try bench.exchange(message)
                #expect(bench.forwarded.count == (outcome == "forwarded" ? 1 : 0))
                #expect(try tandem.get("/livez").status == 200)
            }
        }

        /// The rows whose top Via names a stream: `longreq`, `scalar02`, `unkscm`, `regaut01`.
        @Test(
            .enabled(if: takesStreams, "this build listens to no streams: longreq, scalar02, unkscm, regaut01"),
            arguments: TortureRow.all.filter(\.isOverStream), TortureRole.allCases)
        func `over TCP too a torture message has its outcome, and nothing in it is lost`(
            row: TortureRow, role: TortureRole
        ) throws {
            try TandemProcess.serving(["--proxy", "tcp:127.0.0.1:0", "--redirect", "tcp:127.0.0.1:0"]) { tandem in
                let ports = role == .proxy ? tandem.proxyPorts : tandem.redirectPorts
                let (port, streamPort) = (try #require(ports.first), try #require(ports.dropFirst().first))
                let bench = try TortureBench(tandem, port: port, replyPort: row.replyPort)
                let message = row.message
                try bench.exchange(message, overStreamTo: streamPort)
                let answers = bench.arrived.filter { $0.callID == message.callID && $0.status >= 200 }
                let outcome = bench.forwarded.isEmpty ? answers.first.map { "\($0.status)" } ?? "drop" : "forwarded"
                #expect(row.allows(outcome, as: role), "\(outcome), allowed: \(row.outcomes[role] ?? [])")
                if !["400", "416"].contains(outcome) {
                    expectWhole(bench, message, answers, role: role, ingressPort: streamPort)
                }
            }
        }

        /// True when the binary takes a `tcp:` address.
        private static let takesStreams: Bool = {
            do {
                let words = ["serve", "--proxy", "tcp:127.0.0.1:0", "--database", "/nowhere/at/all.db"]
                return try !ChildProcess.run(try TandemProcess.binary(), words).output.contains("not built yet")
            } catch {
                return false
            }
        }()

        /// Its To tag says that it is within a dialog, which it is not: without it, it is routed and seen whole.
        @Test func `the tortuous INVITE, made the first of its dialog, is forwarded with all its oddities`() throws {
            let text = String(decoding: TortureFolder.bytes(of: "rfc4475/wsinv.dat") ?? [], as: UTF8.self)
            let message = RawMessage(text.replacingOccurrences(of: " ;   tag    = 1918181833n", with: ""))
            try #require(message.value("to")?.contains("tag") == false)
            try TandemProcess.serving { tandem in
                let bench = try TortureBench(tandem, port: tandem.proxyPort, replyPort: 5060)
                try bench.exchange(message)
                let answers = bench.arrived.filter { $0.status >= 200 }
                expectWhole(bench, message, answers, role: .proxy)
                #expect(bench.forwarded.first?.value("max-forwards") == "67")
                #expect(answers.first?.values("via").count == 3)
            }
        }

        /// A well-formed message as the gateway or the sender sees it.
        private func expectWhole(
            _ bench: TortureBench, _ message: RawMessage, _ answers: [RawMessage], role: TortureRole,
            ingressPort: UInt16? = nil
        ) {
            #expect(answers.count == 1, "a request is answered once")
            #expect(answers.first.map { Forwarding.faults($0, to: message) } == [])
            let user = message.requestURI.drop { $0 != ":" }.dropFirst()
            let userPart = user.contains("@") ? "\(user.prefix { $0 != "@" })@" : ""
            let target = "sip:\(userPart)127.0.0.1:\(bench.gateway.port)"
            if role == .redirect, let answer = answers.first, answer.status / 100 == 3 {
                #expect(answer.values("contact") == ["<\(target)>;q=1.0;tandem-gateway=gateway"])
            }
            guard let request = bench.forwarded.first else { return }
            #expect(role == .proxy)
            let routing = Forwarding(
                proxyPort: bench.port, ingressPort: ingressPort, source: TortureBench.sender, requestURI: target,
                recordRouteCount: message.method != "INVITE" ? 0 : ingressPort == nil ? 1 : 2,
                routes: request.values("route"))
            #expect(routing.faults(request, of: message) == [])
            #expect([[], message.values("route")].contains(request.values("route")))
        }
    }
}
