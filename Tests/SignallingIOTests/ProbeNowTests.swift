import Addressing
import Routing
import SignallingCore
import SignallingIO
import Synchronization
import Testing
import Time

@Suite struct ProbeNowTests {
    /// Answers, from any thread.
    private final class Answers: Sendable {
        private let list = Mutex<[ProbeAnswer]>([])

        var all: [ProbeAnswer] { list.withLock { $0 } }

        func append(_ answer: ProbeAnswer) { list.withLock { $0.append(answer) } }
    }

    @Test func `probe now: asked at once from another thread, told once, and the change is passed on before`() throws {
        let gateway = try TestPeer()
        let fixture = try DataPlaneFixture(gateways: [gateway.address])
        let now = SystemClock().now
        _ = fixture.table.observe(
            fixture.slots[0], .noResponse, of: StatusRules(), begun: now, now: now)
        let (answers, transitions) = (Answers(), fixture.transitions)
        fixture.plane.probe(fixture.slots[0]) {
            #expect(transitions.all.map(\.after.cause) == [.probeAnswered])
            answers.append($0)
        }
        let request = try gateway.receive("OPTIONS")
        try gateway.answer("200 OK", to: request)
        #expect(eventually { answers.all.count == 1 })
        let answer = try #require(answers.all.first)
        #expect(answer.outcome == .answered(sipStatus: 200))
        #expect(answer.isAcknowledged)
        #expect(answer.change?.after.status == .inService)
        #expect(answer.roundTrip > .zero)
        #expect(fixture.table.status(of: fixture.slots[0]).status == .inService)
    }

    @Test func `probe now of a gateway that has gone, or of a data plane that has ended, asks nobody`() throws {
        let gateway = try TestPeer()
        let fixture = try DataPlaneFixture(gateways: [gateway.address])
        let answers = Answers()
        fixture.plane.probe(GatewaySlot(index: 77, generation: 9)) { answers.append($0) }
        #expect(eventually { answers.all.map(\.outcome) == [.notAsked] })
        fixture.plane.probe(fixture.slots[0]) { answers.append($0) }
        _ = try gateway.receive("OPTIONS")
        fixture.plane.stop()
        #expect(answers.all.map(\.outcome) == [.notAsked, .notAsked], "told at the end")
        fixture.plane.probe(fixture.slots[0]) { answers.append($0) }
        #expect(answers.all.count == 3)
    }
}
