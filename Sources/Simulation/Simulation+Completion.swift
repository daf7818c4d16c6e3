import Addressing
import Routing
import SIPMessage
import SignallingCore
import Time

// What a caller may expect of the method, and an operator when all is well again.
extension Simulation {
    /// A response leaves: when it ends a call without an answer, no gateway that could have had it may be left.
    mutating func judgeEnd(_ parcel: Parcel) {
        guard parcel.isReadable, parcel.call >= 0, !parcel.message.isRequest, parcel.message.cSeqMethod == .invite,
            parcel.message.status >= 300,
            let index = callWatch.requestsByKey[CallWatch.key(parcel.branch, .invite)]
        else { return }
        let request = callWatch.requests[index]
        guard !request.isRedirect, !request.isWithinDialog, request.finalAt == now, request.cancelledAt == nil,
            !isDraining, request.finalFingerprint == parcel.fingerprint
        else { return }
        report.counts.checks += 1
        let list = fleet.lists[fleet.list(ofCall: parcel.call)]
        let isInTime = request.giveUpAt.map { now < $0 } ?? true
        guard list.isUnbounded, isInTime, !hasCalleesWord(request) else { return }
        guard let gateway = list.gateways.first(where: { hasLived($0, since: request.firstAt) }) else { return }
        let text = "\(parcel.title), and gateway \(gateway) was there all the time"
        report.violations.append(Violation(.completes, call: parcel.call, now, text))
    }

    /// True when a callee said no, or a gateway had it ring: both end the search.
    private func hasCalleesWord(_ request: CallWatch.Request) -> Bool {
        var next = request.lastBranch
        while next >= 0 {
            let branch = callWatch.branches[next]
            if branch.hasRung || SimulatedGateway.refusals.contains(branch.finalStatus) { return true }
            next = branch.previous
        }
        return false
    }

    /// True when the gateway has been well, in-service, unlocked and without a limit since before then.
    private func hasLived(_ number: Int, since instant: Instant) -> Bool {
        let (site, gateway) = (fleet.sites[number], gateways[number])
        guard gateway.mode == .answering, site.gateway.administrativeState == .unlocked,
            site.gateway.limits.maxCalls == nil, let inService = site.inServiceSince
        else { return false }
        return [gateway.disturbedAt, site.changedAt, inService].allSatisfy { $0.map { $0 < instant } ?? true }
    }

    /// A new INVITE came in, whose search has a bound of time.
    mutating func planSearchCheck() {
        let number = callWatch.step.owesAnswer
        guard number >= 0, let giveUpAt = callWatch.requests[number].giveUpAt else { return }
        events.push(.judgeSearch(number, epoch: epoch), at: giveUpAt + .milliseconds(2))
    }

    /// The bound is past: the search has found a gateway, or it is over.
    mutating func judgeSearch(_ number: Int, _ epoch: Int) {
        guard self.epoch == epoch, !workers.isEmpty, number < callWatch.requests.count else { return }
        let request = callWatch.requests[number]
        report.counts.checks += 1
        if request.finalStatus >= 300, request.finalAt == request.giveUpAt {
            report.counts.searchesGivenUp += 1
            // A trial call that was given up has shown nothing: its gateway waits for another one.
            if request.lastBranch >= 0, let last = gatewayNumbers[callWatch.branches[request.lastBranch].destination] {
                fleet.sites[last].calledAt = nil
            }
        }
        let hasFound = request.lastBranch >= 0 && callWatch.branches[request.lastBranch].hasProgress
        guard request.finalStatus == 0, !hasFound else { return }
        report.violations.append(Violation(.givesUp, call: request.call, now, "it goes on"))
    }

