import Fixtures
import Testing

@testable import Routing

/// What a table of many prefixes must keep to, whatever its history: that of a rebuild is the measure.
@Suite struct PrefixMergeTests {
    /// Where prefixes come from: how many digits, of which symbols, and how often one begins like another.
    enum Shape: CaseIterable {
        case short, dense, sparse, nested, long

        func prefix(_ random: inout SeededGenerator) -> String {
            func digits(_ count: Int, of symbols: String = "0123456789") -> String {
                String((0..<count).map { _ in symbols.randomElement(using: &random) ?? "0" })
            }
            switch self {
            case .short: return digits(Int.random(in: 0...4, using: &random), of: "0123456789*#")
            case .dense: return "4420" + digits(Int.random(in: 0...4, using: &random))
            case .sparse: return digits(Int.random(in: 8...12, using: &random))
            case .nested: return String(repeating: "7", count: Int.random(in: 0...31, using: &random)) + digits(1)
            case .long: return "123456789012345678901234567" + digits(Int.random(in: 1...5, using: &random), of: "01*#")
            }
        }
    }

    /// The plainest table that can be: the truth that others are held against.
    struct Model {
        private(set) var values: [String: UInt32] = [:]

        mutating func set(_ prefix: String, to value: UInt32?) { values[prefix] = value }

        func longestMatch(_ number: String) -> (value: UInt32, digitCount: Int)? {
            var left = Substring(number.prefix(32))
            while true {
                if let value = values[String(left)] { return (value, left.count) }
                if left.isEmpty { return nil }
                left.removeLast()
            }
        }

        var changes: [(prefix: Prefix, value: UInt32?)] {
            values.map { ($0.key.isEmpty ? .catchAll : Prefix($0.key) ?? .catchAll, $0.value) }
        }
    }

    private func prefix(_ text: String) -> Prefix { Prefix(text.isEmpty ? "any" : text) ?? .catchAll }

    private func expect(
        _ table: PrefixTable, like model: Model, _ shape: Shape, _ random: inout SeededGenerator
    ) {
        let rebuilt = PrefixTable().changing(model.changes)
        #expect(table.count == model.values.count)
        #expect(rebuilt.count == model.values.count)
        for _ in 0..<100 {
            let number = shape.prefix(&random) + shape.prefix(&random)
            let (found, wanted) = (table.longestMatch(DialledNumber(number)), model.longestMatch(number))
            #expect(found?.value == wanted?.value, "\(number)")
            #expect(found?.digitCount == wanted?.digitCount, "\(number)")
            #expect(rebuilt.longestMatch(DialledNumber(number))?.digitCount == wanted?.digitCount, "\(number)")
            let exact = shape.prefix(&random)
            #expect(table[prefix(exact)] == model.values[exact], "\(exact)")
        }
        var listed: [(prefix: Prefix, value: UInt32)] = []
        table.forEach { prefix, value in
            listed.append((prefix, value))
            return true
        }
        let sorted = model.values.sorted { prefix($0.key).digits < prefix($1.key).digits }
        #expect(listed.map(\.prefix) == sorted.map { prefix($0.key) }, "in the order of the digits")
        #expect(listed.map(\.value) == sorted.map(\.value))
    }

    @Test(arguments: Shape.allCases, [UInt64(1), 2])
    func `a base and any changes give what a rebuild gives`(shape: Shape, seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var model = Model()
        var table = PrefixTable()
        // It grows, is changed at its size, and shrinks to nothing.
        for (round, puts) in [100, 100, 100, 50, 50, 20, 0, 0].enumerated() {
            for _ in 0..<8 {
                var changes: [(prefix: Prefix, value: UInt32?)] = []
                for _ in 0..<Int.random(in: 1...([1, 30, 900].randomElement(using: &random) ?? 1), using: &random) {
                    let isPut = Int.random(in: 0..<100, using: &random) < puts
                    let known = Bool.random(using: &random) ? model.values.keys.randomElement(using: &random) : nil
                    let text = known ?? shape.prefix(&random)
                    let value = isPut ? UInt32.random(in: 0...(.max), using: &random) : nil
                    changes.append((prefix(text), value))
                    model.set(text, to: value)
                }
                table = table.changing(changes)
            }
            expect(table, like: model, shape, &random)
            if round == 5 {
                table = table.changing(model.values.keys.map { (prefix($0), UInt32(1)) })
                for key in model.values.keys { model.set(key, to: 1) }
                expect(table, like: model, shape, &random)
            }
        }
        table = table.changing(model.values.keys.map { (prefix($0), nil) })
        #expect(table.count == 0)
        #expect(table.longestMatch(DialledNumber("44")) == nil)
    }

