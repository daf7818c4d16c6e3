import Time

extension RoutingSnapshot {
    /// Appends the gateways that a call tries, in order, to `set`, and puts gateways whose time value is reached back
    /// in-service on the way (the method, step 3): those changes are in `set.recovered`. A target that is a trial is
    /// still out-of-service, and is claimed when it is tried.
    ///
    /// - Parameter memory: whose turn it is, as this worker remembers.
    package func select(
        _ query: RoutingQuery, status table: GatewayInformationTable, memory: inout SelectionMemory,
        into set: inout TargetSet
    ) -> RoutingOutcome {
        var unexplained = Unexplained()
        return select(query, table, isRecording: true, &memory, &unexplained, &set)
    }

    /// The same by the same code, with the reasons, and without changing any status or whose turn it is.
    package func explain(
        _ query: RoutingQuery, status table: GatewayInformationTable, memory: SelectionMemory = SelectionMemory(),
        into set: inout TargetSet
    ) -> (outcome: RoutingOutcome, reasons: SelectionReasons) {
        var reasons = SelectionReasons()
        var memory = memory
        let outcome = select(query, table, isRecording: false, &memory, &reasons, &set)
        return (outcome, reasons)
    }

    private func select(
        _ query: RoutingQuery, _ table: GatewayInformationTable, isRecording: Bool, _ memory: inout SelectionMemory,
        _ reasons: inout some Explanation, _ set: inout TargetSet
    ) -> RoutingOutcome {
        guard let (route, digitCount) = match(query) else { return .failure(.noRoute) }
        reasons.matched(query.number, digitCount: digitCount, route, in: self)
        if query.number.isNumber, !route.accepts(digitCount: query.number.digitCount) {
            return .failure(.incompleteNumber)
        }
        if route.rejectStatus > 0 {
            return .failure(.rejected(status: Int(route.rejectStatus), reason: reason(of: route)))
        }
        guard let list = list(numbered: route.list) else { return .failure(.emptyRoutingList) }
        set.giveUpAfterMilliseconds = list.giveUpAfterMilliseconds == 0 ? nil : list.giveUpAfterMilliseconds
        let isHeld = settings.whenNetworkSuspected == .hold && table.isNetworkSuspected
        var walk = Walk(
            query: query, rule: isHeld ? .networkSuspected : .usual, isRecording: isRecording, defersSuspects: true,
            attemptLimit: list.attemptLimit)
        walk.take(list, self, table, &memory, &reasons, &set)
        if walk.areAllSuspect {
            reasons.restart()
            walk = Walk(
                query: query, rule: .usual, isRecording: isRecording, defersSuspects: false,
                attemptLimit: list.attemptLimit)
            walk.take(list, self, table, &memory, &reasons, &set)
        }
        if !set.targets.isEmpty { return .targets }
        if list.whenAllOut == .try, walk.outCount > 0 {
            reasons.restart()
            walk = Walk(
                query: query, rule: .allOut, isRecording: isRecording, defersSuspects: false,
                attemptLimit: list.attemptLimit)
            walk.take(list, self, table, &memory, &reasons, &set)
            if !set.targets.isEmpty { return .targets }
        }
        return .failure(walk.failure)
    }

    /// The longest prefix whose route is there at the time of the call: of one that is not, the next shorter one.
    private func match(_ query: borrowing RoutingQuery) -> (route: CompiledRoute, digitCount: Int)? {
        guard query.plan.index < plans.count,
            var found = plans[query.plan.index].routes.longestMatch(query.number)
        else { return nil }
        var route = routes[found.value]
        while !route.isValid(atMilliseconds: query.wallTime.milliseconds) {  // at most 33 times: each is shorter
            guard found.digitCount > 0,
                let shorter = plans[query.plan.index].routes.longestMatch(query.number.prefix(found.digitCount - 1))
            else { return nil }
            found = shorter
            route = routes[found.value]
        }
        return (route, found.digitCount)
    }

    func list(numbered number: UInt32) -> CompiledList? {
        Int(number) < tables.lists.count ? tables.lists[Int(number)] : nil
    }

    private func reason(of route: CompiledRoute) -> String {
        let index = Int(route.reason) - 1
        return reasons.indices.contains(index) ? reasons[index] : ""
    }
}
