import SIPTransaction
import Testing
import Time

/// RFC 3261 table 4 and RFC 6026: every timer is made of T1, T2, T4 and D. Timer C is the response context's.
@Suite struct TimerSettingsTests {
    static let short: TimerSettings = {
        var settings = TimerSettings()
        (settings.t1, settings.t2) = (.milliseconds(100), .milliseconds(400))
        (settings.t4, settings.d) = (.seconds(1), .seconds(40))
        return settings
    }()

    @Test func `the RFC's defaults`() {
        let settings = TimerSettings()
        #expect(settings.t1 == .milliseconds(500))
        #expect(settings.t2 == .seconds(4))
        #expect(settings.t4 == .seconds(5))
        #expect(settings.d == .seconds(32))
        #expect(settings.transactionTimeout == .seconds(32))
    }

    @Test func `until Timer E is T2 (RFC 4320 section 4.1)`() {
        #expect(TimerSettings().tryingDelay == .milliseconds(3500))
        #expect(Self.short.tryingDelay == .milliseconds(300))
        var settings = TimerSettings()
        settings.t2 = settings.t1
        #expect(settings.tryingDelay == settings.t1)
        settings.t1 = .zero
        #expect(settings.tryingDelay == .zero)
    }

    @Test func `INVITE: A doubles from T1, B and M are 64 T1, D is D (§17.1.1)`() {
        let start = InviteClientTransaction(
            resendLimit: 10, responseTimeout: Self.short.transactionTimeout, timers: Self.short, reliable: false)
        var machine = start
        #expect(machine.take(.start) == [.send, arm(.a, 0.1), arm(.b, 6.4)])
        #expect(machine.take(.timer(.a), at: 0.1) == [.noResponseYet, .send, arm(.a, 0.3)])
        #expect(machine.take(.timer(.a), at: 0.3) == [.send, arm(.a, 0.7)], "without T2's limit")
        var answered = machine
        #expect(answered.take(.response(status: 200), at: 1) == [.deliver, arm(.m, 7.4)])
        #expect(machine.take(.response(status: 486), at: 1) == [.sendACK, .deliver, arm(.d, 41)])
    }

    @Test func `other requests: E doubles from T1 to T2, F is 64 T1, K is T4 (§17.1.2)`() {
        var machine = NonInviteClientTransaction(
            resendLimit: 10, responseTimeout: Self.short.transactionTimeout, timers: Self.short, reliable: false)
        #expect(machine.take(.start) == [.send, arm(.e, 0.1), arm(.f, 6.4)])
        #expect(machine.take(.timer(.e), at: 0.1) == [.send, arm(.e, 0.3)])
        #expect(machine.take(.timer(.e), at: 0.3) == [.send, arm(.e, 0.7)])
        #expect(machine.take(.timer(.e), at: 0.7) == [.send, arm(.e, 1.1)])
        #expect(machine.take(.response(status: 200), at: 1) == [.deliver, arm(.k, 2)])
    }

    @Test func `responses: G doubles from T1 to T2, H, J and L are 64 T1, I is T4 (§17.2, RFC 6026)`() {
        var machine = InviteServerTransaction(timers: Self.short, reliable: false)
        var answered = machine
        #expect(answered.take(.respond(status: 200)) == [.send, arm(.l, 6.4)])
        #expect(machine.take(.respond(status: 486)) == [.send, arm(.g, 0.1), arm(.h, 6.4)])
        #expect(machine.take(.timer(.g), at: 0.1) == [.send, arm(.g, 0.3)])
        #expect(machine.take(.timer(.g), at: 0.3) == [.send, arm(.g, 0.7)])
        #expect(machine.take(.timer(.g), at: 0.7) == [.send, arm(.g, 1.1)])
        #expect(machine.take(.ack, at: 1) == [.ackReceived, arm(.i, 2)])
        var other = NonInviteServerTransaction(timers: Self.short, reliable: false)
        #expect(other.take(.respond(status: 200)) == [.send, arm(.j, 6.4)])
    }
}
