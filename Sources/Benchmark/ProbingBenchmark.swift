import Addressing
import CInstruments
import ControlPlane
import Foundation
import NetworkManager
import Routing
import SIPTransaction
import SignallingCore
import SignallingIO
import Store
import Synchronization
package import Time

/// What it costs to ask very many gateways whether they are there: the data plane with its workers and sockets, and the
/// network manager that looks at the table four times a second, as in the process; one socket on the loopback answers
/// for all gateways. The CPU time is that of the whole process without the thread that answers. The kernel carries a
/// datagram to its receiver on the sender's time: what the answers cost there is told of the answering side, what the
/// questions cost there of ours, and the one makes up for the other.
package struct ProbingBenchmark {
    /// How much is measured.
    package struct Settings: Sendable {
        /// Gateways that are asked, each at an address of its own.
        package var gatewayCount = 10_000
        /// How often each is asked.
        package var intervalSeconds = 30
        /// How long is measured: in a whole interval each is asked once.
        package var seconds = 30
        /// How long nothing is measured before, so that all are known to the schedule.
        package var warmUp: Duration = .seconds(3)
        /// Workers, as `tandem serve --workers`; nil: one a processor.
        package var workerCount: Int?
        /// Where the folder of the database is made.
        package var folder: String

        /// The figures of the budget, in this folder.
        package init(folder: String) { self.folder = folder }
    }

    private static let percentBudget = 2.0
    /// The counts of workers are up to 100 ms old, and a turn may fall on either side of the end.
    private static let missingPercentBudget = 1.0
    private static let sweepSeconds = 0.25

    private let settings: Settings

    /// A measurement that has not begun.
    package init(_ settings: Settings) { self.settings = settings }

    /// Measures.
    package func run(clock: some TimeSource) throws(BenchmarkFailure) -> BenchmarkFigures {
        try BenchmarkFolder.lend(in: settings.folder) { try measure(in: $0, clock) }
    }

    private func measure(in folder: String, _ clock: some TimeSource) throws -> BenchmarkFigures {
        let gateways = try AnsweringGateways()
        let store = try Store(path: folder + "/tandem.db", node: "bench", at: clock.wallTime)
        defer { store.close() }
        let control = try ControlPlane(store: store, changeLog: nil, clock: clock)
        control.start()
        defer { control.stop() }
        let scenery = ProbingScenery(
            gatewayCount: settings.gatewayCount, intervalSeconds: settings.intervalSeconds, port: gateways.port)
        try control.wait(for: try scenery.change())
        let (fault, networkManager) = (Fault(), control.networkManager)
        let plane = try DataPlane(
            settings: dataPlaneSettings, cell: control.snapshots, table: control.table,
            onTransitions: { networkManager.receive($0) }, onFault: { fault.note($0) })
        let answering = RepeatingThread { gateways.answer() }
        defer { answering.stop() }
        let sweeper = RepeatingThread {
            networkManager.sweep()
            Thread.sleep(forTimeInterval: Self.sweepSeconds)
        }
        defer { sweeper.stop() }
        try plane.start()
        defer { plane.stop() }
        Thread.sleep(forTimeInterval: Double(settings.warmUp.nanoseconds) / 1e9)
        let figures = figures(of: plane, control.table, answering, clock)
        if let line = fault.line { throw BenchmarkFailure(detail: line) }
        return figures
    }

    private func figures(
        of plane: DataPlane, _ table: GatewayInformationTable, _ answering: RepeatingThread, _ clock: some TimeSource
    ) -> BenchmarkFigures {
        let (before, begin) = (plane.counters().signalling, clock.now)
        let (cpuBefore, answeringBefore) = (cins_process_cpu_nanoseconds(), answering.cpuNanoseconds)
        Thread.sleep(forTimeInterval: Double(settings.seconds))
        let cpuAnswering = answering.cpuNanoseconds - answeringBefore
        let cpu = cins_process_cpu_nanoseconds() - cpuBefore - cpuAnswering
        let (after, elapsed) = (plane.counters().signalling, Double(max(1, (clock.now - begin).nanoseconds)))
        let count = after.probes - before.probes
        let due = Double(settings.gatewayCount) * elapsed / 1e9 / Double(max(1, settings.intervalSeconds))
        let outCount = (0..<table.rowLimit).count {
            table.word(at: UInt16(truncatingIfNeeded: $0)).status == .outOfService
        }
        var figures = BenchmarkFigures("probing")
        figures.add("gateways", Double(settings.gatewayCount))
        figures.add("interval", Double(settings.intervalSeconds), "s")
        figures.add("workers", Double(plane.workerCount))
        figures.add("probes", Double(count))
        figures.add(
            "probes_missing", max(0, 1 - Double(count) / max(1, due)) * 100, "%", budget: Self.missingPercentBudget)
        figures.add("probes_failed", Double(after.probesFailed - before.probesFailed), budget: 0)
        figures.add("gateways_out_of_service", Double(outCount), budget: 0)
        figures.add("cpu_per_probe", Double(cpu) / 1e3 / Double(max(1, count)), "us")
        figures.add("cpu_of_answering", Double(cpuAnswering) * 100 / elapsed, "%")
        figures.add("cpu_of_a_core", Double(cpu) * 100 / elapsed, "%", budget: Self.percentBudget)
        return figures
    }

    private var dataPlaneSettings: DataPlaneSettings {
        let address = TransportAddress(.udp, IPAddress(ipv4: 0x7F00_0001), port: 0)
        var generator = SystemRandomNumberGenerator()
        var planeSettings = DataPlaneSettings(
            listeners: [
                .init(role: .proxy, address: address, isAlsoOverTCP: true),
                .init(role: .redirect, address: address, isAlsoOverTCP: true),
            ], routeSecret: KeyedHash.Key(generator.next(), generator.next()), serverName: "Tandem/bench")
        planeSettings.workerCount = settings.workerCount
        return planeSettings
    }

    /// A line about what can't go on.
    private final class Fault: Sendable {
        private let noted = Mutex<String?>(nil)

        var line: String? { noted.withLock { $0 } }

        func note(_ line: String) { noted.withLock { $0 = line } }
    }
}
