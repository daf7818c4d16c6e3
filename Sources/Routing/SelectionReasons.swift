/// What a look-up shows of a selection besides the targets.
package struct SelectionReasons: Sendable {
    /// Why a gateway of the routing list is no target: the words of a look-up's `left_out` (API section 5).
    package enum Reason: String, Sendable, BitwiseCopyable, CaseIterable {
        /// Its status is that, and its time value not reached or a good probe is needed first.
        case outOfService = "out-of-service"
        /// The operator locked it.
        case locked
        /// The operator lets it finish its calls.
        case shuttingDown = "shutting-down"
        /// It has as many calls, or as many new ones a second, as it may have.
        case full
        /// It came back a short while ago, and this call is not of the share that it gets already.
        case ramp
        /// Its time value is reached, and another call tries it at present.
        case trial
        /// The list's or the group's bound of attempts is reached before it.
        case attemptLimit = "attempt-limit"
        /// It is a target already, by another group.
        case duplicate
    }

    /// A gateway that was left out, and why.
    package struct LeftOut: Sendable {
        /// The gateway's id.
        package let gateway: String
        /// The group it was met in.
        package let group: String
        /// Its status.
        package let status: StatusWord
        /// Why.
        package let reason: Reason
    }

    /// The prefix of the route; nil when none matched.
    package var matchedPrefix: Prefix?
    /// The routing list's id.
    package var routingList: String?
    /// The groups of the targets, in their order.
    package var targetGroups: [String] = []
    /// The ids of the targets' gateways, in their order.
    package var targetGateways: [String] = []
    /// Of each of them, whether it comes behind others since it is suspect: it has not answered for a while.
    package var targetSuspicions: [Bool] = []
    /// Whoever was left out, in the order of the list.
    package var leftOut: [LeftOut] = []

    /// No reasons yet.
    package init() {}
}

/// What a selection tells while it works. The call path passes `Unexplained`, whose calls vanish.
protocol Explanation {
    /// Whether whoever can't be a target any more is looked at all the same.
    static var isComplete: Bool { get }
    mutating func matched(
        _ number: DialledNumber, digitCount: Int, _ route: CompiledRoute, in snapshot: RoutingSnapshot)
    mutating func took(_ place: MemberPlace, isSuspect: Bool, in snapshot: RoutingSnapshot)
    mutating func leftOut(
        _ place: MemberPlace, because reason: SelectionReasons.Reason, status: StatusWord, in snapshot: RoutingSnapshot)
    /// The list is walked anew, by other rules.
    mutating func restart()
}

/// A member of a group, by their positions in the snapshot's tables.
struct MemberPlace: Sendable, BitwiseCopyable {
    let group: Int
    let member: Int
}

struct Unexplained: Explanation {
    static var isComplete: Bool { false }
    func matched(_: DialledNumber, digitCount _: Int, _: CompiledRoute, in _: RoutingSnapshot) {}
    func took(_: MemberPlace, isSuspect _: Bool, in _: RoutingSnapshot) {}
    func leftOut(_: MemberPlace, because _: SelectionReasons.Reason, status _: StatusWord, in _: RoutingSnapshot) {}
    func restart() {}
}

extension SelectionReasons: Explanation {
    static var isComplete: Bool { true }

    mutating func matched(
        _ number: DialledNumber, digitCount: Int, _ route: CompiledRoute, in snapshot: RoutingSnapshot
    ) {
        matchedPrefix = Prefix(codes: (0..<digitCount).map { number.code(at: $0) })
        routingList = snapshot.list(numbered: route.list).map { _ in snapshot.tables.listIDs[Int(route.list)] }
    }

    mutating func took(_ place: MemberPlace, isSuspect: Bool, in snapshot: RoutingSnapshot) {
        targetSuspicions.append(isSuspect)
        targetGroups.append(snapshot.tables.groupIDs[place.group])
        targetGateways.append(snapshot.gatewayID(at: place))
    }

    mutating func leftOut(
        _ place: MemberPlace, because reason: Reason, status: StatusWord, in snapshot: RoutingSnapshot
    ) {
        leftOut.append(
            LeftOut(
                gateway: snapshot.gatewayID(at: place), group: snapshot.tables.groupIDs[place.group], status: status,
                reason: reason))
    }

    mutating func restart() { (targetGroups, targetGateways, targetSuspicions, leftOut) = ([], [], [], []) }
}

extension RoutingSnapshot {
    fileprivate func gatewayID(at place: MemberPlace) -> String {
        gateway(in: tables.members[place.member].slot)?.id ?? ""
    }
}
