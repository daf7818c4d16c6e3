import Addressing
import Routing
import SignallingCore
import Simulation
import Testing
import Time

/// Damaged copies of everything that a call consists of, from everywhere, in any order: nothing traps, everything ends.
@Suite struct NoiseTests {
    static func damaged(_ text: String, _ state: inout UInt64) -> [UInt8] {
        var bytes = Array(text.utf8)
        func below(_ limit: Int) -> Int { limit < 1 ? 0 : Int(SplitMix64.next(after: &state) % UInt64(limit)) }
        for _ in 0..<max(0, below(6) - 2) where bytes.count > 1 {
            let index = below(bytes.count)
            switch below(4) {
            case 0: bytes[index] = UInt8(truncatingIfNeeded: below(256))
            case 1: bytes[index] = Array("\r\n;,<>\":@= 0".utf8)[below(12)]
            case 2: bytes.removeSubrange(index..<min(bytes.count, index + 1 + below(30)))
            default: bytes.insert(contentsOf: Array(bytes[index...].prefix(1 + below(30))), at: below(bytes.count))
            }
        }
        return bytes
    }

    @Test(arguments: 1...12 as ClosedRange<UInt64>)
    func `damaged requests and responses never trap, and nothing of them is left (seeded)`(seed: UInt64) throws {
        var state = seed
        func below(_ limit: Int) -> Int { Int(SplitMix64.next(after: &state) % UInt64(limit)) }
        var bench = try Bench(gateways: 3, timing: GatewayTiming(holdSeconds: 1), isProbing: true)
        let gateways = try (1...3).map { try bench.gateway($0) }
        var requests: [Sent] = []
        for round in 0..<400 {
            let number = below(10) + round / 10
            let (branch, callID) = ("z9hG4bKn\(number)", "noise-\(number)")
            let texts = [
                bench.request("INVITE", branch: branch, callID: callID, body: "v=0"),
                bench.request("CANCEL", branch: branch, callID: callID),
                bench.request("ACK", branch: branch, toTag: "to1", callID: callID),
                bench.request("MESSAGE", branch: branch + "m", callID: callID),
                bench.request(
                    "BYE", branch: "z9hG4bKb\(round)", toTag: "to1", cSeq: 2, callID: callID,
                    extra: (requests.last { !$0.all("Record-Route").isEmpty }?.all("Record-Route") ?? []).map {
                        "Route: \($0)"
                    }),
            ]
            if below(2) == 0, let request = requests.randomElement(of: below(1 << 20)) {
                let status = [100, 180, 200, 200, 302, 404, 486, 500, 503, 603][below(10)]
                let response = bench.response(
                    status, to: request, extra: status == 503 ? ["Retry-After: \(below(30))"] : [])
                bench.receive(Self.damaged(response, &state), from: request.to)
            } else {
                let sources = [bench.caller, bench.caller, bench.caller, bench.stranger, gateways[below(3)]]
                bench.receive(
                    Self.damaged(texts[below(texts.count)], &state), from: sources[below(5)],
                    on: below(4) == 0 ? Bench.redirect : Bench.proxy)
            }
            if below(20) == 0 { bench.transportFailed(to: gateways[below(3)]) }
            bench.advance(.milliseconds(Int64(below(900))))
            requests += bench.look().filter { gateways.contains($0.to) }
            if requests.count > 30 { requests.removeFirst(requests.count - 30) }
        }
        #expect(bench.worker.counters.attempts > 20, "seed \(seed)")
        bench.worker.beginDraining()
        bench.advance(.seconds(1500))
        #expect(bench.worker.liveCount == 0, "seed \(seed)")
        #expect(bench.worker.clientCount == 0, "seed \(seed)")
        #expect(bench.worker.callCount == 0, "seed \(seed)")
        for (before, after) in zip(bench.transitions, bench.transitions.dropFirst()) {
            #expect(before.at <= after.at)
        }
    }
}

extension Array {
    /// The element at a number that wraps round.
    func randomElement(of number: Int) -> Element? { isEmpty ? nil : self[number % count] }
}
