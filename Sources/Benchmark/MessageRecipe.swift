/// A peer's message: bytes that are made once, of which each call changes little.
///
/// What differs from call to call stands at the same places every time: the mark and the number of the call, and whole
/// lines that are copied from the message that this one answers. Those places are learnt from the first such message,
/// and again whenever one has another length.
struct MessageRecipe {
    /// A piece of the message.
    enum Part {
        /// Text; in it `!!!!!!!!` stands for the mark of the call, `############` for its number.
        case text(String)
        /// All fields of that name, as they stand in the source.
        case fields(String)
        /// The value of the first field of that name, without name and line end.
        case value(String)
    }

    private struct Copy: BitwiseCopyable {
        let from: Int
        let to: Int
        let count: Int
    }

    private static let markCharacter = UInt8(ascii: "!")
    private static let numberCharacter = UInt8(ascii: "#")

    /// The message.
    private(set) var bytes: [UInt8] = []

    private let parts: [Part]
    private var copies: [Copy] = []
    private var marks: [Int] = []
    private var numbers: [Int] = []
    private var sourceCount = -1

    init(_ parts: [Part]) { self.parts = parts }

    /// Writes the message of a call.
    mutating func fill(_ call: borrowing BenchedCall, from source: Span<UInt8> = Span()) {
        if source.count != sourceCount { learn(source) }
        source.withUnsafeBytes { source in
            bytes.withUnsafeMutableBytes { target in
                for copy in copies {
                    UnsafeMutableRawBufferPointer(rebasing: target[copy.to..<copy.to + copy.count])
                        .copyMemory(from: UnsafeRawBufferPointer(rebasing: source[copy.from..<copy.from + copy.count]))
                }
            }
        }
        for start in marks {
            for offset in 0..<BenchedCall.markLength { bytes[start + offset] = call.mark[offset] }
        }
        for start in numbers {
            for offset in 0..<RoutingScenery.numberLength {
                bytes[start + offset] = call.numbers[call.numberStart + offset]
            }
        }
    }

    private mutating func learn(_ source: Span<UInt8>) {
        bytes.removeAll(keepingCapacity: true)
        (copies, marks, numbers, sourceCount) = ([], [], [], source.count)
        for part in parts {
            switch part {
            case .text(let text): bytes += text.utf8
            case .fields(let name):
                for line in Self.lines(named: name, in: source) { copy(line, of: source) }
            case .value(let name):
                guard let line = Self.lines(named: name, in: source).first else { continue }
                copy(line.lowerBound + name.utf8.count + 2..<line.upperBound - 2, of: source)
            }
        }
        let copied = copies.map { $0.to..<$0.to + $0.count }
        var index = 0
        while index < bytes.count {
            let length = runLength(at: index)
            if !copied.contains(where: { $0.contains(index) }) {
                if bytes[index] == Self.markCharacter, length == BenchedCall.markLength { marks.append(index) }
                if bytes[index] == Self.numberCharacter, length == RoutingScenery.numberLength { numbers.append(index) }
            }
            index += length
        }
    }

    private mutating func copy(_ range: Range<Int>, of source: Span<UInt8>) {
        copies.append(Copy(from: range.lowerBound, to: bytes.count, count: range.count))
        for index in range { bytes.append(source[index]) }
    }

    private func runLength(at start: Int) -> Int {
        var end = start + 1
        while end < bytes.count, bytes[end] == bytes[start] { end += 1 }
        return end - start
    }

    /// The lines of the head that begin with the name and a colon, each with its line end.
    private static func lines(named name: String, in source: Span<UInt8>) -> [Range<Int>] {
        let beginning = Array("\(name):".utf8)
        var found: [Range<Int>] = []
        var start = 0
        while start < source.count {
            var end = start
            while end < source.count, source[end] != UInt8(ascii: "\n") { end += 1 }
            let line = start..<min(end + 1, source.count)
            guard line.count > 2 else { break }
            if line.count > beginning.count + 2, beginning.indices.allSatisfy({ source[start + $0] == beginning[$0] }) {
                found.append(line)
            }
            start = line.upperBound
        }
        return found
    }
}

/// What tells one call from another.
struct BenchedCall {
    static let markLength = 8

    /// Eight hexadecimal digits that no other call has.
    private(set) var mark: InlineArray<8, UInt8> = .init(repeating: UInt8(ascii: "0"))
    /// The numbers that are dialled, and where this call's begins.
    let numbers: [UInt8]
    private(set) var numberStart = 0

    private var count: UInt32 = 0

    init(numbers: [UInt8]) { self.numbers = numbers }

    /// The next call.
    mutating func next() {
        count &+= 1
        var rest = count
        for index in mark.indices.reversed() {
            let digit = UInt8(truncatingIfNeeded: rest & 15)
            mark[index] = digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10
            rest >>= 4
        }
        numberStart += RoutingScenery.numberLength
        if numberStart == numbers.count { numberStart = 0 }
    }
}
