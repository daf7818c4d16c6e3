import Routing
import Store
import Time

/// Looks at the routes of one plan as they come, in the order of their digits: those that a route begins with stand
/// directly before it, so that a stack of at most 33 is all that it remembers.
struct RouteLinter {
    /// A route that the ones that come may begin with.
    private struct Open {
        let prefix: Prefix
        let route: Route
        /// A bit for each next digit, 0...9, that has a route of its own at all times.
        var takenDigits: UInt16 = 0
    }

    private static let allDigits: UInt16 = 1 << 10 - 1

    private let plan: String
    private let time: WallTime
    private var open: [Open] = []
    private var catchAll: Route?
    private var (rejectCount, firstReject, hasTimedReject): (Int, Prefix?, Bool) = (0, nil, false)

    init(plan: String, at time: WallTime) { (self.plan, self.time) = (plan, time) }

    /// The next route.
    mutating func add(_ prefix: Prefix, _ route: Route, to findings: inout LintFindings) {
        while let last = open.last, !prefix.begins(with: last.prefix) {
            open.removeLast()
            close(last, &findings)
        }
        note(prefix, route, &findings)
        if let last = open.indices.last {
            if open[last].route == route, route.isAlwaysValid {
                let shorter = open[last].prefix
                findings.note(
                    .routeRedundant, .note, path(prefix),
                    "it says the same as the route \(shorter), which its calls would follow without it")
            }
            if route.isAlwaysValid, prefix.digitCount == open[last].prefix.digitCount + 1, let digit = prefix.lastDigit
            {
                open[last].takenDigits |= 1 << UInt16(digit)
            }
        }
        open.append(Open(prefix: prefix, route: route))
    }

    /// All have come.
    mutating func finish(_ findings: inout LintFindings) {
        for last in open.reversed() { close(last, &findings) }
        open = []
        guard let catchAll, case .routingList(let list) = catchAll.disposition, let firstReject else { return }
        let rejects =
            rejectCount == 1 ? "\(firstReject) is rejected" : "\(firstReject) and \(rejectCount - 1) more are rejected"
        findings.note(
            .catchAllBesideReject, hasTimedReject ? .warning : .note, path(.catchAll),
            "\(rejects), and all that is not goes to the routing list \(list)"
                + (hasTimedReject ? "; one of them holds for a time only" : ""))
    }

    private mutating func note(_ prefix: Prefix, _ route: Route, _ findings: inout LintFindings) {
        if let end = route.validUntil, end <= time {
            findings.note(.routeExpired, .warning, path(prefix), "its time is over since \(end.rfc3339)")
        }
        if route.maxDigits < .max, prefix.digitCount > Int(route.maxDigits) {
            findings.note(
                .routeUnreachable, .warning, path(prefix),
                "every number that begins with it has more than \(route.maxDigits) digits, its max_digits")
        }
        if prefix.digitCount == 0 { catchAll = route }
        guard case .reject = route.disposition, prefix.digitCount > 0 else { return }
        rejectCount += 1
        firstReject = firstReject ?? prefix
        hasTimedReject = hasTimedReject || !route.isAlwaysValid
    }

    /// Everything that begins with the route has come.
    private func close(_ last: Open, _ findings: inout LintFindings) {
        guard last.takenDigits == Self.allDigits, last.prefix.digitCount > 0 else { return }
        let count = last.prefix.digitCount
        let isTooShort = Int(last.route.minDigits) > count
        findings.note(
            .routeShadowed, isTooShort ? .warning : .note, path(last.prefix),
            "each digit that may follow has a route of its own"
                + (isTooShort
                    ? ", and \(count) digits are fewer than its min_digits" : ": only the number itself is left to it"))
    }

    private func path(_ prefix: Prefix) -> ResourcePath { ResourcePath(route: prefix.description, plan: plan) }
}

extension Route {
    fileprivate var isAlwaysValid: Bool { validFrom == nil && validUntil == nil }
}
