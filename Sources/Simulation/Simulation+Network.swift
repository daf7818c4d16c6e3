import Addressing
import Routing
import SIPMessage
import SignallingCore
import Time

// The network, and the door of the process.
extension Simulation {
    /// Puts a datagram on its way: lost, twice, late, as chance has it.
    mutating func send(
        _ bytes: [UInt8], from source: TransportAddress, to destination: TransportAddress, epoch: Int = 0
    ) {
        send(Parcel(bytes, epoch: epoch), from: source, to: destination)
    }

    private mutating func send(_ parcel: Parcel, from source: TransportAddress, to destination: TransportAddress) {
        let loss = report.lossPerMille
        var copies = 1
        if loss > 0, generator.chance(perMille: loss / 5) {
            copies = 2
            report.counts.duplicated += 1
        }
        for _ in 0..<copies {
            if isLost(from: source, to: destination) {
                report.counts.lost += 1
                follow(parcel, source, destination, "lost")
                continue
            }
            let isLate = loss > 0 && generator.chance(perMille: 50)
            if isLate { report.counts.delayed += 1 }
            let delay = isLate ? generator.milliseconds(30, 700) : generator.milliseconds(1, 30)
            events.push(.arrive(parcel, from: source, to: destination), at: now + delay)
        }
    }

    /// By the whole network, or by a gateway's own.
    private mutating func isLost(from source: TransportAddress, to destination: TransportAddress) -> Bool {
        var loss = report.lossPerMille
        if keeper != nil, let number = gatewayNumbers[destination] ?? gatewayNumbers[source] {
            if gateways[number].mode == .lossy { loss = max(loss, 330) }
            if settings.plantedBug == .neverPutBack, number == 7, now >= fleet.healedAt { return true }
        }
        return loss > 0 && generator.chance(perMille: loss)
    }

    /// Notes what becomes of a message of the call that is followed.
    private mutating func follow(
        _ parcel: Parcel, _ source: TransportAddress, _ destination: TransportAddress, _ what: StaticString = "arrives"
    ) {
        guard let call = settings.followedCall, parcel.call == call else { return }
        let milliseconds = (now - Self.origin).milliseconds
        report.trail.append(
            "\(milliseconds) ms: \(parcel.title) \(source.hostPort) > \(destination.hostPort) \(what)")
    }

    mutating func arrive(_ parcel: Parcel, _ source: TransportAddress, _ destination: TransportAddress) {
        report.counts.datagrams += 1
        report.digest(parcel.fingerprint)
        if let number = callerNumbers[destination] {
            follow(parcel, source, destination)
            callers[number].receive(parcel, from: source, now, &generator, &callerEffects)
            applyCallerEffects(number)
        } else if let number = gatewayNumbers[destination] {
            follow(parcel, source, destination)
            guard gateways[number].mode != .unreachable else {
                events.push(.unreachable(destination), at: now + .milliseconds(1))
                return
            }
            gateways[number].receive(parcel, from: source, now, &generator, &gatewayEffects)
            applyGatewayEffects(number)
        } else if let number = serverNumbers[destination] {
            follow(parcel, source, destination)
            deliver(parcel, source, destination, toServer: number)
        } else if let listener = listeners.firstIndex(of: destination) {
            guard !workers.isEmpty else {
                report.counts.lost += 1
                follow(parcel, source, destination, "finds nobody")
                return
            }
            follow(parcel, source, destination)
            deliver(parcel, source, listener)
        }
    }

    mutating func applyCallerEffects(_ number: Int) {
        let address = callers[number].address
        for datagram in callerEffects.datagrams { send(datagram.bytes, from: address, to: datagram.to) }
        for wake in callerEffects.wakes { events.push(.caller(number, wake.wake), at: now + wake.after) }
        callerEffects.removeAll()
    }

    mutating func applyGatewayEffects(_ number: Int) {
        let address = gateways[number].address
        for datagram in gatewayEffects.datagrams { send(datagram.bytes, from: address, to: datagram.to) }
        for wake in gatewayEffects.wakes { events.push(.gateway(number, wake.wake), at: now + wake.after) }
        gatewayEffects.removeAll()
    }

    /// The kernel's part: a source always lands at the same worker, which may pass the datagram on.
    private mutating func deliver(_ parcel: Parcel, _ source: TransportAddress, _ listenerIndex: Int) {
        statusWatch.noteArrival(parcel, now)
        noteDialogs(arriving: parcel)
        callWatch.arrived(parcel, from: source, isRedirect: listenerIndex == 1, now)
        if case .cancel = callWatch.step.cause { planRingCheck(parcel) }
        planSearchCheck()
        let listener = ListenerNumber(UInt8(truncatingIfNeeded: listenerIndex))
        var number = Int((source.address.low &* 31 &+ UInt64(source.port)) % UInt64(workers.count))
        var output = give(parcel, source, listener, number)
        if let owner = output.handOver {
            report.counts.handedOver += 1
            number = Int(owner) % workers.count
            output = give(parcel, source, listener, number)
            if output.handOver != nil {
                report.violations.append(Violation(.handedOverOnce, call: parcel.call, now, parcel.title))
            }
        }
        take(output, of: number)
    }

