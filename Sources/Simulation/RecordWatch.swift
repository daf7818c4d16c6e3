import Routing
import Time

/// Holds the status records against the table: a record for each change, none without one, in the order of the changes.
///
/// It looks at the table's words itself, so that a change that nobody speaks of is seen as well. Of a gateway whose
/// transition was lost on its way to the keeper, one record may stand for several changes; what it says must have
/// been so, and the last one must say what is.
struct RecordWatch {
    private struct History {
        let slot: GatewaySlot
        /// The table's word before and after each change.
        var words: [StatusWord]
        var times: [Instant] = []
        /// How many changes have their record.
        var recordedCount = 0
        var lastRecorded = GatewayStatus.inService
        /// What the last record speaks of, and when that was; before the first: how it began.
        var recordedWord: StatusWord
        var recordedAt = Simulation.origin
        var hasGaps = false
    }

    /// How long the way of a change to the disk may be: hand-over, two sweeps, a disk that is not well.
    private static let recordingLimit = Duration.seconds(10)

    private var histories: [History] = []
    private var numbers: [String: Int] = [:]
    /// By how much the wall clock was ever set.
    private var steps: [Duration] = [.zero]
    private(set) var recordCount = 0
    private(set) var checkCount = 0
    var violations: [Violation] = []

    /// A gateway that nothing has happened to.
    mutating func add(_ gateway: String, _ slot: GatewaySlot, _ table: GatewayInformationTable) {
        numbers[gateway] = histories.count
        let word = table.status(of: slot)
        histories.append(History(slot: slot, words: [word], recordedWord: word))
    }

    mutating func noteStep(_ step: Duration) { steps.append(step) }

    /// A change that a worker speaks of.
    mutating func note(_ transition: StatusTransition, of number: Int, _ now: Instant) {
        histories[number].words.append(transition.after)
        histories[number].times.append(now)
    }

    /// A transition will not come to the keeper.
    mutating func noteLost(_ number: Int) { histories[number].hasGaps = true }

    /// Compares the table with what was spoken of.
    ///
    /// - Parameter isSweep: the keeper has swept, who makes changes and speaks of them in his records alone.
    /// - Returns: what he has changed.
    mutating func compare(
        _ table: GatewayInformationTable, isSweep: Bool, _ now: Instant
    ) -> [(number: Int, transition: StatusTransition)] {
        var found: [(number: Int, transition: StatusTransition)] = []
        for number in histories.indices {
            let word = table.status(of: histories[number].slot)
            guard let last = histories[number].words.last, word != last else { continue }
            let isNext = word.changeCount == (last.changeCount + 1) % StatusWord.changeCountModulus
            check(isSweep && isNext, now, "gateway \(number) is changed and nobody said so")
            let transition = StatusTransition(
                slot: histories[number].slot, before: last, after: word, at: now, reporter: .clock)
            note(transition, of: number, now)
            found.append((number, transition))
        }
        checkCount += histories.count
        return found
    }

    /// A record, as it was written.
    mutating func note(_ record: KeptRecord, _ clock: SimulatedClock, _ now: Instant) {
        recordCount += 1
        guard let number = numbers[record.gateway] else {
            check(false, now, "a record of \(record.gateway), which is no gateway")
            return
        }
        let history = histories[number]
        var place = history.recordedCount
        if history.hasGaps {
            while place < history.times.count, !fits(record, history.words[place + 1], clock) { place += 1 }
        }
        let isChange = place < history.times.count && fits(record, history.words[place + 1], clock)
        check(isChange, now, "a record of \(record.gateway) without a change: \(record)")
        guard isChange else { return }
        let before = history.hasGaps ? history.lastRecorded : history.words[place].status
        check(record.from == before, now, "a record of \(record.gateway) from \(record.from), and it was \(before)")
        (histories[number].recordedCount, histories[number].lastRecorded) = (place + 1, record.to)
        (histories[number].recordedWord, histories[number].recordedAt) = (
            history.words[place + 1], history.times[place]
        )
    }

    private func fits(_ record: KeptRecord, _ word: StatusWord, _ clock: SimulatedClock) -> Bool {
        guard record.to == word.status, record.cause == word.cause else { return false }
        guard let timeValue = word.timeValue, let shown = record.timeValue else {
            return word.timeValue == nil && record.timeValue == nil
        }
        return steps.contains { step in
            let wanted = clock.wallTime(of: timeValue, afterStep: step)
            return shown < wanted + .seconds(1) && wanted < shown + .seconds(1)
        }
    }

    /// Every change that is so old must have its record.
    mutating func lookForMissing(_ now: Instant) {
        for number in histories.indices where !histories[number].hasGaps {
            let (recorded, times) = (histories[number].recordedCount, histories[number].times)
            guard recorded < times.count, now - times[recorded] > Self.recordingLimit else { continue }
            check(false, now, "no record of change \(recorded + 1) of gateway \(number)")
            histories[number].hasGaps = true  // told once
        }
    }

    /// The process has died, and one begins anew with what is recorded. What was not recorded has never been; the
    /// record stays what the next one begins with, as long as nothing changes.
    mutating func restart(_ table: GatewayInformationTable, _ clock: SimulatedClock, _ now: Instant) {
        for number in histories.indices {
            let word = table.status(of: histories[number].slot)
            let isAsRecorded = isAsRecorded(word, histories[number], clock, now)
            checkCount += 1
            if !isAsRecorded {
                let text =
                    "gateway \(number) begins as \(word.said), and \(histories[number].recordedWord.said) is recorded"
                violations.append(Violation(.restored, call: nil, now, text))
            }
            histories[number].words = [word]
            histories[number].times.removeAll()
            (histories[number].recordedCount, histories[number].hasGaps) = (0, false)
            histories[number].lastRecorded = word.status
        }
    }

    /// True for a word with the recorded status, cause and time value. That came by the wall clock, which may have been
    /// set since the record; where it was set back, no hold of a call's or a probe's begins to be longer than it was.
    private func isAsRecorded(_ word: StatusWord, _ history: History, _ clock: SimulatedClock, _ now: Instant) -> Bool {
        let recorded = history.recordedWord
        guard word.status == recorded.status, word.cause == recorded.cause else { return false }
        guard let timeValue = word.timeValue, let wanted = recorded.timeValue else {
            return word.timeValue == nil && recorded.timeValue == nil
        }
        let limit = recorded.cause == .operatorWord ? nil : now + (wanted - history.recordedAt)
        return steps.contains { step in
            let shifted = wanted + (step - clock.step)
            let expected = max(limit.map { min($0, shifted) } ?? shifted, Instant(nanoseconds: 0))
            return timeValue - expected < .seconds(1) && expected - timeValue < .seconds(1)
        }
    }

    /// In the end all is recorded.
    mutating func judge(_ now: Instant) {
        for (number, history) in histories.enumerated() {
            let isComplete = history.recordedCount == history.times.count
            let isCurrent = history.words.last?.status == history.lastRecorded
            check(
                isCurrent && (isComplete || history.hasGaps), now,
                "gateway \(number): \(history.times.count) changes, \(history.recordedCount) recorded")
        }
    }

    private mutating func check(_ holds: Bool, _ now: Instant, _ detail: @autoclosure () -> String) {
        checkCount += 1
        if !holds { violations.append(Violation(.recordForChange, call: nil, now, detail())) }
    }
}

extension StatusWord {
    /// For a report.
    fileprivate var said: String {
        let until = timeValue.map { " until \(($0 - Simulation.origin).milliseconds) ms" } ?? ""
        return "\(status.rawValue) by \(cause?.name ?? "no cause")\(until)"
    }
}