    @Test func `every version goes on answering as it did, however many there are`() {
        var random = SeededGenerator(seed: 9)
        var model = Model()
        var versions: [(table: PrefixTable, model: Model)] = [(PrefixTable(), model)]
        for _ in 0..<40 {
            var changes: [(prefix: Prefix, value: UInt32?)] = []
            for _ in 0..<200 {
                let text = Shape.dense.prefix(&random)
                let value = Int.random(in: 0..<3, using: &random) > 0 ? UInt32.random(in: 0..<9, using: &random) : nil
                changes.append((prefix(text), value))
                model.set(text, to: value)
            }
            versions.append((versions[versions.count - 1].table.changing(changes), model))
        }
        while !versions.isEmpty {
            versions.remove(at: Int.random(in: 0..<versions.count, using: &random))
            guard let (table, model) = versions.randomElement(using: &random) else { break }
            for _ in 0..<50 {
                let number = Shape.dense.prefix(&random) + "5"
                #expect(table.longestMatch(DialledNumber(number))?.value == model.longestMatch(number)?.value)
            }
        }
    }

    @Test func `the last of equal prefixes in one change counts`() {
        let values: [(String, UInt32?)] = [("44", 1), ("1", 2), ("44", 3), ("1", nil), ("1", nil)]
        let table = PrefixTable().changing(values.map { (prefix($0.0), $0.1) })
        #expect(table.count == 1)
        #expect(table[prefix("44")] == 3)
    }

    @Test func `64 blocks of 90 routes and as many short prefixes are found in nodes of every form`() {
        var model = Model()
        for block in 0..<64 {
            for number in 0..<90 { model.set("\(10 + block)\(100 + number)", to: UInt32(block * 100 + number)) }
            model.set("\(10 + block)", to: UInt32(block))
        }
        for digit in 0..<10 { model.set("\(digit)", to: UInt32(9000 + digit)) }
        let table = PrefixTable().changing(model.changes)
        for number in 0..<20_000 {
            let text = String("\(100_000 + number * 5)".dropFirst())
            let (found, wanted) = (table.longestMatch(DialledNumber(text)), model.longestMatch(text))
            #expect(found?.value == wanted?.value && found?.digitCount == wanted?.digitCount)
        }
    }
}

@Suite struct PrefixMemoryTests {
    @Test func `blocks never overlap, and what was freed is used again`() {
        let memory = PrefixMemory()
        var random = SeededGenerator(seed: 3)
        var blocks: [(start: UnsafeMutableRawPointer, byteCount: Int, mark: UInt8)] = []
        func check(_ index: Int) -> Bool {
            let (start, byteCount, mark) = blocks[index]
            return start.load(as: UInt8.self) == mark
                && start.load(fromByteOffset: byteCount - 1, as: UInt8.self) == mark
        }
        for round in 0..<20_000 {
            if round % 10_000 < 6000 || blocks.isEmpty {
                let byteCount = Int.random(in: 1...PrefixMemory.limitBytes, using: &random)
                let start = memory.allocate(byteCount: byteCount)
                let mark = UInt8(truncatingIfNeeded: round)
                start.storeBytes(of: mark, as: UInt8.self)
                start.storeBytes(of: mark, toByteOffset: byteCount - 1, as: UInt8.self)
                blocks.append((start, byteCount, mark))
            } else {
                let index = Int.random(in: 0..<blocks.count, using: &random)
                #expect(check(index))
                memory.free(blocks[index].start)
                blocks.swapAt(index, blocks.count - 1)
                blocks.removeLast()
            }
        }
        while let last = blocks.last {
            #expect(check(blocks.count - 1))
            memory.free(last.start)
            blocks.removeLast()
        }
        #expect(memory.mappedBytes == 2 << 20, "one chunk is kept")
    }
}