    private func give(
        _ parcel: Parcel, _ source: TransportAddress, _ listener: ListenerNumber, _ number: Int
    ) -> VirtualWorker.Output {
        workers[number].currentCall = parcel.call
        defer { workers[number].currentCall = -1 }
        return workers[number].receive(parcel.bytes, from: source, on: listener, snapshot: snapshot, now: now)
    }

    /// Carries out what a step of the process came to, and judges it.
    mutating func take(_ output: VirtualWorker.Output, of worker: Int) {
        report.counts.steps += 1
        note(output.transitions)
        for sighting in output.sightings {
            report.counts.reports += 1
            events.push(.report(sighting), at: now + generator.milliseconds(200, 1500))
        }
        handOn(output.transitions, of: worker)
        for datagram in output.datagrams {
            guard saboteur != nil else {
                leave(datagram)
                continue
            }
            for spoilt in saboteur?.spoil(datagram) ?? [] { leave(spoilt) }
        }
        callWatch.endStep()
        if !callWatch.violations.isEmpty {
            report.violations += callWatch.violations
            callWatch.violations.removeAll()
        }
        for notice in output.notices { _ = workers[Int(notice.worker) % workers.count].receive(notice, now: now) }
        checkCallCounts()
        if keeper != nil {
            _ = recordWatch.compare(table, isSweep: false, now)
            takeRecordViolations()
        }
        guard output.transitions.contains(where: \.isFall) else { return }
        for (number, worker) in workers.enumerated() {
            callWatch.beginTimers(now)
            take(worker.lookAround(snapshot: snapshot, now: now), of: number)
        }
    }

    mutating func note(_ transitions: [StatusTransition]) {
        for transition in transitions {
            report.counts.transitions += 1
            report.digest(UInt64(transition.after.cause?.rawValue ?? 0))
            if transition.slot.isRemote {
                if transition.isFall, let remote = table.remoteGateway(in: transition.slot) {
                    callWatch.fell(remote.address)
                }
                continue  // nobody keeps it: what is forgotten between is no one's loss
            }
            statusWatch.note(transition, now, &report.violations)
            guard let number = slots.firstIndex(of: transition.slot) else { continue }
            if transition.isFall { callWatch.fell(gateways[number].address) }
            guard keeper != nil else { continue }
            recordWatch.note(transition, of: number, now)
            fleet.note(transition, of: number, now)
        }
    }

    private mutating func leave(_ datagram: VirtualWorker.Outgoing) {
        let parcel = Parcel(datagram.bytes, epoch: epoch)
        let gateway = gatewayNumbers[datagram.destination]
        callWatch.left(
            parcel, to: datagram.destination,
            isPeer: gateway != nil || callerNumbers[datagram.destination] != nil
                || serverNumbers[datagram.destination] != nil)
        if !isApart, let gateway, let slot = slots[gateway] {
            let mayBeOut = mayBeOut(parcel.call, since: statusWatch.began(parcel.call))
            statusWatch.noteDeparture(
                parcel, to: slot, table.status(of: slot), mayBeOut: mayBeOut, now, &report.violations)
        }
        if keeper != nil {
            noteDialogs(leaving: parcel)
            judgeEnd(parcel)
            if let gateway { noteSent(parcel, to: gateway) }
        }
        send(parcel, from: listeners[Int(datagram.listener.index)], to: datagram.destination)
    }

    // MARK: CANCEL

    /// A call that was cancelled must not ring when all copies of the CANCEL have had their time.
    private mutating func planRingCheck(_ parcel: Parcel) {
        guard let index = callWatch.requestsByKey[CallWatch.key(parcel.branch, .invite)],
            callWatch.requests[index].cancelledAt == now
        else { return }
        var branch = callWatch.requests[index].lastBranch
        while branch >= 0 {
            let forwarded = callWatch.branches[branch]
            branch = forwarded.previous
            guard let gateway = gatewayNumbers[forwarded.destination] else { continue }
            events.push(
                .ringsOn(gateway: gateway, branch: forwarded.branch, cancelledAt: now, epoch: epoch),
                at: now + .seconds(70))
        }
    }

    mutating func lookWhetherRings(_ gateway: Int, _ branch: UInt64, _ cancelledAt: Instant, _ epoch: Int) {
        // A gateway that was away may not have heard it, a process that died has forgotten it, and nobody cancels what
        // he has never heard to ring.
        guard self.epoch == epoch, gateways[gateway].disturbedAt.map({ $0 < cancelledAt }) ?? true,
            let index = callWatch.branchesByBranch[branch], callWatch.branches[index].provisionalAt != nil
        else { return }
        report.counts.checks += 1
        guard gateways[gateway].isRinging(branch) else { return }
        let detail = "gateway \(gateway) rings 70 s after the caller's CANCEL"
        let call = callWatch.requests[callWatch.branches[index].request].call
        report.violations.append(Violation(.cancelledIsSilent, call: call, now, detail))
    }
}
