package import Time

/// How a call's routing ended, apart from the targets themselves.
package enum RoutingOutcome: Equatable, Sendable {
    /// There is at least one target.
    case targets
    /// There is none, and why.
    case failure(RoutingFailure)
}

/// Why a call gets no target.
package enum RoutingFailure: Equatable, Sendable {
    /// No prefix of the plan matches.
    case noRoute
    /// The list has no gateway at all.
    case emptyRoutingList
    /// Every gateway of the list is out-of-service; the first comes back at this time.
    case everyGatewayOut(until: Instant)

    /// The status code of the answer (API section 10): the look-up and both roles say the same.
    package var status: Int {
        switch self {
        case .noRoute: 404
        case .emptyRoutingList, .everyGatewayOut: 503
        }
    }

    /// One line for people.
    package var reason: String {
        switch self {
        case .noRoute: "no route matches the dialled number"
        case .emptyRoutingList: "the routing list has no gateway"
        case .everyGatewayOut: "every gateway is out-of-service"
        }
    }

    /// Seconds until it is worth another try, rounded up, at least 1; nil where nothing is known.
    package func retryAfterSeconds(at now: Instant) -> Int64? {
        guard case .everyGatewayOut(let until) = self else { return nil }
        return max(1, ((until - now).milliseconds + 999) / 1000)
    }
}

/// What a look-up shows of a selection besides the targets.
package struct SelectionReasons: Sendable {
    /// A gateway that was left out, and why.
    package struct LeftOut: Sendable {
        /// The gateway's id.
        package let gateway: String
        /// The group it was met in.
        package let group: String
        /// Its status; `reason` is out-of-service when that is out, else the list's bound was reached.
        package let status: StatusWord
        /// `out-of-service`, `attempt-limit`, `duplicate`.
        package let reason: String
    }

    /// The prefix of the route; nil when none matched.
    package var matchedPrefix: Prefix?
    /// The routing list's id.
    package var routingList: String?
    /// The groups of the targets, in their order.
    package var targetGroups: [String] = []
    /// The ids of the targets' gateways, in their order.
    package var targetGateways: [String] = []
    /// Whoever was left out, in the order of the list.
    package var leftOut: [LeftOut] = []

    /// No reasons yet.
    package init() {}
}

/// What a selection tells while it works. The call path passes `Unexplained`, whose calls vanish.
protocol Explanation {
    mutating func matched(_ number: DialledNumber, digitCount: Int, list: CompiledList?)
    mutating func took(_ member: CompiledMember, group: CompiledGroup, in snapshot: RoutingSnapshot)
    mutating func leftOut(
        _ member: CompiledMember, group: CompiledGroup, because reason: StaticString, status: StatusWord,
        in snapshot: RoutingSnapshot)
}

private struct Unexplained: Explanation {
    func matched(_: DialledNumber, digitCount _: Int, list _: CompiledList?) {}
    func took(_: CompiledMember, group _: CompiledGroup, in _: RoutingSnapshot) {}
    func leftOut(
        _: CompiledMember, group _: CompiledGroup, because _: StaticString, status _: StatusWord, in _: RoutingSnapshot
    ) {}
}

extension SelectionReasons: Explanation {
    mutating func matched(_ number: DialledNumber, digitCount: Int, list: CompiledList?) {
        matchedPrefix = Prefix(codes: (0..<digitCount).map { number.code(at: $0) })
        routingList = list?.id
    }

    mutating func took(_ member: CompiledMember, group: CompiledGroup, in snapshot: RoutingSnapshot) {
        targetGroups.append(group.id)
        targetGateways.append(snapshot.gateway(in: member.slot)?.id ?? "")
    }

    mutating func leftOut(
        _ member: CompiledMember, group: CompiledGroup, because reason: StaticString, status: StatusWord,
        in snapshot: RoutingSnapshot
    ) {
        leftOut.append(
            LeftOut(
                gateway: snapshot.gateway(in: member.slot)?.id ?? "", group: group.id, status: status,
                reason: "\(reason)"))
    }
}

extension RoutingSnapshot {
    /// Appends the gateways that a call tries, in order, to `set`, and puts gateways whose time value is reached back
    /// in-service on the way (the method, step 3): those changes are in `set.recovered`.
    ///
    /// - Parameter draw: decides among equals; the same draw, the same order. `CallDraw` makes it of the Call-ID.
    package func select(
        _ number: DialledNumber, in plan: PlanNumber, draw: UInt64, status table: GatewayInformationTable, now: Instant,
        into set: inout TargetSet
    ) -> RoutingOutcome {
        var unexplained = Unexplained()
        return select(number, plan, draw, table, now, isRecording: true, &unexplained, &set)
    }

