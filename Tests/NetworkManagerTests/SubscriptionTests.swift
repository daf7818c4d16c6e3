import Dispatch
import NetworkManager
import Synchronization
import Testing

@Suite struct SubscriptionTests {
    @Test func `an announcement wakes every subscriber, an ended one never again`() throws {
        let exchange = try Exchange()
        let bells = [Bell(), Bell()]
        let subscriptions = bells.map { bell in exchange.manager.subscribe { bell.ring() } }
        exchange.manager.announce()
        #expect(bells.map(\.count) == [1, 1])
        exchange.manager.end(subscriptions[0])
        exchange.manager.end(subscriptions[0])
        exchange.manager.announce()
        #expect(bells.map(\.count) == [1, 2])
    }

    @Test func `no call is made after end has returned, whatever thread announces`() throws {
        let exchange = try Exchange()
        let manager = exchange.manager
        let ended = Mutex<[(bell: Bell, countAtEnd: Int)]>([])
        DispatchQueue.concurrentPerform(iterations: 4) { index in
            for _ in 0..<500 {
                guard index == 0 else {
                    manager.announce()
                    continue
                }
                let bell = Bell()
                let subscription = manager.subscribe { bell.ring() }
                manager.end(subscription)
                ended.withLock { $0.append((bell, bell.count)) }
            }
        }
        #expect(ended.withLock { $0.count } == 500)
        #expect(ended.withLock { $0.allSatisfy { $0.bell.count == $0.countAtEnd } })
    }
}
