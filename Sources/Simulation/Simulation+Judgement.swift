import SignallingCore
import Time

// What is left when all is over.
extension Simulation {
    mutating func judge() {
        report.counts.calls = callers.count
        report.counts.failovers = failoversBefore
        (report.counts.cancels, report.counts.withinDialogs) = (callWatch.cancelCount, callWatch.withinDialogCount)
        for gateway in gateways {
            report.violations += gateway.violations
            report.counts.forks += gateway.forkCount
        }
        for caller in callers { report.violations += caller.violations }
        for worker in workers { report.counts.failovers += Int(clamping: worker.counters.failovers) }
        report.counts.checks += callWatch.checkCount + statusWatch.checkCount + recordWatch.checkCount
        for caller in callers { count(caller) }
        // A run that was broken off ends in the middle of calls.
        guard report.violations.isEmpty else { return }
        for caller in callers { judge(caller) }
        callWatch.judge(now)
        report.violations += callWatch.violations
        for number in workers.indices { judge(number) }
        if keeper != nil { recordWatch.judge(now) }
        takeRecordViolations()
    }

    private mutating func count(_ caller: SimulatedCaller) {
        switch caller.end {
        case .answered: report.counts.answered += 1
        case .refused: report.counts.refused += 1
        case .gaveUp, nil: report.counts.gaveUp += 1
        }
    }

    private mutating func judge(_ caller: SimulatedCaller) {
        report.counts.checks += 1
        switch caller.end {
        case .answered, .refused: break
        case .gaveUp:
            // Behind the proxy nobody waits for a gateway that has died; the redirected look after themselves.
            guard report.lossPerMille == 0, report.counts.processCrashes == 0, !caller.isRedirected else { return }
            report.violations.append(Violation(.everyCallEnds, call: caller.number, now, "the caller waited in vain"))
        case nil: report.violations.append(Violation(.everyCallEnds, call: caller.number, now, "it never ended"))
        }
    }

    /// Tables, chains, counters and timers of a worker are as they were in the beginning.
    private mutating func judge(_ worker: Int) {
        report.counts.checks += 1
        let inspection = workers[worker].inspection
        let timers = workers[worker].timerCount
        guard inspection != .init() || timers > 0 else { return }
        let detail = "worker \(worker) holds \(inspection) and \(timers) timers"
        report.violations.append(Violation(.emptyAtTheEnd, call: nil, now, detail))
    }
}
