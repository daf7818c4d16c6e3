import Addressing
import Routing
import SignallingCore
import Simulation
import Testing
import Time

/// Three workers at one address: what the kernel gives to one that knows nothing of it goes round.
@Suite struct HandOverTests {
    /// What all workers made of a datagram that came to one of them, and how many had it.
    static func give(
        _ text: String, to first: Int, of benches: inout [Bench], from source: TransportAddress
    ) -> (kinds: [String], visits: Int) {
        var (next, visits): (Int?, Int) = (first, 0)
        while let number = next, visits < 10 {
            visits += 1
            next = benches[number].pass(text, from: source, origin: UInt8(first)).map { Int($0) }
        }
        return (benches.indices.flatMap { benches[$0].look().map(\.kind) }, visits)
    }

    static func workers() throws -> [Bench] {
        try (0..<3).map { number in
            try Bench {
                $0.worker = UInt8(number)
                $0.workerCount = 3
            }
        }
    }

    @Test func `a CANCEL from another port finds its INVITE at another worker, or is 481 once (§9.2)`() throws {
        for (first, visits) in [(0, 3), (1, 2), (2, 1)] {
            var benches = try Self.workers()
            let gateway = try benches[2].gateway(1)
            benches[2].receive(benches[2].request("INVITE"), from: benches[2].caller)
            benches[2].receive(
                benches[2].response(180, to: try benches[2].last("INVITE", to: gateway)), from: gateway)
            _ = benches[2].look()
            let cancel = benches[2].request("CANCEL")
            let elsewhere = try Bench.address("10.1.0.1:7777")
            let found = Self.give(cancel, to: first, of: &benches, from: elsewhere)
            #expect(found.kinds == ["200", "CANCEL"])
            #expect(found.visits == visits)
            let lost = Self.give(
                cancel.replacing("z9hG4bKcaller1", with: "z9hG4bKx"), to: first, of: &benches, from: elsewhere)
            #expect(lost.kinds == ["481"])
            #expect(lost.visits == 3)
            #expect(benches.map(\.worker.counters.cancelsReceived).reduce(0, +) == 2)
            let stranger = Self.give(cancel, to: 0, of: &benches, from: benches[0].stranger)
            #expect(stranger.kinds == ["403"] && stranger.visits == 1, "a stranger makes no work for the others")
        }
    }

    @Test func `an ACK from another port ends the resending of a final response at another worker (§17.2.1)`() throws {
        var benches = try Self.workers()
        benches[1].receive(benches[1].request("INVITE", uri: "sip:33@10.0.0.1"), from: benches[1].caller)
        _ = benches[1].look()
        let ack = benches[1].request("ACK", uri: "sip:33@10.0.0.1", toTag: "x")
        let elsewhere = try Bench.address("10.1.0.1:7777")
        #expect(Self.give(ack, to: 2, of: &benches, from: elsewhere).visits == 3)
        benches[1].advance(.seconds(3))
        #expect(benches[1].trace() == [])
        #expect(benches.map(\.worker.counters.strayAcknowledgements).reduce(0, +) == 0)
        benches[1].advance(.seconds(10))
        #expect(Self.give(ack, to: 0, of: &benches, from: elsewhere).visits == 3)
        #expect(benches.map(\.worker.counters.strayAcknowledgements).reduce(0, +) == 1)
    }

    @Test func `an ACK without a route set leaves at once by its number and goes round as well (§16.5)`() throws {
        var benches = try Self.workers()
        let ack = benches[1].request("ACK", branch: "z9hG4bKack", toTag: "x")
        let given = Self.give(ack, to: 1, of: &benches, from: benches[1].caller)
        #expect(given.kinds == ["ACK"])
        #expect(given.visits == 3)
        #expect(benches.map(\.worker.counters.strayAcknowledgements).reduce(0, +) == 0)
    }
}
