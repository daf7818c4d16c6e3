/// What one run of a `Simulation` came to. The same seed and settings give the same report.
package struct SimulationReport: Equatable, Sendable, CustomStringConvertible {
    /// What makes the run happen again.
    package let seed: UInt64
    /// A hash of everything that happened, in its order.
    package internal(set) var digest: UInt64 = 0xCBF2_9CE4_8422_2325
    /// Rules that were broken; empty for a good run.
    package internal(set) var violations: [String] = []
    /// Workers that shared the listeners.
    package internal(set) var workerCount = 0
    /// Datagrams lost of a thousand.
    package internal(set) var lossPerMille = 0
    /// Calls that were made.
    package internal(set) var calls = 0
    /// Calls that a gateway answered.
    package internal(set) var answered = 0
    /// Calls that ended with a failure or a redirection.
    package internal(set) var refused = 0
    /// Calls whose caller gave up without a final response.
    package internal(set) var gaveUp = 0
    /// Datagrams that arrived somewhere.
    package internal(set) var datagrams = 0
    /// Datagrams that another worker had to take.
    package internal(set) var handedOver = 0
    /// Attempts after the first of their call.
    package internal(set) var failovers = 0
    /// Status changes.
    package internal(set) var transitions = 0
    /// Changes of the routing data while calls were under way.
    package internal(set) var routingChanges = 0

    init(seed: UInt64) { self.seed = seed }

    /// One line, and one more for each broken rule.
    package var description: String {
        "seed \(seed): \(calls) calls, \(answered) answered, \(refused) refused, \(gaveUp) given up; "
            + "\(datagrams) datagrams, \(lossPerMille) per mille lost, \(workerCount) workers, "
            + "\(handedOver) handed over, \(failovers) failovers, "
            + "\(transitions) status changes, \(routingChanges) routing changes; digest \(String(digest, radix: 16))"
            + violations.map { "\n  broken: \($0)" }.joined()
    }

    /// FNV-1a.
    mutating func digest(_ bytes: [UInt8]) {
        for byte in bytes { digest = (digest ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
    }

    mutating func digest(_ number: Int64) {
        digest = (digest ^ UInt64(bitPattern: number)) &* 0x0000_0100_0000_01B3
    }
}
