import Routing
import Testing
import Time

/// One gateway in a table, and the rules that it lives by.
struct RuledGateway {
    let table = GatewayInformationTable()
    let slot: GatewaySlot
    var rules: StatusRules
    var now = Instant(nanoseconds: 1_000_000_000_000)

    init(
        recovery: RecoveryMode = .timed, causes: CauseSet = Gateway.standardOutOfServiceCauses,
        holdLimitSeconds: UInt32 = 600
    ) {
        slot = table.open(3)
        var timing = GatewayTiming(holdSeconds: 60)
        timing.holdLimitSeconds = holdLimitSeconds
        rules = StatusRules(timing: timing, outOfServiceCauses: causes, recovery: recovery)
    }

    var word: StatusWord { table.status(of: slot) }
    /// How long it is left out from now on, whole seconds.
    var leftOutSeconds: Int64? { word.timeValue.map { ($0 - now).nanoseconds / 1_000_000_000 } }

    @discardableResult func see(
        _ outcome: AttemptOutcome, retryAfter: Duration? = nil, begun: Instant? = nil,
        reporter: StatusReporter = .call
    ) -> StatusTransition? {
        table.observe(
            slot, outcome, retryAfter: retryAfter, of: rules, begun: begun ?? now, now: now, reporter: reporter)
    }

    /// Lets the time value come and the clock do its part.
    @discardableResult mutating func waitForTimeValue() -> StatusTransition? {
        if let timeValue = word.timeValue { now = timeValue }
        return table.recoverIfDue(slot, recovery: rules.recovery, now: now)
    }
}

@Suite struct StatusRuleTests {
    @Test func `silence, a transport error and 503 take a gateway out, each with its cause (API 6)`() throws {
        for (outcome, cause, status) in [
            (AttemptOutcome.noResponse, StatusCause.noResponse, 0), (.transportError, .transportError, 0),
            (.failureResponse(status: 503), .failureResponse, 503),
        ] {
            let gateway = RuledGateway()
            let change = try #require(gateway.see(outcome))
            #expect((change.before.status, change.after.status) == (.inService, .outOfService))
            #expect(change.after.cause == cause)
            #expect(change.sipStatus == UInt16(status))
            #expect(gateway.leftOutSeconds == 60)
            #expect(gateway.see(outcome) == nil, "it is out already: one record for one change")
            #expect(gateway.table.counts(of: gateway.slot).failed == 2)
            #expect(gateway.table.counts(of: gateway.slot).consecutiveFailures == 2)
        }
    }

    @Test func `busy, declined and not found are the callee's and cost the gateway nothing`() {
        for status in [404, 480, 486, 487, 600, 603, 500, 408] {
            let gateway = RuledGateway()
            #expect(gateway.see(.failureResponse(status: status)) == nil)
            #expect(gateway.word.status == .inService)
            let counts = gateway.table.counts(of: gateway.slot)
            #expect((counts.answered, counts.failed, counts.consecutiveFailures) == (1, 0, 0))
        }
    }

    @Test func `out_of_service_causes decide, whatever else the attempt says`() {
        let lenient = RuledGateway(causes: [.statusClass(5)])
        #expect(lenient.see(.noResponse) == nil)
        #expect(lenient.see(.transportError) == nil)
        #expect(lenient.table.counts(of: lenient.slot).consecutiveFailures == 2)
        #expect(lenient.see(.failureResponse(status: 504))?.after.cause == .failureResponse)
        let strict = RuledGateway(causes: [.status(408)])
        #expect(strict.see(.failureResponse(status: 503)) == nil)
        #expect(strict.see(.failureResponse(status: 408))?.sipStatus == 408)
    }

    @Test func `Retry-After sets the time value, up to a day, and nothing else does what it says`() {
        for (seconds, left, cause) in [
            (17, Int64(17), StatusCause.retryAfter), (0, 60, .failureResponse), (1_000_000, 86_400, .retryAfter),
        ] {
            let gateway = RuledGateway()
            let change = gateway.see(.failureResponse(status: 503), retryAfter: .seconds(seconds))
            #expect(change?.after.cause == cause)
            #expect(gateway.leftOutSeconds == left)
        }
        let busy = RuledGateway()
        #expect(busy.see(.failureResponse(status: 486), retryAfter: .seconds(17)) == nil)
    }

    @Test func `the hold doubles at each repeat without a success between, up to hold_max_s`() {
        var gateway = RuledGateway()
        for seconds in [60, 120, 240, 480, 600, 600] {
            #expect(gateway.see(.noResponse) != nil)
            #expect(gateway.leftOutSeconds == Int64(seconds))
            #expect(gateway.waitForTimeValue()?.after.cause == .timeValueReached)
        }
        gateway.see(.answered)
        gateway.see(.noResponse)
        #expect(gateway.leftOutSeconds == 60, "a success between")
    }

