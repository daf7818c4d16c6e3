import Addressing
import Fixtures
import SignallingCore
import Synchronization
import Testing

@testable import SignallingIO

@Suite struct StreamDirectoryTests {
    static func key(_ number: Int) -> StreamConnection.Key {
        let port = UInt16(1 + number % 60_000)
        let address = IPAddress(ipv4: 0x0A00_0000 + UInt32(number / 60_000))
        return .init(listener: ListenerNumber(1), peer: TransportAddress(.tcp, address, port: port))
    }

    @Test func `the latest worker with a connection counts, and he alone ends what he entered`() {
        let directory = StreamDirectory(connectionCount: 8)
        #expect(directory.owner(of: Self.key(1)) == nil)
        directory.enter(Self.key(1), of: 0)
        directory.enter(Self.key(1), of: 0)
        #expect(directory.owner(of: Self.key(1)) == 0)
        directory.enter(Self.key(1), of: 254)
        #expect(directory.owner(of: Self.key(1)) == 254)
        directory.leave(Self.key(1), of: 0)
        #expect(directory.owner(of: Self.key(1)) == 254)
        #expect(directory.owner(of: Self.key(2)) == nil)
        directory.leave(Self.key(1), of: 254)
        #expect(directory.owner(of: Self.key(1)) == nil)
    }

    @Test func `the same peer at another listener is another connection`() {
        let directory = StreamDirectory(connectionCount: 8)
        let peer = Self.key(1).peer
        directory.enter(.init(listener: ListenerNumber(0), peer: peer), of: 3)
        #expect(directory.owner(of: .init(listener: ListenerNumber(1), peer: peer)) == nil)
        #expect(directory.owner(of: .init(listener: ListenerNumber(0), peer: peer)) == 3)
    }

    @Test func `it says what a dictionary says, full of as many connections as there may be, while they come and go`() {
        var random = SeededGenerator(seed: 5)
        let count = 16_384
        let directory = StreamDirectory(connectionCount: count)
        var twin: [Int: UInt8] = [:]
        var order: [Int] = []
        var wrong = 0
        for number in 0..<4 * count {
            if order.count == count {
                let gone = order.remove(at: Int.random(in: 0..<order.count, using: &random))
                if let worker = twin.removeValue(forKey: gone) { directory.leave(Self.key(gone), of: worker) }
                if directory.owner(of: Self.key(gone)) != nil { wrong += 1 }
            }
            let worker = UInt8.random(in: 0..<64, using: &random)
            directory.enter(Self.key(number), of: worker)
            twin[number] = worker
            order.append(number)
        }
        for (number, worker) in twin where directory.owner(of: Self.key(number)) != worker { wrong += 1 }
        #expect(wrong == 0)
        #expect(twin.count == count)
    }

    @Test func `more than it has room for is left out, and what is in stays right`() {
        let directory = StreamDirectory(connectionCount: 1)
        for number in 0..<2000 { directory.enter(Self.key(number), of: UInt8(number % 64)) }
        let owners = (0..<2000).map { directory.owner(of: Self.key($0)) }
        let entered = owners.indices.filter { owners[$0] != nil }
        #expect((64...128).contains(entered.count))
        #expect(entered.allSatisfy { owners[$0] == UInt8($0 % 64) })
        for number in 0..<2000 { directory.leave(Self.key(number), of: UInt8(number % 64)) }
        #expect((0..<2000).allSatisfy { directory.owner(of: Self.key($0)) == nil })
    }

    @Test func `workers that come and go at once: each finds its own, nobody finds who was never there`() throws {
        let directory = StreamDirectory(connectionCount: 64)
        let wrongCount = Atomic(0)
        let doneCount = Atomic(0)
        let workers = try (UInt8(0)..<3).map { worker in
            try SignallingThread(name: "worker-\(worker)") {
                for round in 0..<4000 {
                    // Peers of this worker alone, and one that all share.
                    let (own, shared) = (Self.key(Int(worker) * 100 + round % 16), Self.key(1000))
                    directory.enter(own, of: worker)
                    directory.enter(shared, of: worker)
                    if directory.owner(of: own) != worker { wrongCount.add(1, ordering: .relaxed) }
                    directory.leave(own, of: worker)
                    if directory.owner(of: own) != nil { wrongCount.add(1, ordering: .relaxed) }
                    directory.leave(shared, of: worker)
                }
                doneCount.add(1, ordering: .releasing)
            }
        }
        repeat {
            for number in 0..<16 {
                for worker in 0..<3 {
                    let owner = directory.owner(of: Self.key(worker * 100 + number))
                    if let owner, Int(owner) != worker { wrongCount.add(1, ordering: .relaxed) }
                }
            }
            if let owner = directory.owner(of: Self.key(1000)), owner > 2 { wrongCount.add(1, ordering: .relaxed) }
            if directory.owner(of: Self.key(5000)) != nil { wrongCount.add(1, ordering: .relaxed) }
        } while doneCount.load(ordering: .acquiring) < 3
        for worker in workers { worker.join() }
        #expect(wrongCount.load(ordering: .relaxed) == 0)
        #expect((0..<6000).allSatisfy { directory.owner(of: Self.key($0)) == nil })
    }
}
