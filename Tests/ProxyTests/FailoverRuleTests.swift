import Proxy
import Routing
import Testing
import Time

/// What moves a search on, and when it gives up (the method, steps 4 to 7).
@Suite struct FailoverRuleTests {
    @Test func `a 100 and then nothing: after the progress timeout CANCEL, the next target, and the gateway is silent`()
    {
        var bench = ContextBench { $0.progressTimeout = .seconds(4) }
        #expect(bench.response(100, 0) == [])
        #expect(bench.observed == [], "where more is awaited, a 100 says nothing yet")
        #expect(bench.advance(.seconds(3)) == [])
        #expect(bench.response(100, 0) == [], "and another one no more")
        #expect(bench.advance(.seconds(1)) == [.cancel(target: 0), .attempt(target: 1)])
        #expect(bench.observed == [.noResponse])
        #expect(bench.ends == [.noProgress])
        #expect(bench.response(487, 0) == [], "the answer to our own CANCEL says nothing to the caller")
        #expect(bench.response(480, 1) == [.keep(target: 1), .forwardKept])

        bench = ContextBench { $0.progressTimeout = .seconds(4) }
        _ = bench.response(100, 0)
        #expect(bench.response(181, 0) == [.forward(target: 0)])
        #expect(bench.advance(.seconds(199)) == [], "it goes on: Timer C alone is left")
        #expect(bench.observed == [.answered])

        bench = ContextBench()
        _ = bench.response(100, 0)
        #expect(bench.observed == [.answered])
        #expect(bench.advance(.seconds(199)) == [], "no bound of its own")
    }

    @Test func `each gateway has its own Timer C; it moves on where 408 is a cause and nothing rang (§16.8)`() {
        var bench = ContextBench { $0.answerTimeout = .seconds(30) }
        _ = bench.response(100, 0)
        #expect(bench.advance(.seconds(30)) == [.cancel(target: 0), .attempt(target: 1)])
        bench.rules.answerTimeout = .seconds(60)
        _ = bench.response(180, 1)
        #expect(bench.advance(.seconds(29)) == [], "the time of the target that it was tried with")
        #expect(bench.advance(.seconds(1)) == [.cancel(target: 1), .respond(status: 408)])
        #expect(bench.ends == [.noAnswer, .noAnswer])

        bench = ContextBench {
            $0.answerTimeout = .seconds(30)
            $0.failoverCauses = [.noResponse]
        }
        _ = bench.response(100, 0)
        #expect(bench.advance(.seconds(30)) == [.cancel(target: 0), .respond(status: 408)])
    }

    @Test func `the group's causes decide, each for itself`() {
        let causes: CauseSet = [.statusClass(4), .status(603)]
        for (status, movesOn) in [(404, true), (486, true), (603, true), (500, false), (503, false), (302, false)] {
            var bench = ContextBench { $0.failoverCauses = causes }
            let after = bench.response(status, 0)
            #expect(after.contains(.attempt(target: 1)) == movesOn, "\(status)")
            #expect(bench.ends == [movesOn ? .failureResponse : .refused])
        }
        var bench = ContextBench { $0.failoverCauses = causes }
        #expect(bench.give(.silence(target: 0)) == [.respond(status: 408)])
        bench = ContextBench { $0.failoverCauses = causes }
        #expect(bench.give(.transportFailure(target: 0)) == [.respond(status: 500)], "§16.9")
        #expect(bench.observed == [.transportError], "told all the same")
    }

    @Test func `never after ringing, unless the group says so`() {
        for isAllowed in [false, true] {
            var bench = ContextBench { $0.failsOverAfterRinging = isAllowed }
            _ = bench.response(183, 0)
            let after = bench.response(503, 0)
            #expect(after == [.keep(target: 0)] + [isAllowed ? .attempt(target: 1) : .respond(status: 500)])
        }
        var bench = ContextBench()
        _ = bench.response(199, 0)
        #expect(bench.response(503, 0).last == .attempt(target: 1), "only an 18x rings")
    }

    @Test func `the callee's answers are no failure of the gateway; out-of-service causes are`() {
        for status in [404, 480, 486, 488, 600, 603, 500] {
            var bench = ContextBench()
            _ = bench.response(status, 0)
            #expect(bench.observed == [.answered], "\(status)")
        }
        var bench = ContextBench()
        _ = bench.response(180, 0)
        _ = bench.response(503, 0)
        #expect(bench.observed == [.answered, .failureResponse(status: 503)])
        bench = ContextBench { $0.outOfServiceCauses = [.status(480)] }
        _ = bench.response(480, 0)
        #expect(bench.observed == [.failureResponse(status: 480)], "where the operator says so")
    }

