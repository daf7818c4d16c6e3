import Time

/// One walk through a routing list: what is remembered from group to group.
struct Walk {
    /// By which rules gateways are looked at.
    enum Rule {
        case usual
        /// The fault is more likely our own network's: who is out by silence is tried all the same, lists in order.
        case networkSuspected
        /// All are out and the list says to try: in order, whatever the status, but not against the operator's word.
        case allOut

        func ignores(_ status: StatusWord) -> Bool {
            switch self {
            case .usual: false
            case .allOut: status.cause != .operatorWord
            case .networkSuspected: status.cause?.isSilence ?? false
            }
        }
    }

    private let query: RoutingQuery
    private let rule: Rule
    private let isRecording: Bool
    /// Whether who is suspect comes last.
    private let defersSuspects: Bool
    private let attemptLimit: Int
    private var draw: UInt64
    private(set) var outCount = 0
    /// Whoever may be tried is suspect, and none of them is a target: suspicion tells nobody apart.
    private(set) var areAllSuspect = false
    private var (fullCount, lockedCount) = (0, 0)
    /// The earliest time value of those left out.
    private var earliest: Instant?

    init(query: RoutingQuery, rule: Rule, isRecording: Bool, defersSuspects: Bool, attemptLimit: Int) {
        (self.query, self.rule, self.isRecording, self.attemptLimit) = (query, rule, isRecording, attemptLimit)
        self.defersSuspects = defersSuspects && rule == .usual
        draw = query.draw
    }

    /// Why there is no target.
    var failure: RoutingFailure {
        if fullCount > 0 { return .everyGatewayFull(until: earliest) }
        if outCount > 0 { return .everyGatewayOut(until: earliest) }
        return lockedCount > 0 ? .everyGatewayLocked : .emptyRoutingList
    }

    /// Takes the list's groups in the order of their priority, a weighted draw among equals.
    mutating func take<Reasons: Explanation>(
        _ list: CompiledList, _ snapshot: RoutingSnapshot, _ table: GatewayInformationTable,
        _ memory: inout SelectionMemory, _ reasons: inout Reasons, _ set: inout TargetSet
    ) {
        memory.heldBack.removeAll(keepingCapacity: true)
        memory.suspects.removeAll(keepingCapacity: true)
        var first = list.entries.lowerBound
        while first < list.entries.upperBound {
            var end = first + 1  // behind the entries of the same priority
            while end < list.entries.upperBound,
                snapshot.tables.entries[end].priority == snapshot.tables.entries[first].priority
            {
                end += 1
            }
            var drawn: UInt64 = 0
            for position in first..<end {
                if !Reasons.isComplete, set.targets.count >= attemptLimit { return }
                let next = rule == .usual ? drawEntry(first..<end, snapshot, &drawn) : position
                take(group: snapshot.tables.entries[next].group, snapshot, table, &memory, &reasons, &set)
            }
            first = end
        }
        // Rather a gateway that has just come back than none: behind all others, these come too.
        for place in memory.heldBack {
            let slot = snapshot.tables.members[place.member].slot
            if set.targets.count < attemptLimit, !set.contains(slot) {
                append(place, isTrial: false, snapshot, &reasons, &set)
            } else {
                reasons.leftOut(place, because: .ramp, status: table.status(of: slot), in: snapshot)
            }
        }
        areAllSuspect = set.targets.isEmpty && !memory.suspects.isEmpty
        guard !areAllSuspect else { return }
        for place in memory.suspects {
            if set.targets.count < attemptLimit {
                append(place, isTrial: false, isSuspect: true, snapshot, &reasons, &set)
            } else {
                let status = table.status(of: snapshot.tables.members[place.member].slot)
                reasons.leftOut(place, because: .attemptLimit, status: status, in: snapshot)
            }
        }
    }

    /// The next entry of a run of equals: a weighted draw without putting back. `drawn` has a bit for each one taken.
    private mutating func drawEntry(_ run: Range<Int>, _ snapshot: RoutingSnapshot, _ drawn: inout UInt64) -> Int {
        if run.count == 1 { return run.lowerBound }
        var total: UInt64 = 0
        var last = run.lowerBound
        for index in run where drawn & 1 << UInt64(index - run.lowerBound) == 0 {
            total += UInt64(snapshot.tables.entries[index].weight)
            last = index
        }
        let number = SplitMix64.next(after: &draw)
        var left = total == 0 ? 0 : number % total
        for index in run where drawn & 1 << UInt64(index - run.lowerBound) == 0 {
            let weight = UInt64(snapshot.tables.entries[index].weight)
            if left < weight || (total == 0) {
                last = index
                break
            }
            left -= weight
        }
        drawn |= 1 << UInt64(last - run.lowerBound)
        return last
    }

    // MARK: one group

