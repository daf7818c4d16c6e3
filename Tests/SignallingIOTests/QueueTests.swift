import Addressing
import Routing
import SignallingCore
import Synchronization
import Testing
import Time

@testable import SignallingIO

@Suite struct QueueTests {
    static func address(_ port: UInt16) -> TransportAddress {
        TransportAddress(.udp, IPAddress(ipv4: 0x7F00_0001), port: port)
    }

    static func transition(_ number: UInt16) -> StatusTransition {
        let word = StatusWord(.outOfService, cause: .noResponse, timeValue: nil, changeCount: 0, generation: 0)
        return StatusTransition(
            slot: GatewaySlot(index: number, generation: 0), before: word, after: word,
            at: Instant(nanoseconds: 1), reporter: .call)
    }

    @Test func `mailbox: letters of two threads arrive whole, each once and in the order of their sender`() throws {
        let mailbox = Mailbox(capacity: 16)
        let letterCount = 5000
        let senders = try (0..<2).map { sender in
            try SignallingThread(name: "sender-\(sender)") {
                for number in 0..<letterCount {
                    let bytes = [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: number % 700)
                    let address = Self.address(UInt16(number + 1))
                    while !mailbox.put(.datagram, address, ListenerNumber(UInt8(sender)), bytes.span) {}
                }
            }
        }
        var next = [0, 0]
        var broken = 0
        while next[0] + next[1] < 2 * letterCount {
            _ = mailbox.take { letter, datagram in
                let sender = Int(letter.listener.index)
                let number = next[sender]
                var isWhole = letter.address == Self.address(UInt16(number + 1)) && datagram.count == number % 700
                for index in datagram.indices where datagram[index] != UInt8(truncatingIfNeeded: number) {
                    isWhole = false
                }
                if !isWhole { broken += 1 }
                next[sender] += 1
            }
        }
        for sender in senders { sender.join() }
        #expect(broken == 0)
        let isMore = mailbox.take { _, _ in }
        #expect(!isMore)
    }

    @Test func `mailbox: full refuses, and takes again when a letter was taken`() {
        let mailbox = Mailbox(capacity: 4)
        func put() -> Bool { mailbox.put(.transportFailure, Self.address(9), ListenerNumber(0), Span()) }
        for _ in 0..<4 {
            let isIn = put()
            #expect(isIn)
        }
        let isInFull = put()
        #expect(!isInFull)
        let isTaken = mailbox.take { letter, datagram in
            #expect(letter.kind == .transportFailure)
            let count = datagram.count
            #expect(count == 0)
        }
        #expect(isTaken)
        let isInAgain = put()
        #expect(isInAgain)
    }

    @Test func `mailbox: the largest datagram of UDP fits`() {
        let mailbox = Mailbox(capacity: 2)
        let bytes = [UInt8](repeating: 7, count: 65_535)
        let isIn = mailbox.put(.datagram, Self.address(9), ListenerNumber(0), bytes.span)
        #expect(isIn)
        var count = 0
        _ = mailbox.take { _, datagram in count = datagram.count }
        #expect(count == 65_535)
    }

    @Test func `status changes: one thread puts in, another takes out, in order and without loss but where it is told`()
        throws
    {
        let ring = TransitionRing(capacity: 64)
        let refused = Atomic(0)
        let worker = try SignallingThread(name: "worker") {
            for number in 0..<UInt16(20_000) {
                while !ring.put(Self.transition(number)) { refused.wrappingAdd(1, ordering: .relaxed) }
            }
        }
        var list: [StatusTransition] = []
        while list.count < 20_000 { ring.takeAll(into: &list) }
        worker.join()
        #expect(list.map(\.slot.index) == Array(0..<20_000))
    }

    @Test func `status changes: a full ring refuses and keeps what it has`() {
        let ring = TransitionRing(capacity: 4)
        #expect((0..<6).map { ring.put(Self.transition($0)) } == [true, true, true, true, false, false])
        var list: [StatusTransition] = []
        ring.takeAll(into: &list)
        #expect(list.map(\.slot.index) == [0, 1, 2, 3])
        #expect(ring.put(Self.transition(9)))
    }

    @Test func `backlog: keeps the order, refuses when full, and starts again when empty`() {
        var backlog = SendBacklog()
        let bytes = [UInt8](repeating: 1, count: 60_000)
        var accepted = 0
        bytes.withUnsafeBufferPointer { datagram in
            while backlog.append(datagram, to: Self.address(UInt16(accepted + 1))) { accepted += 1 }
        }
        #expect(accepted == (1 << 20) / 60_000)
        backlog.removeFirst(3)
        #expect(backlog.entries[backlog.first].destination == Self.address(4))
        #expect(backlog.entries[backlog.first].bytes.count == 60_000)
        backlog.removeFirst(accepted - 3)
        let isEmpty = backlog.isEmpty
        #expect(isEmpty)
        let isIn = bytes.withUnsafeBufferPointer { backlog.append($0, to: Self.address(1)) }
        #expect(isIn)
    }

    @Test func `counts of workers add up, whatever their names`() {
        for child in Mirror(reflecting: SignallingCounters()).children {
            #expect(child.value is UInt64, "\(child.label ?? "") can't be added as a word")
        }
        var (sum, other) = (SignallingCounters(), SignallingCounters())
        (sum.invitesReceived, sum.handedOver) = (1, 2)
        (other.invitesReceived, other.handedOver, other.probes) = (10, 20, 30)
        sum.add(other)
        #expect([sum.invitesReceived, sum.handedOver, sum.probes, sum.shed] == [11, 22, 30, 0])
        var (io, otherIO) = (SignallingIOCounters(), SignallingIOCounters())
        (io.datagramsReceived, otherIO.datagramsReceived, otherIO.sendErrors) = (1, 2, 3)
        io.add(otherIO)
        #expect([io.datagramsReceived, io.sendErrors, io.batches] == [3, 3, 0])
    }
}
