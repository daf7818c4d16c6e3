import Proxy
import Routing
import Testing
import Time

/// Redirect servers elsewhere as the first targets (RFC 3261 sections 8.1.3.4 and 16.5).
@Suite struct AskingTests {
    /// A context that asks, by the rules of a redirect server.
    private func asking(servers: Int = 2, invite: Bool = true) -> ContextBench {
        ContextBench(invite: invite, targets: servers, asking: true) { rules in
            rules.failoverCauses = [.noResponse, .transportError, .status(503)]
            rules.outOfServiceCauses = [.noResponse, .transportError]
            rules.progressTimeout = .seconds(2)
        }
    }

    @Test func `silence, a transport error and a 503 lead to the next; Contacts to the gateways`() {
        var bench = asking(servers: 4)
        #expect(bench.give(.silence(target: 0)) == [.attempt(target: 1)])
        #expect(bench.give(.transportFailure(target: 1)) == [.attempt(target: 2)])
        #expect(bench.response(503, 2) == [.keep(target: 2), .attempt(target: 3)])
        #expect(bench.response(302, 3) == [.follow])
        #expect(bench.give(.targets(count: 2, giveUpAfter: nil)) == [.attempt(target: 4)])
        #expect(bench.observed == [.noResponse, .transportError, .answered, .answered])
        #expect(bench.ends == [.noResponse, .transportError, .failureResponse, .redirected])
        #expect(!bench.context.isAsking)
        bench.rules = AttemptRules(answerTimeout: .seconds(200))
        #expect(bench.give(.silence(target: 4)) == [.attempt(target: 5)])
        // What redirect servers said is not among the responses of which the best goes back.
        #expect(bench.give(.silence(target: 5)) == [.respond(status: 408)])
    }

    @Test(arguments: [305, 380, 400, 403, 404, 408, 484, 486, 500, 600, 603])
    func `any other answer of a redirect server is the caller's`(status: Int) {
        var bench = asking()
        #expect(bench.response(status, 0) == [.keep(target: 0), .forwardKept])
        #expect(bench.context.isEnded && bench.context.isAsking)
        #expect(bench.observed == [.answered], "it lives")
    }

    @Test func `nobody can be asked: refused; a 503 of one of them goes back as it is`() {
        var bench = asking()
        _ = bench.give(.silence(target: 0))
        #expect(bench.give(.transportFailure(target: 1)) == [.refuse])
        bench = asking()
        _ = bench.response(503, 0)
        #expect(bench.give(.silence(target: 1)) == [.forwardKept], "not as 500: it speaks for us")
        bench = asking()
        _ = bench.give(.skipped(target: 0))
        #expect(bench.give(.skipped(target: 1)) == [.refuse])
    }

    @Test func `a redirection that leads nowhere we can reach goes back as it is`() {
        var bench = asking()
        #expect(bench.response(301, 0) == [.follow])
        #expect(bench.give(.targets(count: 0, giveUpAfter: nil)) == [.keep(target: 0), .forwardKept])
        #expect(bench.context.isEnded)
    }

    @Test func `a caller who hangs up gets his 487 at once, and no Contact is followed any more`() {
        var bench = asking()
        #expect(bench.give(.cancel) == [.giveUp(target: 0), .respond(status: 487)])
        #expect(bench.context.isEnded)
        #expect(bench.response(302, 0).isEmpty)
        bench = asking()
        _ = bench.response(100, 0)
        #expect(bench.give(.cancel) == [.cancel(target: 0), .respond(status: 487)])
        #expect(bench.response(487, 0).isEmpty)
        bench = asking()
        _ = bench.give(.silence(target: 0))
        #expect(bench.give(.cancel) == [.giveUp(target: 1), .respond(status: 487)])
        #expect(bench.response(180, 0) == [.cancel(target: 0)], "whoever answers late must not ring")
        #expect(bench.give(.cancel).isEmpty)
    }

    @Test func `one that was given up and answers all the same is followed, and the next is left`() {
        var bench = asking()
        _ = bench.give(.silence(target: 0))
        #expect(bench.response(300, 0) == [.giveUp(target: 1), .follow])
        #expect(bench.give(.targets(count: 1, giveUpAfter: nil)) == [.attempt(target: 2)])
        #expect(bench.response(302, 1).isEmpty, "nobody waits for it any more")
        #expect(bench.response(404, 1).isEmpty)
        bench.rules = AttemptRules(answerTimeout: .seconds(200))
        #expect(bench.response(486, 2) == [.keep(target: 2), .forwardKept])
        // A late failure is kept for the case that the next says nothing.
        bench = asking()
        _ = bench.give(.silence(target: 0))
        #expect(bench.response(404, 0) == [.keep(target: 0)])
        #expect(bench.give(.silence(target: 1)) == [.forwardKept])
    }

    @Test func `a 100 and then nothing leads to the next, and the 487 of our CANCEL is nobody's answer`() {
        var bench = asking()
        #expect(bench.response(100, 0).isEmpty)
        #expect(bench.advance(.seconds(2)) == [.cancel(target: 0), .attempt(target: 1)])
        #expect(bench.observed == [.noResponse])
        #expect(bench.response(487, 0).isEmpty)
        #expect(bench.give(.silence(target: 1)) == [.refuse])
    }

    @Test func `the bound on the search begins with the Contacts, and 64 are enough`() {
        var bench = asking()
        bench.now = bench.now + .seconds(1)
        _ = bench.response(302, 0)
        _ = bench.give(.targets(count: 100, giveUpAfter: .seconds(3)))
        bench.rules = AttemptRules(answerTimeout: .seconds(200))
        #expect(bench.advance(.milliseconds(2999)).isEmpty)
        #expect(bench.advance(.milliseconds(1)) == [.giveUp(target: 2), .respond(status: 408)])
        bench = asking()
        _ = bench.response(302, 0)
        _ = bench.give(.targets(count: 100, giveUpAfter: nil))
        bench.rules = AttemptRules(answerTimeout: .seconds(200))
        for target in 2..<63 { #expect(bench.give(.silence(target: target)) == [.attempt(target: target + 1)]) }
        #expect(bench.give(.silence(target: 63)) == [.respond(status: 408)])
    }

    @Test func `a 2xx of what is no redirect server goes upstream as any other`() {
        var bench = asking()
        #expect(bench.response(180, 0) == [.forward(target: 0)])
        #expect(bench.response(200, 0) == [.forward(target: 0)])
        #expect(bench.context.isEnded)
    }

    @Test func `a request other than INVITE is asked for too`() {
        var bench = asking(invite: false)
        #expect(bench.give(.silence(target: 0)) == [.attempt(target: 1)])
        #expect(bench.response(300, 1) == [.follow])
        #expect(bench.give(.targets(count: 1, giveUpAfter: nil)) == [.attempt(target: 2)])
        #expect(bench.response(200, 2) == [.forward(target: 2)])
    }
}
