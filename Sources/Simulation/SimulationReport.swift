import Time

/// What one run of a `Simulation` came to. The same seed and settings give the same report.
package struct SimulationReport: Equatable, Sendable, CustomStringConvertible {
    /// What makes the run happen again.
    package let seed: UInt64
    /// A hash of everything that happened, in its order.
    package internal(set) var digest: UInt64 = 0xCBF2_9CE4_8422_2325
    /// Invariants that were broken; empty for a good run. A run ends soon after the first.
    package internal(set) var violations: [Violation] = []
    /// What happened to the call that was followed, a line each.
    package internal(set) var trail: [String] = []
    /// Workers that shared the listeners.
    package internal(set) var workerCount = 0
    /// Datagrams lost of a thousand.
    package internal(set) var lossPerMille = 0
    /// How much time went by in the world.
    package internal(set) var simulated: Duration = .zero
    /// What happened how often.
    package internal(set) var counts = Counts()

    /// What happened how often, in one run or in several.
    package struct Counts: Equatable, Sendable {
        /// Calls that were made.
        package internal(set) var calls = 0
        /// Calls that a gateway answered.
        package internal(set) var answered = 0
        /// Calls that ended with a failure.
        package internal(set) var refused = 0
        /// Calls whose caller gave up without a final response.
        package internal(set) var gaveUp = 0
        /// CANCELs that came to the process.
        package internal(set) var cancels = 0
        /// Requests within dialogs that came to the process.
        package internal(set) var withinDialogs = 0
        /// Calls that two callees answered.
        package internal(set) var forks = 0
        /// Datagrams that arrived somewhere.
        package internal(set) var datagrams = 0
        /// Datagrams that the network lost, or that came while nobody was there.
        package internal(set) var lost = 0
        /// Datagrams that arrived twice.
        package internal(set) var duplicated = 0
        /// Datagrams that others may have overtaken.
        package internal(set) var delayed = 0
        /// Times that the process died and came back with empty tables.
        package internal(set) var processCrashes = 0
        /// Times that a gateway forgot all its calls.
        package internal(set) var gatewayCrashes = 0
        /// Datagrams that another worker had to take.
        package internal(set) var handedOver = 0
        /// Attempts after the first of their call.
        package internal(set) var failovers = 0
        /// Times that a redirect server elsewhere died.
        package internal(set) var serverCrashes = 0
        /// Sightings of gateways that were reported to the redirect servers.
        package internal(set) var reports = 0
        /// Status changes.
        package internal(set) var transitions = 0
        /// Changes of the routing data while calls were under way.
        package internal(set) var routingChanges = 0
        /// Status records that were kept.
        package internal(set) var statusRecords = 0
        /// Times that the wall clock was set.
        package internal(set) var clockSteps = 0
        /// Times that the operator said what a gateway's status is.
        package internal(set) var operatorWords = 0
        /// Searches that ended at their list's bound.
        package internal(set) var searchesGivenUp = 0
        /// Steps: what was given to the process, one by one.
        package internal(set) var steps = 0
        /// Times that an invariant was looked at.
        package internal(set) var checks = 0

        /// Nothing happened.
        package init() {}

        /// Adds those of another run.
        package mutating func add(_ other: Counts) {
            for path in Self.paths { self[keyPath: path] += other[keyPath: path] }
        }

        private static var paths: [WritableKeyPath<Counts, Int>] {
            [
                \.calls, \.answered, \.refused, \.gaveUp, \.cancels, \.withinDialogs, \.forks, \.datagrams,
                \.lost, \.duplicated, \.delayed, \.processCrashes, \.gatewayCrashes, \.handedOver, \.failovers,
                \.transitions, \.statusRecords, \.routingChanges, \.clockSteps, \.serverCrashes, \.reports,
                \.operatorWords, \.searchesGivenUp, \.steps, \.checks,
            ]
        }
    }

    init(seed: UInt64) { self.seed = seed }

    /// One line, and more for what was broken.
    package var description: String {
        "seed \(seed): \(counts); \(lossPerMille) per mille lost, \(workerCount) workers; "
            + "digest \(String(digest, radix: 16))" + violations.map { "\n  broken: \($0)" }.joined()
            + trail.map { "\n    \($0)" }.joined()
    }

    mutating func digest(_ number: UInt64) { digest = Fingerprint.mixed(digest, number) }
}

extension SimulationReport.Counts: CustomStringConvertible {
    /// On one line.
    package var description: String {
        "\(calls) calls, \(answered) answered, \(refused) refused, \(gaveUp) given up; "
            + "\(cancels) CANCELs, \(withinDialogs) requests within dialogs, \(forks) forks; "
            + "\(datagrams) datagrams, \(lost) lost, \(duplicated) duplicated, \(delayed) delayed; "
            + "\(processCrashes) crashes of the process, \(gatewayCrashes) of gateways, \(serverCrashes) of redirect "
            + "servers, \(reports) reports; \(handedOver) handed over, \(failovers) failovers, "
            + "\(transitions) status changes, \(statusRecords) records, \(routingChanges) routing changes, "
            + "\(clockSteps) clock steps, \(operatorWords) words of the operator, "
            + "\(searchesGivenUp) searches given up; "
            + "\(steps) steps, \(checks) checks"
    }
}