    private mutating func take<Reasons: Explanation>(
        group index: Int, _ snapshot: RoutingSnapshot, _ table: GatewayInformationTable,
        _ memory: inout SelectionMemory, _ reasons: inout Reasons, _ set: inout TargetSet
    ) {
        let group = snapshot.tables.groups[index]
        // No more than this many targets altogether, when this group has had its turn.
        let (end, isBeyond) = set.targets.count.addingReportingOverflow(group.attemptLimit)
        let limit = isBeyond ? attemptLimit : min(attemptLimit, end)
        let suspectCount = memory.suspects.count
        var first = group.members.lowerBound
        while first < group.members.upperBound {
            if !Reasons.isComplete, set.targets.count >= limit { break }
            var end = first + 1  // behind the members of the same priority
            while end < group.members.upperBound,
                snapshot.tables.members[end].priority == snapshot.tables.members[first].priority
            {
                end += 1
            }
            memory.candidates.removeAll(keepingCapacity: true)
            for member in first..<end {
                look(at: MemberPlace(group: index, member: member), snapshot, table, &memory, &reasons, &set)
            }
            let policy = rule == .usual ? group.policy : .ordered
            let isFirst = set.targets.isEmpty && limit > 0
            memory.order(group, snapshot.tables.members, by: policy, query, picksFirst: isFirst)
            for position in memory.candidates.indices {
                memory.bringNext(to: position)
                let candidate = memory.candidates[position]
                let place = MemberPlace(group: index, member: candidate.member)
                if set.targets.count < limit {
                    append(place, isTrial: candidate.isTrial, snapshot, &reasons, &set)
                } else if Reasons.isComplete {
                    let slot = snapshot.tables.members[candidate.member].slot
                    reasons.leftOut(place, because: .attemptLimit, status: table.status(of: slot), in: snapshot)
                } else {
                    break
                }
            }
            first = end
        }
        // The group's suspects are of its attempts too, where others have left it some.
        while memory.suspects.count > suspectCount + max(0, limit - set.targets.count) {
            let place = memory.suspects.removeLast()
            let slot = snapshot.tables.members[place.member].slot
            reasons.leftOut(place, because: .attemptLimit, status: table.status(of: slot), in: snapshot)
        }
    }

    /// Makes the member a candidate, or tells why it is none.
    private mutating func look(
        at place: MemberPlace, _ snapshot: RoutingSnapshot, _ table: GatewayInformationTable,
        _ memory: inout SelectionMemory, _ reasons: inout some Explanation, _ set: inout TargetSet
    ) {
        let member = snapshot.tables.members[place.member]
        var status = table.status(of: member.slot)
        var isTrial = false
        if let reason = obstacle(member, &status, &isTrial, table, &set) {
            reasons.leftOut(place, because: reason, status: status, in: snapshot)
            return
        }
        if set.contains(member.slot) || memory.heldBack.contains(where: { isSame($0, member, snapshot) })
            || memory.suspects.contains(where: { isSame($0, member, snapshot) })
        {
            reasons.leftOut(place, because: .duplicate, status: status, in: snapshot)
            return
        }
        if defersSuspects, table.isSuspect(member.slot, at: query.now) {
            memory.suspects.append(place)
            return
        }
        if member.rampSeconds > 0, rule == .usual, set.targets.isEmpty, !isTrial,
            let since = table.inServiceSince(member.slot),
            memory.isHeldBack(member.slot, since: since, rampSeconds: member.rampSeconds, now: query.now)
        {
            memory.heldBack.append(place)
            return
        }
        memory.candidates.append(
            SelectionMemory.Candidate(
                member: place.member, calls: table.liveCalls(member.slot), weight: member.weight, isTrial: isTrial))
    }

    private func isSame(_ place: MemberPlace, _ member: CompiledMember, _ snapshot: RoutingSnapshot) -> Bool {
        snapshot.tables.members[place.member].slot == member.slot
    }

    /// What keeps a member from being a candidate. A gateway whose time value is reached is put back on the way where
    /// that is all it waits for.
    private mutating func obstacle(
        _ member: CompiledMember, _ status: inout StatusWord, _ isTrial: inout Bool, _ table: GatewayInformationTable,
        _ set: inout TargetSet
    ) -> SelectionReasons.Reason? {
        guard member.administrativeState == .unlocked else {
            lockedCount += 1
            return member.administrativeState == .locked ? .locked : .shuttingDown
        }
        if status.status == .outOfService, !rule.ignores(status) {
            let isDue = status.isUsable(at: query.now) && member.recovery != .probe
            if isDue, member.recovery == .trial { isTrial = table.isTrialFree(member.slot, query.now) }
            guard isDue, member.recovery == .timed || isTrial else {
                outCount += 1
                if let until = status.timeValue { earliest = min(earliest ?? until, until) }
                return isDue ? .trial : .outOfService
            }
            if isRecording, !isTrial, let transition = table.recoverIfDue(member.slot, now: query.now) {
                set.noteRecovery(transition)
                status = transition.after
            }
        }
        if let limit = member.limits.maxCalls, table.liveCalls(member.slot) >= limit {
            fullCount += 1
            return .full
        }
        if member.limits.maxCallsPerSecond != nil, !table.rateAllows(member.slot, member.limits, query.now) {
            fullCount += 1
            return .full
        }
        return nil
    }

    private func append(
        _ place: MemberPlace, isTrial: Bool, isSuspect: Bool = false, _ snapshot: RoutingSnapshot,
        _ reasons: inout some Explanation, _ set: inout TargetSet
    ) {
        set.append(
            snapshot.tables.members[place.member], of: snapshot.tables.groups[place.group], isTrial: isTrial,
            in: snapshot.tables)
        reasons.took(place, isSuspect: isSuspect, in: snapshot)
    }
}
