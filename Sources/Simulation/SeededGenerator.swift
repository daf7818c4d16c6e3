import Routing

/// All chance of a simulation: one seed, one sequence.
struct SeededGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 { SplitMix64.next(after: &state) }

    /// 0..<`limit`; 0 for a limit below 1.
    mutating func below(_ limit: Int) -> Int { limit < 1 ? 0 : Int(next() % UInt64(limit)) }

    mutating func chance(perMille: Int) -> Bool { below(1000) < perMille }

    /// Between the two, in milliseconds.
    mutating func milliseconds(_ low: Int, _ high: Int) -> Duration {
        .milliseconds(Int64(low + below(high - low + 1)))
    }
}
