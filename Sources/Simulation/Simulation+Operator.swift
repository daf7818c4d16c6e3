import Routing
import SignallingCore
import Time

// What the operator does in the world of the method while calls run: other routing data, gateways locked and shut down,
// his word on a gateway's status, another time on the wall clock.
extension Simulation {
    /// Another order and policy of a group; a gateway locked, or all unlocked.
    mutating func changeMethodRouting() {
        guard !workers.isEmpty else { return }
        let number = generator.below(fleet.groups.count)
        let group = fleet.groups[number]
        fleet.groups[number] = Fleet.drawGroup(
            group.id, group.members.map(\.gateway), attemptLimit: group.attemptLimit, &generator)
        builder.put(fleet.groups[number])
        if generator.chance(perMille: 400) {
            setLock(generator.below(gateways.count), generator.chance(perMille: 300) ? .shuttingDown : .locked)
        } else if generator.chance(perMille: 500) {
            for number in gateways.indices { setLock(number, .unlocked) }
        }
        showRouting()
    }

    private mutating func setLock(_ number: Int, _ state: AdministrativeState) {
        guard fleet.sites[number].gateway.administrativeState != state else { return }
        fleet.sites[number].gateway.administrativeState = state
        fleet.sites[number].changedAt = now
        put(number)
    }

    /// All is well from now on.
    mutating func heal() {
        for number in gateways.indices { setLock(number, .unlocked) }
        showRouting()
        for case let slot? in slots {
            let word = table.status(of: slot)
            if word.status == .outOfService, word.cause == .operatorWord { order(slot, .inService) }
        }
    }

    /// Holds some gateway out-of-service, for a while or until he says otherwise, or puts one back.
    mutating func sayWord() {
        guard !workers.isEmpty, let slot = slots[generator.below(slots.count)] else { return }
        if generator.chance(perMille: 600) {
            let length = generator.milliseconds(2000, 60_000)
            order(slot, .outOfService, until: generator.chance(perMille: 300) ? nil : clock.wallTime(of: now + length))
        } else {
            let out = slots.compactMap { $0 }.filter { table.status(of: $0).status == .outOfService }
            order(out.isEmpty ? slot : out[generator.below(out.count)], .inService)
        }
    }

    private mutating func order(_ slot: GatewaySlot, _ status: GatewayStatus, until: WallTime? = nil) {
        report.counts.operatorWords += 1
        keeper?.order(slot, status, until: until)
        noteChangesOfKeeper()
    }

    mutating func setWallClock(_ step: Duration) {
        report.counts.clockSteps += 1
        clock.setWallClock(by: step)
        recordWatch.noteStep(clock.step)
        for worker in workers { worker.wallClockOffsetMilliseconds = clock.offsetMilliseconds }
    }

    /// A planted bug: a probe ends the operator's word.
    mutating func overruleWord() {
        guard let slot = slots.compactMap({ $0 }).first(where: { table.status(of: $0).isWord(at: now) }),
            let transition = table.putBack(slot, cause: .probeAnswered, now: now, reporter: .probe)
        else { return }
        note([transition])
        handOn([transition], of: 0)
    }
}
