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
}
