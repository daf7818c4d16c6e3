import Proxy
import Routing
import Testing
import Time

/// A response context under virtual time: what it was given, what it said.
struct ContextBench {
    var context: ResponseContext
    var now = Instant(nanoseconds: 1_000_000_000)
    var rules = AttemptRules(answerTimeout: .seconds(200))
    private(set) var observed: [ResponseContext.Observation] = []
    private(set) var ends: [AttemptEnd] = []
    /// When it wants to be woken next.
    private(set) var armed: [Instant] = []

    /// A context that has begun.
    ///
    /// - Parameter asking: whether the targets are redirect servers.
    init(
        invite: Bool = true, targets: Int = 3, giveUpAfter: Duration? = nil, asking: Bool = false,
        changing change: (inout AttemptRules) -> Void = { _ in }
    ) {
        context = ResponseContext(
            isInvite: invite, targetCount: targets, giveUpAfter: giveUpAfter, tryingDelay: .milliseconds(3500),
            isAsking: asking)
        change(&rules)
        _ = give(.begin)
    }

    /// Its actions, without what it observed of gateways, attempts' ends and timers.
    mutating func give(_ event: ResponseContext.Event) -> [ResponseContext.Action] {
        var actions: [ResponseContext.Action] = []
        let rules = rules
        context.receive(event, now: now, rules: { _ in rules }, into: &actions)
        return actions.filter { action in
            switch action {
            case .observe(_, let observation): observed.append(observation)
            case .ended(_, let end): ends.append(end)
            case .arm(let at): armed.append(at)
            case .armTrying: break
            default: return true
            }
            return false
        }
    }

    /// Lets time pass and wakes it at each instant that it asked for.
    mutating func advance(_ duration: Duration) -> [ResponseContext.Action] {
        let end = now + duration
        var actions: [ResponseContext.Action] = []
        while let next = armed.min(), next <= end {
            armed.removeAll { $0 == next }
            now = next
            actions += give(.deadline)
        }
        now = end
        return actions
    }

    mutating func response(_ status: Int, _ target: Int) -> [ResponseContext.Action] {
        give(.response(status: status, target: target))
    }
}

/// RFC 3261 section 16.7 in a serial search.
@Suite struct ResponseContextTests {
    @Test func `the best of all responses goes back: 6xx, else the lowest class, else what can be acted on (step 6)`() {
        for (statuses, best) in [
            ([486, 302], 302), ([302, 486], 302), ([401, 302], 302), ([404, 484], 484), ([484, 404], 484),
            ([415, 480], 415), ([500, 480], 480), ([302, 600], 600),
            ([600, 302], 600), ([480, 486], 486),
        ] {
            var bench = ContextBench(targets: 2)
            _ = bench.give(.silence(target: 0))
            _ = bench.response(statuses[0], 0)  // late: the search has moved on
            let second = bench.response(statuses[1], 1)
            #expect(second.contains(.keep(target: 1)) == (best == statuses[1]), "\(statuses)")
            #expect(second.last == .forwardKept, "\(statuses)")
        }
    }

    @Test func `503 goes back where there is nothing else, and then as 500; our 408 before any 5xx (step 6)`() {
        for (statuses, last) in [
            ((503, 500), ResponseContext.Action.forwardKept), ((500, 503), .forwardKept),
            ((503, 503), .respond(status: 500)), ((503, 0), .respond(status: 408)),
        ] {
            var bench = ContextBench(targets: 2)
            _ = bench.response(statuses.0, 0)
            let end = statuses.1 == 0 ? bench.give(.silence(target: 1)) : bench.response(statuses.1, 1)
            #expect(end.last == last, "\(statuses)")
        }
    }

