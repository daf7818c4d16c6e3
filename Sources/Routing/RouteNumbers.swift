/// What a route says, as selection reads it: a value of 32 bytes without references. Equal ones have one number, which
/// stands in the prefix table.
struct CompiledRoute: Hashable, Sendable, BitwiseCopyable {
    /// The number of its routing list; `noList` where it rejects.
    var list: UInt32 = noList
    /// The number of its reason phrase; 0: the usual one of the status.
    var reason: UInt32 = 0
    /// 400...699 where it rejects, else 0.
    var rejectStatus: UInt16 = 0
    var minDigits: UInt8 = 0
    var maxDigits: UInt8 = .max
    /// Milliseconds since the Unix epoch; `.min` and `.max`: no bound.
    var validFrom: Int64 = .min
    var validUntil: Int64 = .max

    static let noList = UInt32.max

    /// From its first time on, and before its last.
    @inline(__always)
    func isValid(atMilliseconds time: Int64) -> Bool { validFrom <= time && (time < validUntil || validUntil == .max) }

    /// Whether a number with so many digits is neither too short nor too long.
    func accepts(digitCount: Int) -> Bool {
        digitCount >= Int(minDigits) && (digitCount <= Int(maxDigits) || maxDigits == .max)
    }
}

/// A number for each different route that is in use, and how many prefixes lead to it.
struct RouteNumbers: Sendable {
    private static let shelfCount = 256
    private static let none = UInt32.max

    private var values = PagedValues(filler: CompiledRoute())
    /// How many prefixes lead to a number; of a free one, below 0, -1 less the next free one.
    private var counts = PagedValues(filler: 0)
    private var shelves: [[CompiledRoute: UInt32]] = Array(repeating: [:], count: shelfCount)
    private var next: UInt32 = 0
    private var firstFree = none

    /// How many numbers were ever given away at once.
    var numberCount: Int { Int(next) }

    /// The values for readers.
    var directory: PageDirectory<CompiledRoute> { values.directory }

    subscript(number: UInt32) -> CompiledRoute { values[number] }

    /// The number of a route that others lead to already, to which one more does; nil: none does.
    mutating func retainKnown(_ route: CompiledRoute) -> UInt32? {
        guard let number = shelves[Self.shelf(of: route)][route] else { return nil }
        counts[number] += 1
        return number
    }

    /// The number of a route that nobody led to before.
    mutating func add(_ route: CompiledRoute) -> UInt32 {
        let number = firstFree == Self.none ? next : firstFree
        if firstFree == Self.none {
            next += 1
        } else {
            firstFree = UInt32(truncatingIfNeeded: -1 - counts[number])
        }
        shelves[Self.shelf(of: route)][route] = number
        values[number] = route
        counts[number] = 1
        return number
    }

    /// One prefix less leads to the number. True when it was the last one.
    mutating func release(_ number: UInt32) -> Bool {
        guard counts[number] > 0 else { return false }
        counts[number] -= 1
        guard counts[number] == 0 else { return false }
        let route = values[number]
        shelves[Self.shelf(of: route)][route] = nil
        counts[number] = -1 - Int(firstFree)
        firstFree = number
        return true
    }

    private static func shelf(of route: CompiledRoute) -> Int {
        Int(UInt(bitPattern: route.hashValue) % UInt(shelfCount))
    }
}

/// Names that others refer to by number, each for as long as somebody does.
struct NumberedNames: Sendable {
    private var numbers: [ExactText: UInt32] = [:]
    private var names: [UInt32: String] = [:]
    private var counts: [UInt32: Int] = [:]
    private var pool: NumberPool

    /// Numbers from 0 up.
    init(limitCount: Int) { pool = NumberPool(limitCount: limitCount) }

    /// One behind the highest number in use.
    var numberCount: Int { (names.keys.max().map { Int($0) } ?? -1) + 1 }

    subscript(name: String) -> UInt32? { numbers[ExactText(name)] }

    func name(of number: UInt32) -> String? { names[number] }

    /// How many refer to the number.
    func count(of number: UInt32) -> Int { counts[number] ?? 0 }

    /// The number of a name that one more refers to; nil when all numbers are taken.
    mutating func retain(_ name: String) -> UInt32? {
        guard let number = self[name] ?? pool.take() else { return nil }
        (numbers[ExactText(name)], names[number]) = (number, name)
        counts[number, default: 0] += 1
        return number
    }

    /// One less refers to the number.
    mutating func release(_ number: UInt32) {
        guard let count = counts[number] else { return }
        counts[number] = count - 1
        guard count == 1, let name = names.removeValue(forKey: number) else { return }
        numbers[ExactText(name)] = nil
        counts[number] = nil
        pool.giveBack(number)
    }
}
