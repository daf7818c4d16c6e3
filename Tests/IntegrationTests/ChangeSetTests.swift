import Foundation
import Glibc
import Synchronization
import Testing

extension IntegrationTests {
    /// Change sets that break calls, and how calls come back (API section 4); and many clients at one object.
    @Suite(.serialized) struct ChangeSetTests {
        /// What calls to London get from the redirect server.
        private func call(_ tandem: TandemProcess, _ caller: UDPPeer) throws -> Int {
            let call = SIPCall(caller, to: tandem.redirectPort)
            call.send(call.request("INVITE"))
            let response = try call.receiveFinal()
            call.acknowledge(response)
            return Int(response.split(separator: " ").dropFirst().first ?? "") ?? 0
        }

        private func post(_ tandem: TandemProcess, _ path: String, _ body: String = "{}") throws -> CurlAnswer {
            try Curl.ask("http://\(tandem.api)/v1/\(path)", ["-X", "POST", "-d", body])
        }

        /// A change set after which every call to a number that begins with 44 is refused with 603.
        private func breakPrefix(_ tandem: TandemProcess, confirmWithin seconds: Int?) throws -> Int {
            let body =
                #"""
                {"comment":"breaks 44","confirm_within_s":\#(seconds.map { "\($0)" } ?? "null"),"operations":[
                {"op":"put","path":"routing-plans/default/routes/44","value":{"reject":{"status":603}}},
                {"op":"put","path":"gateway-groups/both","value":{"members":[]}},
                {"op":"delete","path":"gateways/gw2"}]}
                """#
            let answer = try post(tandem, "changes", body)
            guard answer.status == 200, let revision = try answer.document["revision"].integer else {
                throw HarnessError("\(answer.status) \(answer.body)")
            }
            return revision
        }

        @Test(arguments: [false, true])
        func `kill -9 while a change that breaks a prefix waits for its confirmation: calls come back by themselves`(
            isPast: Bool
        ) throws {
            try TandemProcess.serving { tandem in
                let caller = try UDPPeer()
                try tandem.provisionTwoGateways(ports: (5080, 5081))
                let before = try tandem.get("/v1/lookup?number=442071234567").document["targets"]
                #expect(try call(tandem, caller) == 300)
                let revision = try breakPrefix(tandem, confirmWithin: isPast ? 1 : 3)
                #expect(try call(tandem, caller) == 603)
                let listed = try tandem.get("/v1/revisions?limit=1").document["items"][0]["confirmation"]
                #expect(listed["state"].string == "pending" && listed["confirm_by"].string != nil)
                tandem.process.signal(SIGKILL)
                #expect(try tandem.process.waitForEnd(seconds: 5) == .signal(SIGKILL))
                if isPast { usleep(1_500_000) }

                try tandem.restart()
                #expect(try eventually(within: 30) { try call(tandem, caller) == 300 })
                #expect(try tandem.get("/v1/lookup?number=442071234567").document["targets"] == before)
                let told = try tandem.get("/v1/revisions/\(revision)").document["confirmation"]
                #expect(told["state"].string == "gone-back" && told["settled_by"].string == "tandem")
                let back = try #require(told["settled_revision"].integer)
                let event = try tandem.get("/v1/events?types=routing.changed&limit=1000").document["items"].elements
                    .last { $0["data"]["revision"].integer == back }
                #expect(event?["data"]["takes_back"].integer == revision)
                #expect(try post(tandem, "revisions/\(revision)/confirm").status == 409)
            }
        }

        @Test func `diff shows what broke a prefix, restore brings its calls back, and a confirmed change stays`()
            throws
        {
            try TandemProcess.serving { tandem in
                let caller = try UDPPeer()
                try tandem.provisionTwoGateways(ports: (5080, 5081))
                let good = try #require(try tandem.get("/livez").revision)
                let revision = try breakPrefix(tandem, confirmWithin: 600)
                #expect(try call(tandem, caller) == 603)
                #expect(try post(tandem, "revisions/\(revision)/confirm").status == 200)
                let differences = try tandem.get("/v1/revisions/\(good)/diff").document["items"].elements
                let route = differences.first { $0["path"].string == "routing-plans/default/routes/44" }
                #expect(route?["before"]["routing_list"].string == "all")
                #expect(route?["after"]["reject"]["status"].integer == 603)
                #expect(differences.count == 3)
                let restored = try post(tandem, "revisions/\(good)/restore", #"{"comment":"calls fail"}"#)
                #expect(restored.status == 200, "\(restored.body)")
                #expect(try call(tandem, caller) == 300)
                #expect(try tandem.get("/v1/revisions/\(good)/diff").document["items"].elements.isEmpty)
            }
        }

        /// What eight clients have been told: the value of each write that was acknowledged.
        private final class Acknowledged: Sendable {
            let values = Mutex<[Int]>([])
            let staleCount = Atomic(0)
        }

        /// Reads the counter, and writes one more on condition that nobody else did, so many times with success.
        private func count(to limit: Int, port: UInt16, noting acknowledged: Acknowledged) throws {
            let connection = try HTTPConnection(port: port)
            var written = 0
            while written < limit {
                let read = try connection.ask("GET", "/v1/gateways/counter")
                guard let etag = read.headers["etag"], let value = try read.document["resends"].integer else {
                    throw HarnessError("no counter: \(read.body)")
                }
                let next = try read.document["description"].string.flatMap { Int($0) }.map { $0 + 1 } ?? 1
                let body = #"{"uri":"sip:192.0.2.10","resends":\#(value),"description":"\#(next)"}"#
                let answer = try connection.ask("PUT", "/v1/gateways/counter", body, headers: ["If-Match: \(etag)"])
                switch answer.status {
                case 200:
                    acknowledged.values.withLock { $0.append(next) }
                    written += 1
                case 412: acknowledged.staleCount.wrappingAdd(1, ordering: .relaxed)
                default: throw HarnessError("\(answer.status) \(answer.body)")
                }
            }
        }

        @Test
        func `8 clients with If-Match at one object: each acknowledged write is in the history once, none is lost`()
            throws
        {
            try TandemProcess.serving { tandem in
                try tandem.provision("gateways/counter", #"{"uri":"sip:192.0.2.10","resends":1,"description":"0"}"#)
                let first = try #require(try tandem.get("/livez").revision)
                let acknowledged = Acknowledged()
                let (clients, writes) = (8, 25)
                let finished = DispatchSemaphore(value: 0)
                let failures = Mutex<[String]>([])
                let port = tandem.apiPort
                for _ in 0..<clients {
                    Thread {
                        defer { finished.signal() }
                        do { try count(to: writes, port: port, noting: acknowledged) } catch {
                            failures.withLock { $0.append("\(error)") }
                        }
                    }.start()
                }
                for _ in 0..<clients { #expect(finished.wait(timeout: .now() + 120) == .success) }
                #expect(failures.withLock { $0 }.isEmpty, "\(failures.withLock { $0 })")
                let total = clients * writes
                #expect(
                    acknowledged.values.withLock { $0.sorted() } == Array(1...total), "no value twice, none left out")
                let counter = try tandem.get("/v1/gateways/counter")
                #expect(try counter.document["description"].string == "\(total)")

                var revisions: [Int] = []
                var path: String? = "/v1/revisions?limit=100"
                let connection = try HTTPConnection(port: tandem.apiPort)
                while let target = path {
                    let page = try connection.ask("GET", target).document
                    revisions += page["items"].elements.compactMap { $0["revision"].integer }
                    path = page["next"].string
                }
                #expect(revisions == Array((1...(first + total)).reversed()), "without a gap")
                for revision in first + 1...first + total {
                    let operations = try connection.ask("GET", "/v1/revisions/\(revision)").document["operations"]
                    #expect(operations.elements.count == 1)
                    #expect(operations[0]["before"]["description"].string == "\(revision - first - 1)")
                    #expect(operations[0]["after"]["description"].string == "\(revision - first)")
                }
            }
        }
    }
}