    @Test func `all challenges go back in one response (step 7)`() {
        for statuses in [(401, 407), (407, 407), (407, 401)] {
            var bench = ContextBench(targets: 3)
            _ = bench.give(.silence(target: 0))
            #expect(bench.response(statuses.0, 0) == [.keep(target: 0)])
            #expect(bench.response(503, 1) == [.attempt(target: 2)])
            #expect(bench.response(statuses.1, 2) == [.addChallenges(target: 2), .forwardKept])
        }
        var bench = ContextBench(targets: 2)
        _ = bench.give(.silence(target: 0))
        _ = bench.response(401, 0)
        #expect(bench.response(484, 1) == [.keep(target: 1), .forwardKept], "the later of equals, as it came")
    }

    @Test func `a late 6xx ends the search: the target that rings is cancelled, none follows (step 5)`() {
        var bench = ContextBench()
        _ = bench.give(.silence(target: 0))
        _ = bench.response(180, 1)
        #expect(bench.response(603, 0) == [.keep(target: 0), .cancel(target: 1)])
        #expect(bench.response(487, 1) == [.forwardKept])
        #expect(bench.context.isEnded)

        bench = ContextBench()
        _ = bench.give(.silence(target: 0))
        #expect(bench.response(600, 0) == [.keep(target: 0)])
        #expect(bench.response(100, 1) == [.cancel(target: 1)], "as soon as it may be cancelled")
        #expect(bench.response(200, 1) == [.forward(target: 1)], "a 2xx that crossed the CANCEL goes upstream")

        bench = ContextBench()
        _ = bench.give(.silence(target: 0))
        _ = bench.response(606, 0)
        #expect(bench.give(.silence(target: 1)) == [.forwardKept])
    }

    @Test func `every 2xx goes upstream, also of several forks and of targets that were given up (step 5)`() {
        var bench = ContextBench()
        _ = bench.give(.silence(target: 0))
        #expect(bench.response(200, 1) == [.forward(target: 1)])
        #expect(bench.response(200, 1) == [.forward(target: 1)])
        #expect(bench.response(200, 0) == [.forward(target: 0)])
        #expect(bench.response(180, 0) == [.cancel(target: 0)])
        #expect(bench.response(486, 0) == [])
    }

    @Test func `a 100 goes no further, another provisional does and starts Timer C anew (steps 2 and 5)`() {
        var bench = ContextBench(targets: 1)
        #expect(bench.response(100, 0) == [])
        for status in [180, 183, 199] {
            #expect(bench.advance(.seconds(150)) == [])
            #expect(bench.response(status, 0) == [.forward(target: 0)])
        }
        #expect(bench.advance(.milliseconds(199_999)) == [])
        #expect(bench.advance(.milliseconds(1)) == [.cancel(target: 0), .respond(status: 408)], "§16.8")
        #expect(bench.ends == [.noAnswer])
        #expect(bench.observed == [.answered], "nobody picked up: the gateway is not to blame")
    }

    @Test func `503 goes upstream as 500, after a CANCEL a failure that is not the callee's as 487 (step 6, §9.2)`() {
        var bench = ContextBench(targets: 1)
        #expect(bench.response(503, 0) == [.keep(target: 0), .respond(status: 500)])
        for status in [408, 500, 503] {
            bench = ContextBench()
            _ = bench.response(180, 0)
            #expect(bench.give(.cancel) == [.cancel(target: 0)])
            #expect(bench.give(.cancel) == [])
            #expect(bench.response(status, 0) == [.keep(target: 0), .respond(status: 487)])
        }
        bench = ContextBench()
        _ = bench.response(180, 0)
        _ = bench.give(.cancel)
        #expect(bench.response(200, 0) == [.forward(target: 0)], "the 200 was faster")
        #expect(bench.give(.cancel) == [])
    }

    @Test func `other than INVITE: no provisional but one 100 of ours, no 408 (RFC 4320)`() {
        var bench = ContextBench(invite: false, targets: 2)
        #expect(bench.response(183, 0) == [])
        #expect(bench.give(.trying) == [.respond(status: 100)])
        #expect(bench.response(408, 0) == [.keep(target: 0), .attempt(target: 1)])
        #expect(bench.give(.silence(target: 1)) == [.abandon])
        #expect(bench.give(.trying) == [])
        bench = ContextBench(invite: true)
        #expect(bench.give(.trying) == [])
    }
}
