import Foundation
import Glibc
import Testing

extension IntegrationTests {
    /// What was known of gateways outlives the process, whenever it dies.
    @Suite(.serialized, .enabled(if: Sipp.isInstalled, "sipp is not installed (Debian: sip-tester)"))
    struct StatusDurabilityTests {
        private func records(_ tandem: TandemProcess) throws -> [Document] {
            try tandem.get("/v1/status-records?limit=1000").document["items"].elements.sorted {
                ($0["sequence"].integer ?? 0) < ($1["sequence"].integer ?? 0)
            }
        }

        /// Two silent gateways, one of which comes back each second and falls again, and one that works.
        private func provision(_ tandem: TandemProcess, _ silent: [UDPPeer], _ working: SippGateway) throws {
            #expect(try tandem.patch("settings", #"{"when_network_suspected":"ignore"}"#).status == 200)
            let times = #""response_timeout_ms":100,"resends":0,"probe":{"interval_s":0}"#
            let holds = [#""hold_s":1,"hold_max_s":1"#, #""hold_s":300"#]
            for (number, peer) in silent.enumerated() {
                try tandem.provision(
                    "gateways/gw\(number + 1)", #"{"uri":"sip:127.0.0.1:\#(peer.port)",\#(times),\#(holds[number])}"#)
            }
            try tandem.provision("gateways/gw3", #"{"uri":"sip:127.0.0.1:\#(working.port)",\#(times)}"#)
            try tandem.provision("gateway-groups/all", TandemProcess.group(["gw1", "gw2", "gw3"]))
            try tandem.provision("routing-lists/all", #"{"groups":[{"group":"all"}]}"#)
            try tandem.provision("routing-plans/default/routes/44", #"{"routing_list":"all"}"#)
        }

        @Test func `kill -9 under calls: status and time values as before, no record lost or doubled`() throws {
            try TandemProcess.serving { tandem in
                let silent = [try UDPPeer(), try UDPPeer()]
                let working = try SippGateway(in: tandem.folder)
                defer { working.stop() }
                try provision(tandem, silent, working)
                let calls = try ChildProcess(
                    "sipp",
                    [
                        tandem.proxy, "-sf", Sipp.scenario("caller"), "-i", "127.0.0.1", "-p",
                        "\(try Sipp.freePort())", "-s", "442071234567", "-r", "50", "-nostdin",
                    ], in: tandem.folder, output: "calls")
                defer { calls.stop() }
                for round in 1...2 { try killAndCompare(tandem, round) }
                #expect(try Sipp.call(tandem.proxy, in: tandem.folder, count: 3).ending == .exit(0))
            }
        }

        private func killAndCompare(_ tandem: TandemProcess, _ round: Int) throws {
            let stream = try EventStream(
                tandem, query: "?after=0&types=gateway.status.changed", file: "events-\(round)")
            defer { stream.stop() }
            _ = try stream.wait(for: 1 + 4 * round, seconds: 30)
            let before = try tandem.status(of: "gw2")
            #expect(before["status"].string == "out-of-service")
            tandem.process.signal(SIGKILL)
            #expect(try tandem.process.waitForEnd(seconds: 10) == .signal(SIGKILL))
            let seen = try stream.events.map(\.document)
            #expect(seen.count > 4 * round)
            try tandem.restart(keepingProxyPort: true)
            let after = try tandem.status(of: "gw2")
            for name in ["status", "cause", "time_value", "reporter", "since"] {
                #expect(after[name] == before[name], "\(name): \(after)")
            }
            try expectWhole(tandem, seen: seen)
        }

        /// What a subscriber was told is there, once; and each gateway's records follow from each other.
        private func expectWhole(_ tandem: TandemProcess, seen: [Document]) throws {
            let events = try tandem.get("/v1/events?after=0&types=gateway.status.changed&limit=1000").document["items"]
                .elements
            let records = try self.records(tandem)  // calls go on: there may be more of them by now
            #expect(Array(events.prefix(seen.count)) == seen, "what was told stays as it was told")
            #expect(events.map { $0["data"]["sequence"] } == records.prefix(events.count).map { $0["sequence"] })
            #expect(Set(records.map { $0["sequence"].integer }).count == records.count)
            for gateway in ["gw1", "gw2", "gw3"] {
                var status: String? = "in-service"
                for record in records where record["gateway"].string == gateway {
                    #expect(record["from"].string == status && record["to"].string != status, "\(record)")
                    status = record["to"].string
                }
            }
            #expect(records.filter { $0["gateway"].string == "gw2" }.count == 1)
            #expect(!records.contains { $0["gateway"].string == "gw3" })
        }
    }
}
