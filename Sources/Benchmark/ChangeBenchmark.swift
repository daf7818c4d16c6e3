import ControlPlane
import Foundation
import JSON
import Routing
import Store
import Synchronization
package import Time

/// What a change of the routing data costs with very many routes loaded, what it does to calls, and how soon a start
/// with them takes calls: on a real database, in a folder of its own that is gone afterwards.
package struct ChangeBenchmark {
    /// How much is measured.
    package struct Settings: Sendable {
        /// Routes of the database.
        package var routeCount = 1_000_000
        /// Changes that are timed, each beside a bare commit.
        package var changeCount = 500
        /// Changes a second while calls are timed.
        package var changesPerSecond = 1000
        /// How long calls are timed, half of it while changes come.
        package var secondsOfCalls = 10
        /// Where the folder is made: the budgets are for the file system that the database will be on.
        package var folder: String

        /// The figures of the budgets, in this folder.
        package init(folder: String) { self.folder = folder }
    }

    private static let startMillisecondsBudget = 2000.0
    private static let commitRatioBudget = 2.0
    private static let latencyRatioBudget = 1.2

    private let settings: Settings

    /// A measurement that has not begun.
    package init(_ settings: Settings) { self.settings = settings }

    /// Measures.
    package func run(clock: some TimeSource) throws(BenchmarkFailure) -> BenchmarkFigures {
        try BenchmarkFolder.lend(in: settings.folder) { try measure(in: $0, clock) }
    }

    private func measure(in folder: String, _ clock: some TimeSource) throws -> BenchmarkFigures {
        var figures = BenchmarkFigures("change")
        let scenery = ChangeScenery(path: folder + "/tandem.db", routeCount: settings.routeCount)
        try scenery.fill(clock)

        let begin = clock.now
        let store = try Store(path: scenery.path, node: "bench", at: clock.wallTime)
        defer { store.close() }
        let opened = clock.now
        let plane = try ControlPlane(store: store, changeLog: nil, clock: clock)
        let loaded = clock.now
        var calls = RedirectCalls(numbers: scenery.numbers)
        var worker = BenchedWorker(table: plane.table)
        PinnedSnapshot.lending(plane.snapshots.latest) { calls.place(isWhole: true, in: &worker, $0) }
        figures.add("routes", Double(scenery.routeCount))
        figures.add("start_open_and_check", Double((opened - begin).nanoseconds) / 1e6, "ms")
        figures.add("start_load", Double((loaded - opened).nanoseconds) / 1e6, "ms")
        figures.add(
            "start_to_first_call", Double((clock.now - begin).nanoseconds) / 1e6, "ms",
            budget: Self.startMillisecondsBudget)

        plane.start()
        defer { plane.stop() }
        try timeChanges(of: plane, scenery, folder, clock, into: &figures)
        timeCalls(&calls, &worker, plane, scenery, clock, into: &figures)
        guard calls.failedCount == 0 else { throw BenchmarkFailure(detail: "\(calls.failedCount) calls went wrong") }
        return figures
    }

    /// Each change after a bare commit, so that both see the same disk.
    private func timeChanges(
        of plane: ControlPlane, _ scenery: ChangeScenery, _ folder: String, _ clock: some TimeSource,
        into figures: inout BenchmarkFigures
    ) throws {
        let bare = try BareCommits(path: folder + "/bare.db")
        var (commits, changes) = (DurationHistogram(), DurationHistogram())
        let warmUpCount = min(20, settings.changeCount)
        for index in 0..<settings.changeCount + warmUpCount {
            let (prefix, list) = scenery.change(index)
            let begin = clock.now
            try bare.insert(prefix, "{\"routing_list\":\"\(list)\"}")
            let middle = clock.now
            try plane.wait(for: scenery.put(prefix, list))
            let end = clock.now
            guard index >= warmUpCount else { continue }
            commits.add(nanoseconds: (middle - begin).nanoseconds)
            changes.add(nanoseconds: (end - middle).nanoseconds)
        }
        for (name, times) in [("bare_commit", commits), ("change", changes)] {
            figures.add("\(name)_p50", Double(times.quantile(0.5)) / 1e3, "us")
            figures.add("\(name)_p99", Double(times.quantile(0.99)) / 1e3, "us")
            figures.add("\(name)_max", Double(times.maximum) / 1e3, "us")
        }
        let ratio = Double(changes.quantile(0.5)) / Double(max(1, commits.quantile(0.5)))
        figures.add("change_to_bare_commit", ratio, budget: Self.commitRatioBudget)
    }

    /// A second without changes, a second with them, and so on, so that both see the same neighbours on the machine.
    private func timeCalls(
        _ calls: inout RedirectCalls, _ worker: inout BenchedWorker, _ plane: ControlPlane, _ scenery: ChangeScenery,
        _ clock: some TimeSource, into figures: inout BenchmarkFigures
    ) {
        guard var reader = plane.snapshots.makeReader() else { return }
        let pace = ChangePace(plane, scenery, perSecond: settings.changesPerSecond, clock: clock)
        let step = Duration.microseconds(500)
        // Transactions live for 33 s of the worker's time; then as many end as begin.
        for _ in 0..<33 * 2000 {
            reader.withSnapshot { snapshot in
                calls.place(isWhole: true, in: &worker, snapshot)
                worker.pass(step, snapshot)
            }
        }
        var (idle, changing) = (DurationHistogram(), DurationHistogram())
        var changingTime = Duration.zero
        for second in 0..<max(2, settings.secondsOfCalls) {
            let isChanging = second % 2 == 1
            pace.isOn = isChanging
            let begin = clock.now
            var before = begin
            while before < begin + .seconds(1) {
                reader.withSnapshot { snapshot in
                    calls.place(isWhole: true, in: &worker, snapshot)
                    worker.pass(step, snapshot)
                }
                let after = clock.now
                if isChanging {
                    changing.add(nanoseconds: (after - before).nanoseconds)
                } else {
                    idle.add(nanoseconds: (after - before).nanoseconds)
                }
                before = after
            }
            if isChanging { changingTime = changingTime + (before - begin) }
            pace.isOn = false
            pace.drain()
        }
        pace.end()
        let seconds = Double(max(1, changingTime.nanoseconds)) / 1e9
        figures.add("changes_while_calls", Double(pace.doneCount) / seconds, "/s")
        figures.add("changes_refused", Double(pace.refusedCount), budget: 0)
        for (name, times) in [("call_idle", idle), ("call_changing", changing)] {
            figures.add("\(name)_p50", Double(times.quantile(0.5)) / 1e3, "us")
            figures.add("\(name)_p999", Double(times.quantile(0.999)) / 1e3, "us")
        }
        let ratio = Double(changing.quantile(0.999)) / Double(max(1, idle.quantile(0.999)))
        figures.add("call_p999_to_idle", ratio, budget: Self.latencyRatioBudget)
    }
}