    @Test func `a skipped target is no attempt; when all are, 503 is ours to say`() {
        var bench = ContextBench()
        #expect(bench.give(.skipped(target: 0)) == [.attempt(target: 1)])
        #expect(bench.give(.skipped(target: 0)) == [], "stale")
        #expect(bench.give(.skipped(target: 1)) == [.attempt(target: 2)])
        #expect(bench.give(.skipped(target: 2)) == [.refuse])
        #expect(bench.context.isEnded)
        #expect(bench.ends == [] && bench.observed == [])
        #expect(bench.advance(.seconds(300)) == [])

        bench = ContextBench()
        _ = bench.response(500, 0)
        #expect(bench.give(.skipped(target: 1)) == [.attempt(target: 2)])
        #expect(bench.give(.skipped(target: 2)) == [.forwardKept], "one had its say")
    }

    @Test func `the time for the search: no target after it, and none is waited for that has not rung`() {
        var bench = ContextBench(giveUpAfter: .seconds(3))
        _ = bench.advance(.seconds(2))
        #expect(bench.give(.silence(target: 0)) == [.attempt(target: 1)])
        #expect(bench.advance(.seconds(1)) == [.giveUp(target: 1), .respond(status: 408)])
        #expect(bench.ends == [.noResponse, .gaveUp])
        #expect(bench.observed == [.noResponse], "it was not given its time, so that its silence says nothing")
        #expect(bench.response(200, 1) == [.forward(target: 1)])

        bench = ContextBench(giveUpAfter: .seconds(3))
        _ = bench.response(500, 0)
        _ = bench.response(100, 1)
        #expect(bench.advance(.seconds(3)) == [.cancel(target: 1), .respond(status: 408)])

        bench = ContextBench(giveUpAfter: .seconds(3)) { $0.failsOverAfterRinging = true }
        _ = bench.response(180, 0)
        #expect(bench.advance(.seconds(30)) == [], "a call that rings has found its gateway")
        #expect(bench.response(503, 0) == [.keep(target: 0), .respond(status: 500)], "but finds no other any more")
    }

    @Test func `a gateway that others found dead: the call moves on where its own silence would have moved it`() {
        var bench = ContextBench()
        #expect(bench.give(.gatewayFell(target: 0)) == [.giveUp(target: 0), .attempt(target: 1)])
        #expect(bench.observed == [], "whoever found it has told")
        #expect(bench.ends == [.gatewayFell])
        #expect(bench.give(.silence(target: 0)) == [])
        #expect(bench.response(180, 0) == [.cancel(target: 0)])
        #expect(bench.response(200, 0) == [.giveUp(target: 1), .forward(target: 0)])

        bench = ContextBench()
        _ = bench.response(100, 0)
        #expect(bench.give(.gatewayFell(target: 0)) == [], "it has answered this one")
        bench = ContextBench(targets: 1)
        #expect(bench.give(.gatewayFell(target: 0)) == [], "there is nowhere to go")
        bench = ContextBench { $0.failoverCauses = [.transportError] }
        #expect(bench.give(.gatewayFell(target: 0)) == [], "silence is no cause here")
        bench = ContextBench()
        _ = bench.give(.cancel)
        #expect(bench.give(.gatewayFell(target: 0)) == [], "the caller has gone")
    }

    @Test func `a late 2xx ends the attempt at hand: no further copy to a silent one, CANCEL to one that rings`() {
        var bench = ContextBench()
        _ = bench.give(.silence(target: 0))
        #expect(bench.response(200, 0) == [.giveUp(target: 1), .forward(target: 0)])
        #expect(bench.ends == [.noResponse, .superseded, .answered])
        bench = ContextBench()
        _ = bench.give(.silence(target: 0))
        _ = bench.response(180, 1)
        #expect(bench.response(200, 0) == [.cancel(target: 1), .forward(target: 0)])
    }

    @Test func `it wants to be woken once for the earliest of its bounds, and a stale waking changes nothing`() {
        var bench = ContextBench(giveUpAfter: .seconds(10)) { $0.progressTimeout = .seconds(4) }
        #expect(bench.armed == [bench.now + .seconds(10)])
        _ = bench.response(100, 0)
        #expect(bench.armed.last == bench.now + .seconds(4))
        #expect(bench.give(.deadline) == [])
        _ = bench.response(180, 0)
        let from = bench.now
        #expect(bench.advance(.seconds(199)) == [])
        #expect(bench.armed == [from + .seconds(200)])
        _ = bench.response(200, 0)
        #expect(bench.advance(.seconds(100)) == [])
        #expect(bench.armed == [])
    }
}
