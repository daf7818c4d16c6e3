import Fixtures
import Routing
import Testing

@Suite struct PrefixTableTests {
    static func prefix(_ text: String) throws -> Prefix { try #require(Prefix(text)) }

    static func changes(_ pairs: [(String, UInt32?)]) throws -> [(prefix: Prefix, value: UInt32?)] {
        try pairs.map { (try prefix($0.0), $0.1) }
    }

    @Test func `the longest prefix wins, the catch-all last`() throws {
        let table = PrefixTable().changing(
            try Self.changes([("any", 0), ("44", 1), ("4420", 2), ("*21", 3)]))
        #expect(table.longestMatch(DialledNumber("+442071234567"))?.value == 2)
        #expect(table.longestMatch(DialledNumber("+442071234567"))?.digitCount == 4)
        #expect(table.longestMatch(DialledNumber("44"))?.value == 1)
        #expect(table.longestMatch(DialledNumber("4"))?.value == 0)
        #expect(table.longestMatch(DialledNumber("*21#"))?.value == 3)
        #expect(table.longestMatch(DialledNumber("alice"))?.value == 0)
        #expect(table.count == 4)
    }

    @Test func `without a catch-all a user part that is no number matches nothing`() throws {
        let table = PrefixTable().changing(try Self.changes([("4", 1)]))
        #expect(table.longestMatch(DialledNumber("alice")) == nil)
        #expect(table.longestMatch(DialledNumber("")) == nil)
        #expect(table.longestMatch(DialledNumber("5")) == nil)
    }

    @Test func `a prefix of 32 digits matches, and a longer number by its first 32`() throws {
        let long = String(repeating: "7", count: 32)
        let table = PrefixTable().changing(try Self.changes([(long, 9)]))
        #expect(table.longestMatch(DialledNumber(long + "123"))?.digitCount == 32)
        #expect(table.longestMatch(DialledNumber(String(repeating: "7", count: 31))) == nil)
        #expect(Prefix(long + "7") == nil)
    }

    @Test func `an older version of a table is not touched by a change (DESIGN 4)`() throws {
        let before = PrefixTable().changing(try Self.changes([("44", 1), ("442", 2)]))
        let after = before.changing(try Self.changes([("44", nil), ("4420", 3)]))
        #expect(before.longestMatch(DialledNumber("44201"))?.value == 2)
        #expect(before.longestMatch(DialledNumber("449"))?.value == 1)
        #expect(after.longestMatch(DialledNumber("44201"))?.value == 3)
        #expect(after.longestMatch(DialledNumber("449")) == nil)
        #expect((before.count, after.count) == (2, 2))
    }

    @Test(arguments: [UInt64(1), 2, 3, 4, 5])
    func `changes one by one give the table that a rebuild gives`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var model: [Prefix: UInt32] = [:]
        var table = PrefixTable()
        for round in 0..<400 {
            var changes: [(prefix: Prefix, value: PrefixTable.Value?)] = []
            for _ in 0..<Int.random(in: 1...40, using: &random) {
                let digits = (0..<Int.random(in: 0...6, using: &random)).map { _ in
                    "0123456789*#".randomElement(using: &random) ?? "0"
                }
                guard let prefix = Prefix(digits.isEmpty ? "any" : String(digits)) else { continue }
                let value = Bool.random(using: &random) ? UInt32.random(in: 0..<50, using: &random) : nil
                changes.append((prefix, value))
                model[prefix] = value
            }
            table = table.changing(changes)
            guard round % 20 == 0 else { continue }
            let entries: [(prefix: Prefix, value: UInt32?)] = model.map { ($0.key, $0.value) }
            let rebuilt = PrefixTable().changing(entries)
            #expect(table.count == model.count, "seed \(seed)")
            for _ in 0..<200 {
                let number = DialledNumber(
                    String((0..<8).map { _ in "0123456789*#".randomElement(using: &random) ?? "0" }))
                #expect(table.longestMatch(number)?.value == rebuilt.longestMatch(number)?.value, "seed \(seed)")
            }
        }
        var listed: [Prefix: UInt32] = [:]
        table.forEach { prefix, value in
            listed[prefix] = value
            return true
        }
        #expect(listed == model, "seed \(seed)")
    }

    @Test func `a table that is changed for ever stays as small as its contents`() throws {
        var table = PrefixTable().changing(try Self.changes([("1", 0)]))
        for round in 0..<60_000 { table = table.changing(try Self.changes([("1234567", UInt32(round % 7))])) }
        #expect(table.count == 2)
        #expect(table.longestMatch(DialledNumber("12345678"))?.value == UInt32(59_999 % 7))
    }
}

@Suite struct DialledNumberTests {
    @Test(arguments: [
        ("+442071234567", 12, true), ("+44-20.7123(4567)", 12, true), ("0800*1#", 7, false), ("%2B4420", 4, true),
        ("+358-555-1234567;postd=pp22", 13, true), ("+4420:secret", 4, true),
    ])
    func `digits are counted without +, separators, parameters (RFC 3966 5.1.1)`(
        text: String, count: Int, hasPlus: Bool
    ) {
        let number = DialledNumber(text)
        #expect(number.digitCount == count)
        #expect(number.hasPlus == hasPlus)
        #expect(number.isNumber)
    }

    @Test(arguments: ["", "alice", "44a", "+", "4+4", "%00", "44 20"])
    func `what is no number has no digits`(text: String) {
        #expect(!DialledNumber(text).isNumber)
    }

    @Test(arguments: ["", "+44", "4a", "any ", "4.4"])
    func `a prefix is 1...32 of 0-9 * # or any`(text: String) {
        #expect(Prefix(text) == nil)
    }
}