    /// A call that is sent to a gateway.
    mutating func noteSent(_ parcel: Parcel, to number: Int) {
        guard parcel.call >= 0, parcel.message.method == .invite, parcel.message.toTag == nil else { return }
        // Sent again it is no other call: one that began before the time value tries nobody.
        guard let branch = callWatch.branchesByBranch[parcel.branch], callWatch.branches[branch].copies == 1 else {
            return
        }
        fleet.sites[number].calledAt = now
        report.counts.checks += 1
        let state = fleet.sites[number].gateway.administrativeState
        guard state != .unlocked else { return }
        let text = "\(parcel.title) to gateway \(number), which is \(state.rawValue)"
        report.violations.append(Violation(.lockHolds, call: parcel.call, now, text))
    }

    /// True when a call may go to a gateway that is out-of-service: its list says so, or the silence is ours.
    func mayBeOut(_ call: Int, since began: Instant?) -> Bool {
        guard keeper != nil, call >= 0 else { return false }
        if fleet.lists[fleet.list(ofCall: call)].list.whenAllOut == .try { return true }
        guard let heldAt = fleet.heldAt, let began else { return table.isNetworkSuspected }
        return table.isNetworkSuspected || heldAt >= began
    }

    /// All has been well for long: who is still out, and why?
    mutating func judgeHealed() {
        for (number, site) in fleet.sites.enumerated() {
            report.counts.checks += 1
            guard let slot = slots[number] else { continue }
            let word = table.status(of: slot)
            guard word.status == .outOfService else { continue }
            // One that a trial call puts back waits for a call that gets to it. One from before, while our own network
            // was suspected for example, may have shown nothing.
            let isWaiting =
                site.gateway.recovery == .trial && word.isUsable(at: now)
                && site.calledAt.map { called in
                    called < fleet.healedAt || word.timeValue.map { called < $0 } ?? true
                } ?? true
            guard !isWaiting else { continue }
            let text = "gateway \(number), \(site.gateway.recovery), is still out: \(word.cause?.name ?? "no cause")"
            report.violations.append(Violation(.healed, call: nil, now, text))
        }
    }

    // MARK: live calls

    /// Once a second: what is counted is what goes on in the world.
    mutating func compareWithWorld() {
        guard keeper != nil, !workers.isEmpty else { return }
        let world = liveCallWatch.bounds(callWatch, now)
        for case (let number, let slot?) in slots.enumerated() {
            let own = world[gateways[number].address] ?? (alive: 0, searching: 0)
            let counted = Int(table.liveCalls(slot))
            report.counts.checks += 1
            guard counted < own.alive || counted > own.alive + own.searching else { continue }
            let text = "the table counts \(counted) for gateway \(number): \(own.alive) alive, \(own.searching) at most"
            report.violations.append(Violation(.callsAreCounted, call: nil, now, text))
        }
        let bounds = liveCallWatch.boundsOfPeers(callWatch, now)
        let counted = peerCallCounts().counted
        guard !bounds.contains(counted) else { return }
        let text = "the peer table counts \(counted), and there are \(bounds)"
        report.violations.append(Violation(.callsAreCounted, call: nil, now, text))
    }

    /// What goes in and out of a call's dialogs.
    mutating func noteDialogs(arriving parcel: Parcel) {
        guard parcel.isReadable, parcel.call >= 0, parcel.message.isRequest, parcel.message.method == .bye else {
            return
        }
        liveCallWatch.byeArrived(parcel)
        guard settings.plantedBug == .counterLeak, report.counts.steps % 20 == 0, let slot = slots[0] else { return }
        _ = table.beginCall(slot, limits: CallLimits(), now: now)
    }

    mutating func noteDialogs(leaving parcel: Parcel) {
        guard parcel.isReadable, parcel.call >= 0, !parcel.message.isRequest, parcel.message.cSeqMethod == .invite,
            (200..<300).contains(parcel.message.status), case .response(let branch, _) = callWatch.step.cause,
            !callWatch.requests[callWatch.branches[branch].request].isWithinDialog
        else { return }
        liveCallWatch.answerLeft(parcel, from: callWatch.branches[branch].destination, now)
    }
}
