import Foundation
import Glibc
import Synchronization
import Testing

extension IntegrationTests {
    /// What was acknowledged is kept.
    @Suite(.serialized) struct DurabilityTests {
        /// What one writer has been told: its newest count and the objects that it made.
        private final class Acknowledged: Sendable {
            let newest: Mutex<[Int]>
            let all = Atomic(0)
            init(writers: Int) { newest = Mutex(Array(repeating: -1, count: writers)) }
        }

        /// Two changes a round, as fast as they are taken but no faster than the given rate, until the server is gone.
        private func write(_ writer: Int, port: UInt16, perSecond: Int, noting acknowledged: Acknowledged) {
            do {
                let connection = try HTTPConnection(port: port)
                for count in 0..<10_000 {
                    let body = #"{"uri":"sip:192.0.2.10","description":"\#(count)"}"#
                    for path in ["counter-\(writer)", "made-\(writer)-\(count)"] {
                        let answer = try connection.ask("PUT", "/v1/gateways/\(path)", body)
                        guard answer.status == 200 || answer.status == 201 else { return }
                    }
                    acknowledged.newest.withLock { $0[writer] = count }
                    acknowledged.all.wrappingAdd(2, ordering: .relaxed)
                    usleep(useconds_t(2_000_000 / perSecond))
                }
            } catch {
                // The connection broke: the server was killed, which is what this test is about.
                return
            }
        }

        @Test func `kill -9 amid 200 writes a second: every acknowledged write is there after the restart`() throws {
            try TandemProcess.serving { tandem in
                let writers = 4
                let acknowledged = Acknowledged(writers: writers)
                let finished = DispatchSemaphore(value: 0)
                let port = tandem.apiPort
                for writer in 0..<writers {
                    Thread {
                        defer { finished.signal() }
                        write(writer, port: port, perSecond: 60, noting: acknowledged)
                    }.start()
                }
                #expect(eventually(within: 30) { acknowledged.all.load(ordering: .relaxed) >= 400 })
                tandem.process.signal(SIGKILL)
                for _ in 0..<writers { #expect(finished.wait(timeout: .now() + 20) == .success) }
                #expect(try tandem.process.waitForEnd(seconds: 5) == .signal(SIGKILL))

                try tandem.restart()
                let newest = acknowledged.newest.withLock { $0 }
                #expect(newest.allSatisfy { $0 > 0 }, "\(newest)")
                let connection = try HTTPConnection(port: tandem.apiPort)
                var missing: [String] = []
                for (writer, last) in newest.enumerated() {
                    let counter = try connection.ask("GET", "/v1/gateways/counter-\(writer)").document
                    let kept = counter["description"].string.flatMap { Int($0) } ?? -1
                    if !(last...last + 1).contains(kept) { missing.append("counter-\(writer): \(kept), not \(last)") }
                    for count in 0...max(last, 0) {
                        let answer = try connection.ask("GET", "/v1/gateways/made-\(writer)-\(count)")
                        if answer.status != 200 { missing.append("made-\(writer)-\(count): \(answer.status)") }
                    }
                }
                #expect(missing.isEmpty, "\(missing)")
                let revision = try tandem.get("/v1/status").revision ?? 0
                #expect(revision >= acknowledged.all.load(ordering: .relaxed))
                #expect(try tandem.put("gateways/after", #"{"uri":"sip:192.0.2.10"}"#).status == 201)
            }
        }

        @Test func `routing data and events go on where they were after a restart`() throws {
            try TandemProcess.serving { tandem in
                try tandem.provisionTwoGateways(ports: (5080, 5081))
                let before = try tandem.get("/v1/lookup?number=442071234567")
                let events = try tandem.get("/v1/events?after=0&limit=1000").document["items"].elements
                tandem.process.signal(SIGTERM)
                #expect(try tandem.process.waitForEnd(seconds: 20) == .exit(0))
                try tandem.restart()
                let after = try tandem.get("/v1/lookup?number=442071234567")
                #expect(try after.document["targets"] == before.document["targets"])
                #expect(after.revision == before.revision)
                let all = try tandem.get("/v1/events?after=0&limit=1000").document["items"].elements
                #expect(Array(all.prefix(events.count)) == events)
                #expect(all.map { $0["id"].string } == (1...max(all.count, 1)).map { "\($0)" })
            }
        }
    }
}
