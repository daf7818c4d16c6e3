import Fixtures
import NetworkManager
import Routing
import Store
import Testing
import Time

@Suite struct ReconciliationTests {
    /// Two sweeps: what is missing must have been missing for a whole one.
    private func sweepTwice(_ exchange: Exchange) {
        for _ in 0..<2 {
            exchange.manager.sweep()
            exchange.clock.move(by: .milliseconds(500))
        }
    }

    @Test func `a lost transition is made up from the table after a whole sweep (DESIGN 5)`() throws {
        let exchange = try Exchange()
        _ = try exchange.takeOut("lon1")
        exchange.manager.sweep()
        #expect(exchange.manager.pendingCount == 0)
        exchange.manager.sweep()
        let changes = exchange.commit()
        #expect(changes.count == 1)
        let change = try #require(changes.first)
        #expect((change.from, change.to, change.cause) == (.inService, .outOfService, .noResponse))
        #expect((change.reporter, change.sipStatus, change.callID) == ("call", nil, nil))
        #expect(change.timeValue != nil)
        sweepTwice(exchange)
        #expect(exchange.commit().isEmpty)
    }

    @Test func `a transition that comes after it was made up is no second record`() throws {
        let exchange = try Exchange()
        let late = try exchange.takeOut("lon1")
        sweepTwice(exchange)
        exchange.manager.receive([late])
        #expect(exchange.commit().count == 1)
        exchange.manager.receive([try exchange.putBack("lon1")])
        exchange.commit()
        #expect(try exchange.records("lon1") == [.outOfService, .inService])
    }

    @Test func `one lost between two that came is made up from what the later one knew`() throws {
        let exchange = try Exchange()
        exchange.manager.receive([try exchange.takeOut("lon1")])
        _ = try exchange.putBack("lon1")
        exchange.manager.receive([try exchange.takeOut("lon1")])
        #expect(exchange.commit().count == 1)
        sweepTwice(exchange)
        #expect(exchange.commit().map(\.cause) == [.probeAnswered, .noResponse])
        #expect(try exchange.records("lon1") == [.outOfService, .inService, .outOfService])
    }

    @Test func `a pair that was lost leaves no record, and what follows alternates`() throws {
        let exchange = try Exchange()
        _ = try exchange.takeOut("lon1")
        _ = try exchange.putBack("lon1")
        sweepTwice(exchange)
        #expect(exchange.commit().isEmpty)
        exchange.manager.receive([try exchange.takeOut("lon1")])
        exchange.commit()
        #expect(try exchange.records("lon1") == [.outOfService])
    }

    @Test func `one that is only just on its way is not made up`() throws {
        let exchange = try Exchange()
        _ = try exchange.takeOut("lon1")
        exchange.manager.sweep()
        let onItsWay = try exchange.putBack("lon1")
        exchange.manager.sweep()
        #expect(exchange.commit().map(\.to) == [.outOfService])
        exchange.manager.receive([onItsWay])
        #expect(exchange.commit().map(\.cause) == [.probeAnswered])
    }

    @Test func `records alternate over 10,000 changes, when change counts go round (5 seeds)`() throws {
        for seed in UInt64(1)...5 {
            var random = SeededGenerator(seed: seed)
            let exchange = try Exchange(["lon1": "sip:192.0.2.10"])
            // With one sweep at most while transitions are late, none of them is given up.
            var (late, made, canSweep): ([StatusTransition], Int, Bool) = ([], 0, true)
            for round in 0..<10_000 {
                let transition = round.isMultiple(of: 2) ? try exchange.takeOut("lon1") : try exchange.putBack("lon1")
                made += 1
                late.append(transition)
                if Int.random(in: 0..<4, using: &random) == 0 {
                    exchange.manager.receive(late.shuffled(using: &random))
                    (late, canSweep) = ([], true)
                }
                if canSweep, Int.random(in: 0..<100, using: &random) == 0 {
                    exchange.manager.sweep()
                    canSweep = false
                }
            }
            exchange.manager.receive(late)
            let changes = exchange.manager.takePending(limitCount: 20_000)
            #expect(changes.count == made, "seed \(seed)")
            let alternates = zip(changes, changes.dropFirst()).allSatisfy { $0.to == $1.from && $1.from != $1.to }
            #expect(alternates, "seed \(seed)")
        }
    }
}