    @Test func `a hold that is longer than hold_max_s stays as it is`() {
        var gateway = RuledGateway(holdLimitSeconds: 10)
        for _ in 0..<3 {
            gateway.see(.noResponse)
            #expect(gateway.leftOutSeconds == 60)
            gateway.waitForTimeValue()
        }
    }

    @Test func `an answer ends what silence began, and not what the gateway said of itself`() {
        for (outcome, isEnded) in [
            (AttemptOutcome.noResponse, true), (.transportError, true), (.failureResponse(status: 503), false),
        ] {
            let gateway = RuledGateway()
            gateway.see(outcome)
            let change = gateway.see(.answered)
            #expect((change != nil) == isEnded)
            #expect(change?.after.cause ?? .callAnswered == .callAnswered)
            #expect((gateway.word.status == .inService) == isEnded)
        }
        let busy = RuledGateway()
        busy.see(.noResponse)
        #expect(busy.see(.failureResponse(status: 486))?.after.cause == .callAnswered, "it lives")
    }

    @Test func `timed: back at the time value and no moment before`() throws {
        var gateway = RuledGateway()
        gateway.see(.noResponse)
        let timeValue = try #require(gateway.word.timeValue)
        gateway.now = Instant(nanoseconds: timeValue.nanoseconds - 1)
        #expect(gateway.table.recoverIfDue(gateway.slot, now: gateway.now) == nil)
        #expect(gateway.waitForTimeValue()?.reporter == .clock)
        #expect(gateway.word.timeValue == nil)
    }

    @Test func `trial: the time value alone puts nothing back, the trial's answer does`() {
        var gateway = RuledGateway(recovery: .trial)
        gateway.see(.noResponse)
        #expect(!gateway.table.claimTrial(gateway.slot, now: gateway.now, lease: .seconds(300)), "not yet due")
        #expect(gateway.waitForTimeValue() == nil)
        #expect(gateway.table.isTrialFree(gateway.slot, gateway.now))
        #expect(gateway.table.claimTrial(gateway.slot, now: gateway.now, lease: .seconds(300)))
        #expect(!gateway.table.claimTrial(gateway.slot, now: gateway.now, lease: .seconds(300)))
        #expect(!gateway.table.isTrialFree(gateway.slot, gateway.now))
        #expect(gateway.see(.answered)?.after.cause == .trialAnswered)
        #expect(gateway.word.status == .inService)
    }

    @Test func `trial: a failure doubles the hold, as a change from out-of-service to out-of-service`() throws {
        var gateway = RuledGateway(recovery: .trial)
        gateway.see(.failureResponse(status: 503))
        for seconds in [120, 240] {
            gateway.waitForTimeValue()
            #expect(gateway.table.claimTrial(gateway.slot, now: gateway.now, lease: .seconds(300)))
            let begun = gateway.now
            gateway.now = begun + .seconds(2)
            let change = try #require(gateway.see(.noResponse, begun: begun))
            #expect((change.before.status, change.after.status) == (.outOfService, .outOfService))
            #expect(change.after.cause == .noResponse)
            #expect(gateway.leftOutSeconds == Int64(seconds))
            #expect(!gateway.table.claimTrial(gateway.slot, now: gateway.now, lease: .seconds(300)))
        }
    }

    @Test func `trial: a call that was under way before is no trial`() {
        var gateway = RuledGateway(recovery: .trial)
        let begun = gateway.now
        gateway.see(.failureResponse(status: 503))
        gateway.waitForTimeValue()
        #expect(gateway.see(.noResponse, begun: begun) == nil)
        #expect(gateway.see(.answered, begun: begun) == nil)
        #expect(gateway.word.status == .outOfService)
    }

    @Test func `trial: the place is free again when it is given back, or when the lease is over`() {
        var gateway = RuledGateway(recovery: .trial)
        gateway.see(.noResponse)
        gateway.waitForTimeValue()
        #expect(gateway.table.claimTrial(gateway.slot, now: gateway.now, lease: .seconds(30)))
        gateway.table.endTrial(gateway.slot)
        #expect(gateway.table.claimTrial(gateway.slot, now: gateway.now, lease: .seconds(30)))
        gateway.now = gateway.now + .seconds(30)
        #expect(gateway.table.claimTrial(gateway.slot, now: gateway.now, lease: .seconds(30)))
    }

    @Test func `probe: neither the time value nor a call puts it back`() {
        var gateway = RuledGateway(recovery: .probe)
        gateway.see(.noResponse)
        #expect(gateway.see(.answered) == nil)
        #expect(gateway.waitForTimeValue() == nil)
        #expect(gateway.see(.answered) == nil)
        let change = gateway.table.putBack(gateway.slot, probed: 200, now: gateway.now) { _ in true }
        #expect(change?.after.cause == .probeAnswered)
    }

