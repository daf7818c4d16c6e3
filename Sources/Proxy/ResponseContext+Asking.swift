import Routing
import Time

// Redirect servers elsewhere (the method, step 2): asked one after another, as gateways are tried, until one of them
// answers. Contacts are followed (RFC 3261 sections 8.1.3.4 and 16.5), any other answer but 503 is the caller's, and
// nobody asks on behalf of a caller who has hung up.
extension ResponseContext {
    /// The redirect server that is asked has answered, and not with a 2xx.
    mutating func serverAnswered(_ status: Int, _ now: Instant, _ rules: Rules, _ actions: inout [Action]) {
        if !hasObserved { observe(.answered, &actions) }
        if Self.isRedirection(status) {
            end(.redirected, &actions)
            actions.append(.follow)
            return
        }
        consider(status, current, &actions)
        let movesOn = rules(current).failoverCauses.contains(status: status)
        end(movesOn ? .failureResponse : .refused, &actions)
        advance(movesOn, now, rules, &actions)
    }

    /// One that was given up has answered all the same: what it says is as good as what the next would say.
    mutating func serverAnsweredLate(_ status: Int, _ server: Int, _ actions: inout [Action]) {
        guard isAsking, !isEnded, !isOurCancel(status, server) else { return }
        guard Self.isRedirection(status) else { return consider(status, server, &actions) }
        if isTrying {
            leave(&actions)
            end(.superseded, &actions)
        }
        actions.append(.follow)
    }

    /// 305 and 380 are for the caller to act on.
    private static func isRedirection(_ status: Int) -> Bool { (300...302).contains(status) }

    /// The targets are there. None: the answer leads nowhere that we can reach, and goes to the caller as it is.
    mutating func begin(
        _ count: Int, _ giveUpAfter: Duration?, _ now: Instant, _ rules: Rules, _ actions: inout [Action]
    ) {
        guard count > 0, serverCount < Self.targetLimitCount else {
            isEnded = true
            actions.append(.keep(target: current))
            actions.append(.forwardKept)
            return
        }
        isAsking = false
        best = nil
        targetCount = min(serverCount + count, Self.targetLimitCount)
        giveUpAt = giveUpAfter.map { now + $0 }
        attempt(serverCount, now, rules, &actions)
    }

    /// The caller has hung up: no session can come of a question, so that nobody need wait for its answer.
    mutating func stopAsking(_ actions: inout [Action]) {
        if isTrying {
            leave(&actions)
            end(.cancelled, &actions)
        }
        isEnded = true
        actions.append(.respond(status: 487))
    }
}
