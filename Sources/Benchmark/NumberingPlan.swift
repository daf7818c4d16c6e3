import Routing

/// Prefixes as numbering plans and ported numbers have them, as many as one likes, the same ones each time: blocks of
/// neighbours of 6...10 digits, and single ones of 8...12. A few come twice.
struct NumberingPlan {
    /// Digits of a number that is dialled.
    private static let numberLength = 12

    private var chance: UInt64
    private var block: (digits: UInt64, length: Int, left: UInt64) = (0, 0, 0)

    init(seed: UInt64) { chance = seed }

    /// The next prefix in digits.
    mutating func next() -> String {
        if block.left == 0 {
            let length = 6 + Int(draw(below: 5))
            let isSingle = draw(below: 64) > 0  // so that about half are in blocks
            block = (draw(digits: isSingle ? length + 2 : length), isSingle ? length + 2 : length, 1)
            if !isSingle {
                block.digits -= block.digits % 100
                block.left = 1 + draw(below: 150)
            }
        }
        defer { (block.digits, block.left) = (block.digits + 1, block.left - 1) }
        return "\(block.digits)"
    }

    /// A whole number that begins so.
    mutating func number(beginning prefix: String) -> DialledNumber {
        var number = prefix
        while number.utf8.count < Self.numberLength { number += "\(draw(below: 10))" }
        return DialledNumber(number)
    }

    /// Below `limit`, which is not 0.
    mutating func draw(below limit: UInt64) -> UInt64 { SplitMix64.next(after: &chance) % limit }

    private mutating func draw(digits: Int) -> UInt64 {
        var lowest: UInt64 = 1
        for _ in 1..<digits { lowest *= 10 }
        return lowest + draw(below: lowest * 9)
    }
}
