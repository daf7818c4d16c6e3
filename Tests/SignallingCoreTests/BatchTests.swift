import Fixtures
import SignallingCore
import Simulation
import Testing

/// Datagrams that come together are read one ahead: nothing else may come of them than of each by itself.
@Suite struct BatchTests {
    @Test(arguments: [Bench.proxy, Bench.redirect], 1...20 as ClosedRange<UInt64>)
    func `a batch is answered as its datagrams are one by one`(listener: ListenerNumber, seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        var (single, batched) = (try Bench(), try Bench())
        let messages = Self.messages(of: single)
        for _ in 0..<20 {
            let batch = (0..<Int.random(in: 1...9, using: &generator)).map { _ in
                messages[Int.random(in: 0..<messages.count, using: &generator)]
            }
            for message in batch { single.receive(message, from: single.caller, on: listener) }
            batched.receive(batch: batch, from: batched.caller, on: listener)
            let (expected, found) = (single.look(), batched.look())
            #expect(found.map(\.lines) == expected.map(\.lines), "seed \(seed): \(batch)")
            #expect(found.map(\.to) == expected.map(\.to), "seed \(seed)")
            let wait = Duration.milliseconds(Int.random(in: 0...900, using: &generator))
            single.advance(wait)
            batched.advance(wait)
        }
        #expect(batched.worker.counters.invitesReceived == single.worker.counters.invitesReceived)
        #expect(batched.worker.counters.malformedAnswered == single.worker.counters.malformedAnswered)
        #expect(batched.worker.counters.malformedDropped == single.worker.counters.malformedDropped)
        #expect(single.worker.counters.invitesReceived > 0 && single.worker.counters.malformedAnswered > 0)
    }

    /// Calls and what belongs to them, a request to us, a stray response, what is broken and what is nothing.
    private static func messages(of bench: Bench) -> [String] {
        let calls = (1...4).flatMap { number in
            ["INVITE", "ACK", "CANCEL", "BYE"].map { method in
                bench.request(
                    method, uri: number == 4 ? "sip:33@10.0.0.1" : "sip:+44207\(number)@10.0.0.1",
                    branch: "z9hG4bKcall\(number)", toTag: method == "ACK" ? "any" : nil,
                    callID: "call-\(number)@10.1.0.1")
            }
        }
        let invite = bench.request("INVITE", branch: "z9hG4bKbroken", callID: "broken@10.1.0.1")
        return calls + [
            bench.request("OPTIONS", uri: "sip:10.0.0.1", branch: "z9hG4bKoptions"),
            "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 10.9.9.9;branch=z9hG4bKno\r\nCSeq: 1 INVITE\r\n\r\n",
            invite.replacing("CSeq: 1 INVITE", with: "CSeq: x INVITE"),
            invite.replacing("Call-ID: broken@10.1.0.1\r\n", with: ""), String(invite.prefix(90)), "\r\n\r\n", "",
        ]
    }
}
