import Time

// Routes: prefixes lead to numbers, and a number stands for all routes that say the same.
extension SnapshotBuilder {
    /// Puts routes into a plan or, with a nil route, takes them out, in order. The plan exists, and so do the lists.
    package mutating func changeRoutes(in plan: String, _ changes: [(prefix: Prefix, route: Route?)]) {
        guard let table = plans[plan] else { return }
        var numbered: [(prefix: Prefix, value: PrefixTable.Value?)] = []
        numbered.reserveCapacity(changes.count)
        var last: [Prefix: PrefixTable.Value?] = [:]  // the same prefix may change twice
        for (prefix, route) in changes {
            let number = route.flatMap { retain($0) }
            if let old = last[prefix] ?? table[prefix] { release(old) }
            if changes.count > 1 { last[prefix] = .some(number) }
            numbered.append((prefix, number))
        }
        plans[plan] = table.changing(numbered)
    }

    /// The route of exactly this prefix.
    package func route(at prefix: Prefix, in plan: String) -> Route? {
        plans[plan]?[prefix].flatMap { route(numbered: $0) }
    }

    /// The list that a route of exactly this prefix leads to; nil also where it rejects.
    package func list(at prefix: Prefix, in plan: String) -> String? {
        plans[plan]?[prefix].flatMap { listNumbers.name(of: routeNumbers[$0].list) }
    }

    /// How many routes a plan has.
    package func routeCount(in plan: String) -> Int { plans[plan]?.count ?? 0 }

    /// Calls `body` with each route of a plan, in the order of the digits, until it returns false.
    package func forEachRoute(in plan: String, _ body: (Prefix, Route) -> Bool) {
        plans[plan]?.forEach { prefix, number in
            guard let route = route(numbered: number) else { return true }
            return body(prefix, route)
        }
    }

    /// The first prefixes of a plan, at most `limit`.
    package func prefixes(in plan: String, limit: Int) -> [Prefix] {
        var found: [Prefix] = []
        guard limit > 0 else { return found }
        plans[plan]?.forEach { prefix, _ in
            found.append(prefix)
            return found.count < limit
        }
        return found
    }

    /// True when a route leads to the list.
    package func isRouted(list: String) -> Bool {
        guard let number = listNumbers[list] else { return false }
        return listNumbers.count(of: number) > (lists[list] == nil ? 0 : 1)
    }

    /// Up to `limit` routes that lead to the list: plan and prefix.
    package func routes(to list: String, limit: Int) -> [(plan: String, prefix: Prefix)] {
        guard isRouted(list: list), let number = listNumbers[list] else { return [] }
        var found: [(plan: String, prefix: Prefix)] = []
        for (plan, table) in plans.sorted(by: { $0.key < $1.key }) where found.count < limit {
            table.forEach { prefix, value in
                if routeNumbers[value].list == number { found.append((plan, prefix)) }
                return found.count < limit
            }
        }
        return found
    }

    /// Calls `body` with plan and prefix of every route that leads to one of these lists.
    package func forEachRoute(toAny lists: Set<String>, _ body: (_ plan: String, _ prefix: Prefix) -> Void) {
        let numbers = Set(lists.compactMap { listNumbers[$0] })
        guard !numbers.isEmpty else { return }
        for (plan, table) in plans.sorted(by: { $0.key < $1.key }) {
            table.forEach { prefix, value in
                if numbers.contains(routeNumbers[value].list) { body(plan, prefix) }
                return true
            }
        }
    }

    /// The number of the route, to which one more prefix leads. Nil only when there are more lists or reasons than
    /// numbers.
    private mutating func retain(_ route: Route) -> PrefixTable.Value? {
        var compiled = CompiledRoute(
            minDigits: route.minDigits, maxDigits: route.maxDigits,
            validFrom: route.validFrom?.milliseconds ?? .min, validUntil: route.validUntil?.milliseconds ?? .max)
        var (list, reason): (String?, String?)
        switch route.disposition {
        case .routingList(let id):
            list = id
            compiled.list = listNumbers[id] ?? CompiledRoute.noList
        case .reject(let status, let text):
            compiled.rejectStatus = status
            reason = text.isEmpty ? nil : text
            compiled.reason = reason.flatMap { reasonNumbers[$0] }.map { $0 + 1 } ?? 0
        }
        let isNamed = (list == nil || compiled.list != CompiledRoute.noList) && (reason == nil || compiled.reason > 0)
        if isNamed, let number = routeNumbers.retainKnown(compiled) { return number }
        if let list {
            guard let number = listNumbers.retain(list) else { return nil }
            compiled.list = number
        }
        if let reason {
            guard let number = reasonNumbers.retain(reason) else { return nil }
            compiled.reason = number + 1
            compiledReasons = nil
        }
        compiledRoutes = nil
        return routeNumbers.add(compiled)
    }

    /// One prefix less leads to the route.
    mutating func release(_ number: PrefixTable.Value) {
        let compiled = routeNumbers[number]
        if routeNumbers.release(number) { releaseNames(of: compiled) }
    }

    private mutating func releaseNames(of compiled: CompiledRoute) {
        if compiled.list != CompiledRoute.noList { listNumbers.release(compiled.list) }
        if compiled.reason > 0 { reasonNumbers.release(compiled.reason - 1) }
    }

    private func route(numbered number: PrefixTable.Value) -> Route? {
        let compiled = routeNumbers[number]
        let disposition: Route.Disposition
        if let list = listNumbers.name(of: compiled.list) {
            disposition = .routingList(list)
        } else {
            guard compiled.rejectStatus > 0 else { return nil }
            let reason = compiled.reason > 0 ? reasonNumbers.name(of: compiled.reason - 1) ?? "" : ""
            disposition = .reject(status: compiled.rejectStatus, reason: reason)
        }
        return Route(
            disposition, minDigits: compiled.minDigits, maxDigits: compiled.maxDigits,
            validFrom: compiled.validFrom == .min ? nil : WallTime(milliseconds: compiled.validFrom),
            validUntil: compiled.validUntil == .max ? nil : WallTime(milliseconds: compiled.validUntil))
    }
}