    @Test func `the operator's word: nobody overrules it before its time, and he ends any out-of-service`() {
        var gateway = RuledGateway()
        let until = gateway.now + .seconds(3600)
        let order = gateway.table.order(gateway.slot, .outOfService, until: until, now: gateway.now)
        #expect(order?.after.cause == .operatorWord)
        #expect(order?.reporter == .operatorWord)
        #expect(gateway.see(.answered) == nil)
        #expect(gateway.see(.noResponse) == nil)
        #expect(gateway.see(.answered, reporter: .reported) == nil)
        #expect(!gateway.word.isOfSilence, "no probe either")
        #expect(gateway.word.timeValue.map { $0 >= until } == true)
        #expect(gateway.table.order(gateway.slot, .outOfService, until: until, now: gateway.now) == nil, "as before")
        #expect(gateway.table.order(gateway.slot, .inService, now: gateway.now)?.after.cause == .operatorWord)
        #expect(gateway.table.order(gateway.slot, .inService, now: gateway.now) == nil)
        gateway.see(.failureResponse(status: 503), retryAfter: .seconds(900))
        #expect(gateway.table.order(gateway.slot, .inService, now: gateway.now)?.after.status == .inService)
        _ = gateway.table.order(gateway.slot, .outOfService, until: until, now: gateway.now)
        #expect(gateway.waitForTimeValue()?.after.cause == .timeValueReached, "then as its recovery says")
    }

    @Test func `the operator's word without an end lasts until he says otherwise`() {
        var gateway = RuledGateway()
        _ = gateway.table.order(gateway.slot, .outOfService, now: gateway.now)
        #expect(gateway.word.timeValue == nil)
        gateway.now = gateway.now + .seconds(1 << 30)
        #expect(!gateway.word.isUsable(at: gateway.now))
        #expect(gateway.waitForTimeValue() == nil)
    }

    @Test func `the operator's out-of-service replaces cause and time value of a gateway that is out already`() throws {
        let gateway = RuledGateway()
        gateway.see(.noResponse)
        let until = gateway.now + .seconds(3600)
        let change = try #require(gateway.table.order(gateway.slot, .outOfService, until: until, now: gateway.now))
        #expect((change.before.cause, change.after.cause) == (.noResponse, .operatorWord))
        #expect(gateway.leftOutSeconds == 3600)
        #expect(change.after.changeCount == change.before.changeCount + 1)
    }

    @Test func `reports follow the same rules, under their own cause and reporter`() {
        let gateway = RuledGateway()
        let out = gateway.see(.noResponse, reporter: .reported)
        #expect((out?.after.cause?.name, out?.reporter) == ("reported", .reported))
        #expect(gateway.see(.answered, reporter: .reported)?.after.cause == .reported)
        #expect(gateway.table.responseTimes(of: gateway.slot) == nil, "nobody knows when it began")
        gateway.see(.failureResponse(status: 503), retryAfter: .seconds(5), reporter: .reported)
        #expect(gateway.leftOutSeconds == 5)
        #expect(gateway.see(.answered, reporter: .reported) == nil, "what the gateway said of itself lasts")
    }

    @Test func `while our own network is suspected silence takes nothing out, and a 503 does`() {
        let gateway = RuledGateway()
        gateway.table.holdStatus(true)
        #expect(gateway.see(.noResponse) == nil)
        #expect(gateway.see(.transportError) == nil)
        #expect(
            gateway.table.takeOut(
                gateway.slot, probed: gateway.rules, cause: .probeNoResponse, now: gateway.now, sipStatus: 0) == nil)
        #expect(gateway.see(.failureResponse(status: 503)) != nil)
        gateway.table.holdStatus(false)
        #expect(!gateway.table.isNetworkSuspected)
    }

    @Test func `a gateway's successor in the row is neither blamed nor praised, nor counted for`() {
        let gateway = RuledGateway()
        #expect(gateway.table.beginCall(gateway.slot, limits: CallLimits(), now: gateway.now))
        let successor = gateway.table.open(3)
        #expect(gateway.see(.noResponse) == nil)
        #expect(gateway.see(.answered) == nil)
        #expect(gateway.table.order(gateway.slot, .outOfService, now: gateway.now) == nil)
        #expect(!gateway.table.beginCall(gateway.slot, limits: CallLimits(), now: gateway.now))
        #expect(gateway.table.beginCall(successor, limits: CallLimits(), now: gateway.now))
        gateway.table.endCall(gateway.slot)
        #expect(gateway.table.liveCalls(successor) == 1)
        let counts = gateway.table.counts(of: successor)
        #expect((counts.answered, counts.failed) == (0, 0))
        #expect(gateway.table.lastChange(of: successor) == nil)
    }
}