extension ControlPlane {
    /// Submits and waits until it is in force.
    func wait(for change: Change) throws {
        let done = DispatchSemaphore(value: 0)
        let refusal = Mutex<Refusal?>(nil)
        submit(change) { result in
            if case .failure(let reason) = result { refusal.withLock { $0 = reason } }
            done.signal()
        }
        done.wait()
        if let refusal = refusal.withLock({ $0 }) { throw BenchmarkFailure(detail: refusal.detail) }
    }
}

/// Submits so many changes a second from a thread of its own, while it is on.
private final class ChangePace: Sendable {
    private let shared = Shared()
    private let ended = DispatchSemaphore(value: 0)

    private final class Shared: Sendable {
        let isOn = Atomic(false)
        let isEnded = Atomic(false)
        let submitted = Atomic(0)
        let done = Atomic(0)
        let refused = Atomic(0)
    }

    init(_ plane: ControlPlane, _ scenery: ChangeScenery, perSecond: Int, clock: some TimeSource) {
        let step = Duration.nanoseconds(1_000_000_000 / Int64(max(1, perSecond)))
        let thread = Thread { [shared, ended] in
            var due = clock.now
            while !shared.isEnded.load(ordering: .relaxed) {
                let now = clock.now
                if !shared.isOn.load(ordering: .relaxed) { due = now }
                guard shared.isOn.load(ordering: .relaxed), now >= due else {
                    Thread.sleep(forTimeInterval: 0.000_2)
                    continue
                }
                due = due + step
                let index = shared.submitted.wrappingAdd(1, ordering: .relaxed).newValue
                let (prefix, list) = scenery.change(1_000_000 + index)
                plane.submit(scenery.put(prefix, list)) { result in
                    if case .failure = result { shared.refused.wrappingAdd(1, ordering: .relaxed) }
                    shared.done.wrappingAdd(1, ordering: .releasing)
                }
            }
            ended.signal()
        }
        thread.start()
    }

    var isOn: Bool {
        get { shared.isOn.load(ordering: .relaxed) }
        set { shared.isOn.store(newValue, ordering: .relaxed) }
    }

    var doneCount: Int { shared.done.load(ordering: .acquiring) }
    var refusedCount: Int { shared.refused.load(ordering: .relaxed) }

    /// Waits until nothing is under way.
    func drain() {
        while doneCount < shared.submitted.load(ordering: .relaxed) { Thread.sleep(forTimeInterval: 0.001) }
    }

    func end() {
        shared.isEnded.store(true, ordering: .relaxed)
        ended.wait()
        drain()
    }
}
