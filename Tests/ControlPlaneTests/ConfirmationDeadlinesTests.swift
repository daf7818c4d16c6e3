import Fixtures
import Routing
import Store
import Testing
import Time

@testable import ControlPlane

@Suite struct ConfirmationDeadlinesTests {
    @Test func `whoever waits is woken when a change is due, neither before nor a second behind`() {
        let clock = StandingClock()
        let deadlines = ConfirmationDeadlines(clock: clock)
        var confirmations = PendingConfirmations()
        #expect(deadlines.pauseMilliseconds(confirmations) == nil)
        let due = Revision(7)
        confirmations.add(PendingConfirmation(of: due, by: clock.wallTime + .milliseconds(1500), [] as [Difference]))
        #expect(deadlines.pauseMilliseconds(confirmations) == 1000, "not at once as long as all that")
        clock.move(by: .milliseconds(600))
        #expect(deadlines.pauseMilliseconds(confirmations) == 901)
        clock.move(by: .microseconds(899_500))
        #expect(deadlines.pauseMilliseconds(confirmations) == 1, "half a millisecond is left")
        #expect(deadlines.due(confirmations).isEmpty)
        clock.move(by: .microseconds(500))
        #expect(deadlines.pauseMilliseconds(confirmations) == 1, "its time came while others were served")
        #expect(deadlines.due(confirmations) == [due])
        deadlines.note("disk full", against: due)
        #expect(deadlines.pauseMilliseconds(confirmations) == 1000, "it is not tried again without a rest")
        confirmations.remove(due)
        #expect(deadlines.pauseMilliseconds(confirmations) == nil)
    }
}