    /// The same by the same code, with the reasons, and without changing any status.
    package func explain(
        _ number: DialledNumber, in plan: PlanNumber, draw: UInt64, status table: GatewayInformationTable, now: Instant,
        into set: inout TargetSet
    ) -> (outcome: RoutingOutcome, reasons: SelectionReasons) {
        var reasons = SelectionReasons()
        let outcome = select(number, plan, draw, table, now, isRecording: false, &reasons, &set)
        return (outcome, reasons)
    }

    private func select(
        _ number: DialledNumber, _ plan: PlanNumber, _ draw: UInt64, _ table: GatewayInformationTable, _ now: Instant,
        isRecording: Bool, _ reasons: inout some Explanation, _ set: inout TargetSet
    ) -> RoutingOutcome {
        guard let match = plans[plan.index].routes.longestMatch(number) else { return .failure(.noRoute) }
        let list = Int(match.value) < lists.count ? lists[Int(match.value)] : nil
        reasons.matched(number, digitCount: match.digitCount, list: list)
        guard let list else { return .failure(.emptyRoutingList) }
        set.giveUpAfterMilliseconds = list.giveUpAfterMilliseconds
        var walk = Walk(now: now, isRecording: isRecording, attemptLimit: list.attemptLimit)
        var first = list.entries.lowerBound
        var draw = draw
        while first < list.entries.upperBound {
            var end = first + 1  // behind the entries of the same priority
            while end < list.entries.upperBound, tables.entries[end].priority == tables.entries[first].priority {
                end += 1
            }
            var drawn: UInt64 = 0
            for _ in first..<end {
                let next = drawEntry(first..<end, &drawn, &draw)
                walk.take(tables.groups[tables.entries[next].group], self, table, &reasons, &set)
            }
            first = end
        }
        if !set.targets.isEmpty { return .targets }
        return .failure(walk.earliest.map { .everyGatewayOut(until: $0) } ?? .emptyRoutingList)
    }

    /// The next entry of a run of equals: a weighted draw without putting back. `drawn` has a bit for each one taken.
    private func drawEntry(_ run: Range<Int>, _ drawn: inout UInt64, _ draw: inout UInt64) -> Int {
        if run.count == 1 { return run.lowerBound }
        var total: UInt64 = 0
        var last = run.lowerBound
        for index in run where drawn & 1 << UInt64(index - run.lowerBound) == 0 {
            total += UInt64(tables.entries[index].weight)
            last = index
        }
        let number = SplitMix64.next(after: &draw)
        var left = total == 0 ? 0 : number % total
        for index in run where drawn & 1 << UInt64(index - run.lowerBound) == 0 {
            let weight = UInt64(tables.entries[index].weight)
            if left < weight || (total == 0) {
                last = index
                break
            }
            left -= weight
        }
        drawn |= 1 << UInt64(last - run.lowerBound)
        return last
    }
}

/// What one selection remembers from group to group.
private struct Walk {
    let now: Instant
    let isRecording: Bool
    let attemptLimit: Int
    /// The earliest time value of those left out.
    var earliest: Instant?

    mutating func take(
        _ group: CompiledGroup, _ snapshot: RoutingSnapshot, _ table: GatewayInformationTable,
        _ reasons: inout some Explanation, _ set: inout TargetSet
    ) {
        for index in group.members {
            let member = snapshot.tables.members[index]
            var status = table.status(of: member.slot)
            if status.status == .outOfService {
                guard status.isUsable(at: now) else {
                    if let until = status.timeValue { earliest = min(earliest ?? until, until) }
                    reasons.leftOut(member, group: group, because: "out-of-service", status: status, in: snapshot)
                    continue
                }
                if isRecording, let transition = table.recoverIfDue(member.slot, now: now) {
                    set.noteRecovery(transition)
                    status = transition.after
                }
            }
            guard set.targets.count < attemptLimit else {
                reasons.leftOut(member, group: group, because: "attempt-limit", status: status, in: snapshot)
                continue
            }
            guard !set.contains(member.slot) else {
                reasons.leftOut(member, group: group, because: "duplicate", status: status, in: snapshot)
                continue
            }
            set.append(member, of: group, text: snapshot.tables.text)
            reasons.took(member, group: group, in: snapshot)
        }
    }
}

/// The generator of Steele, Lea and Flood: one 64-bit word of state, and every word leads to a different one.
package enum SplitMix64 {
    /// Moves the state on and returns the number drawn.
    package static func next(after state: inout UInt64) -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

/// The draw of a call: the same Call-ID, the same order among equals, in the look-up as in a call.
package enum CallDraw {
    /// FNV-1a of the Call-ID, stirred. Not keyed: who chooses a Call-ID chooses among equals, and gains nothing.
    package static func number(for callID: Span<UInt8>) -> UInt64 {
        var state: UInt64 = 0xCBF2_9CE4_8422_2325
        for index in callID.indices { state = (state ^ UInt64(callID[index])) &* 0x0000_0100_0000_01B3 }
        return SplitMix64.next(after: &state)
    }
}
