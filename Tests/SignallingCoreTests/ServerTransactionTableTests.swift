import SIPMessage
import SIPTransaction
import Testing

@testable import SignallingCore

@Suite struct ServerTransactionTableTests {
    private func key(_ number: Int) throws -> ServerTransactionKey {
        let text =
            "BYE sip:a@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK\(number)\r\n"
            + "From: <sip:a@a>;tag=1\r\nTo: <sip:b@b>;tag=2\r\nCall-ID: c\r\nCSeq: 1 BYE\r\n\r\n"
        let bytes = Array(text.utf8)
        var message = Message()
        try message.parse(bytes.span)
        return ServerTransactionKey(of: message, in: bytes.span, as: .bye, server: 0, key: KeyedHash.Key(1, 2))
    }

    @Test func `it finds what a dictionary finds, while it grows and while entries come and go`() throws {
        var table = ServerTransactionTable(expectedCount: 8)
        var twin: [Int: UInt32] = [:]
        let keys = try (0..<2000).map { try key($0) }
        var state: UInt64 = 11
        for slot in 0..<UInt32(20_000) {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            let number = Int(state >> 33) % keys.count
            if let there = twin[number] {
                table.remove(there, of: keys[number])
                twin[number] = nil
            } else {
                table.insert(slot, of: keys[number])
                twin[number] = slot
            }
            let asked = Int(state >> 40) % keys.count
            #expect(table.slot(of: keys[asked], where: { $0 == twin[asked] }) == twin[asked])
        }
        for (number, slot) in twin { #expect(table.slot(of: keys[number], where: { $0 == slot }) == slot) }
        for (number, slot) in twin { table.remove(slot, of: keys[number]) }
        for key in keys { #expect(table.slot(of: key, where: { _ in true }) == nil) }
    }

    @Test func `whom the record disowns is passed over`() throws {
        var table = ServerTransactionTable(expectedCount: 8)
        let key = try key(1)
        table.insert(3, of: key)
        table.insert(4, of: key)
        #expect(table.slot(of: key, where: { $0 == 4 }) == 4)
        #expect(table.slot(of: key, where: { _ in false }) == nil)
        table.remove(9, of: key)
        table.remove(3, of: key)
        #expect(table.slot(of: key, where: { _ in true }) == 4)
    }

    /// Steps of a random walk that grows, shrinks and grows further, through several growths; each is checked.
    @Test(arguments: [1, 2, 3, 4] as [UInt64])
    func `it finds what a dictionary finds in every step of its growth`(seed: UInt64) throws {
        var state = seed
        func random(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % bound
        }
        let keys = try (0..<1500).map { try key($0) }
        var table = ServerTransactionTable(expectedCount: 8)
        var twin: [UInt32: Int] = [:]  // slot -> key; several slots may have one key
        var slots: [UInt32] = []
        var (wrong, movingCount, growthCount, wasMoving, nextSlot) = (0, 0, 0, false, 0 as UInt32)
        for target in [700, 20, 2500, 300, 3000] {
            while slots.count != target {
                let grows = slots.count < target
                if slots.isEmpty || random(100) < (grows ? 70 : 30) {
                    let number = random(keys.count)
                    table.insert(nextSlot, of: keys[number])
                    twin[nextSlot] = number
                    slots.append(nextSlot)
                    nextSlot += 1
                } else {
                    let gone = slots.remove(at: random(slots.count))
                    let number = twin.removeValue(forKey: gone) ?? 0
                    table.remove(gone, of: keys[number])
                    if table.slot(of: keys[number], where: { $0 == gone }) != nil { wrong += 1 }
                    table.remove(gone, of: keys[number])  // once more changes nothing
                }
                if table.count != slots.count { wrong += 1 }
                if let slot = slots.isEmpty ? nil : slots[random(slots.count)], let number = twin[slot] {
                    if table.slot(of: keys[number], where: { $0 == slot }) != slot { wrong += 1 }
                }
                if table.isMoving { movingCount += 1 }
                if table.isMoving, !wasMoving { growthCount += 1 }
                wasMoving = table.isMoving
            }
            for (slot, number) in twin where table.slot(of: keys[number], where: { $0 == slot }) != slot { wrong += 1 }
            let asked = random(keys.count)
            var passed: Set<UInt32> = []
            _ = table.slot(of: keys[asked]) {
                passed.insert($0)
                return false
            }
            if passed != Set(twin.filter { $0.value == asked }.keys) { wrong += 1 }
        }
        #expect(wrong == 0, "seed \(seed)")
        #expect(growthCount >= 6)
        #expect(movingCount > 300, "entries lay in two tables for long")
    }

    @Test func `growth is spread over many insertions, and is over before the next begins`() throws {
        var table = ServerTransactionTable(expectedCount: 8)
        var preparing: [Int] = []  // how many insertions each growth took
        var moving: [Int] = []
        var was = (preparing: false, moving: false)
        for number in 0..<10_000 {
            table.insert(UInt32(number), of: try key(number))
            let now = (preparing: table.isPreparing, moving: table.isMoving)
            #expect(!now.preparing || !now.moving)
            if now.preparing { was.preparing ? preparing[preparing.count - 1] += 1 : preparing.append(1) }
            if now.moving { was.moving ? moving[moving.count - 1] += 1 : moving.append(1) }
            was = now
        }
        let sizes = (0..<8).map { 64 << $0 }
        #expect(moving == sizes.map { $0 / 8 })
        #expect(preparing == sizes.map { $0 / 8 })
    }
}
