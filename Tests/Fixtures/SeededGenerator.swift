import Routing

/// Chance that comes again with its seed. A test that uses it names the seed where it fails.
package struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    package init(seed: UInt64) { state = seed }

    package mutating func next() -> UInt64 { SplitMix64.next(after: &state) }
}
