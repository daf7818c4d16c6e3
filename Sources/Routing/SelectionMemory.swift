import Time

/// Whose turn it is: what one worker remembers from call to call for the policies that share. One a worker, used by one
/// thread; it needs no memory of its own in the steady state.
///
/// What is remembered stands by a group's number, which stays while the group lives, and in it by gateway, so that a
/// routing change takes nobody's turn away.
package struct SelectionMemory: Sendable {
    /// A member that may be tried.
    struct Candidate: Sendable, BitwiseCopyable {
        /// Its position in the snapshot's table of members.
        let member: Int
        let calls: UInt32
        let weight: UInt16
        let isTrial: Bool
        /// The lowest comes next.
        var key: Double = 0
    }

    private struct MemberState: Sendable, BitwiseCopyable {
        let slot: GatewaySlot
        var share = ShareState()
        /// When it was last chosen, counted in choices.
        var lastTurn: UInt64 = 0
    }

    private struct GroupState: Sendable {
        var fingerprint: UInt64 = 0
        var members: [MemberState] = []
    }

    /// How far a gateway that came back has come with its ramp.
    private struct RampState: Sendable, BitwiseCopyable {
        var generation: UInt8 = 0
        var since = Instant(nanoseconds: .min)
        /// The part of a call that is saved up, 1/65536.
        var credit: UInt32 = 0
    }

    private var groups: [GroupState] = []  // by group number
    private var ramps: [RampState] = []  // by the gateway's row
    private var turnCount: UInt64 = 0

    // What one selection works with, kept for its memory.
    var candidates: [Candidate] = []
    private var isOrdered = true
    private var placedCount = 0
    /// Who has just come back and leaves this call to others.
    var heldBack: [MemberPlace] = []
    /// Who is suspect and comes behind all others.
    var suspects: [MemberPlace] = []

    /// It is everybody's turn.
    package init() {}

    // MARK: order

    /// Decides in which order the candidates, members of one group and of the same priority, come.
    ///
    /// The first of a call's targets is chosen exactly by the policy, since that is the one that gets the call; those
    /// behind it get it only when others fail, and are drawn by weight, so that the calls of a gateway that falls are
    /// shared by all others.
    mutating func order(
        _ group: CompiledGroup, _ members: [CompiledMember], by policy: CompiledGroup.Policy, _ query: RoutingQuery,
        picksFirst: Bool
    ) {
        (isOrdered, placedCount) = (policy == .ordered, 0)
        switch policy {
        case .ordered: return
        case .weighted, .roundRobin:
            let isEqual = policy == .roundRobin
            if candidates.count > 1 { draw(members, seed: query.draw, isEqual: isEqual) }
            if picksFirst, !candidates.isEmpty {
                align(group, members)
                bringToFront(turn(group, isEqual: isEqual))
            }
        case .leastCalls:
            for index in candidates.indices {
                let bits = Self.mixed(query.draw, members[candidates[index].member].identity)
                candidates[index].key = Double(candidates[index].calls) + Double(bits >> 11) * 0x1p-53
            }
            if picksFirst, !candidates.isEmpty {
                align(group, members)
                bringToFront(leastUsed(group))
            }
        case .hashCallID: draw(members, seed: query.draw, isEqual: false)
        case .hashCaller: draw(members, seed: query.caller, isEqual: false)
        case .hashDialledNumber: draw(members, seed: query.dialled, isEqual: false)
        }
    }

    /// Brings the candidate that comes next to its position; those before it are in their places.
    mutating func bringNext(to position: Int) {
        guard !isOrdered, position >= placedCount else { return }
        var best = position
        for index in position..<candidates.count where candidates[index].key < candidates[best].key { best = index }
        if best != position { candidates.swapAt(best, position) }
    }

    private mutating func bringToFront(_ index: Int) {
        candidates.swapAt(0, index)
        placedCount = 1
    }

    /// Rendezvous: each candidate draws a number of its own from the seed, the lowest comes first, and who falls moves
    /// nobody else. With weights each is first as often as its share (exponential variates: Efraimidis and Spirakis).
    private mutating func draw(_ members: [CompiledMember], seed: UInt64, isEqual: Bool) {
        let isWeighted = !isEqual && candidates.contains { $0.weight > 0 }
        for index in candidates.indices {
            let drawn = Exponential.variate(Self.mixed(seed, members[candidates[index].member].identity))
            let weight = isWeighted ? candidates[index].weight : 1
            candidates[index].key = weight > 0 ? drawn / Double(weight) : 1e9 + drawn  // without weight: behind all
        }
    }

    private static func mixed(_ seed: UInt64, _ identity: UInt64) -> UInt64 {
        var state = seed ^ identity
        return SplitMix64.next(after: &state)
    }

    // MARK: turns

    /// Brings the group's memory in line with its members.
    private mutating func align(_ group: CompiledGroup, _ members: [CompiledMember]) {
        let number = Int(group.number)
        while groups.count <= number { groups.append(GroupState()) }
        guard groups[number].fingerprint != group.fingerprint || groups[number].members.count != group.members.count
        else { return }
        let old = groups[number].members
        groups[number].members = group.members.map { index in
            let slot = members[index].slot
            return old.first { $0.slot == slot } ?? MemberState(slot: slot)
        }
        groups[number].fingerprint = group.fingerprint
    }

    /// Whose turn it is by exact shares: the position among the candidates.
    private mutating func turn(_ group: CompiledGroup, isEqual: Bool) -> Int {
        let (number, first) = (Int(group.number), group.members.lowerBound)
        let hasWeight = !isEqual && candidates.contains { $0.weight > 0 }
        func weight(_ candidate: Candidate) -> Int64 { hasWeight ? Int64(candidate.weight) : 1 }
        var total: Int64 = 0
        for candidate in candidates { total += weight(candidate) }
        let step = ShareState.unit / total
        var highest = Int64.min
        for candidate in candidates where weight(candidate) > 0 {
            groups[number].members[candidate.member - first].share.wait(step, weight(candidate))
            highest = max(highest, groups[number].members[candidate.member - first].share.lag)
        }
        // Only after others came or went can it be that nobody may be chosen yet; then time goes on until one may.
        let shift = max(0, ShareState.tolerance + 1 - highest)
        var (best, bestDeadline, lowest) = (0, Int64.max, Int64.max)
        for (index, candidate) in candidates.enumerated() where weight(candidate) > 0 {
            groups[number].members[candidate.member - first].share.lag += shift
            let share = groups[number].members[candidate.member - first].share
            if share.lag > ShareState.tolerance, share.deadline < bestDeadline {
                (best, bestDeadline) = (index, share.deadline)
            }
        }
        let chosen = candidates[best].member - first
        groups[number].members[chosen].share.lag -= groups[number].members[chosen].share.turn
        for candidate in candidates where weight(candidate) > 0 {
            lowest = min(lowest, groups[number].members[candidate.member - first].share.lag)
        }
        guard lowest > 0 else { return best }
        for candidate in candidates where weight(candidate) > 0 {
            groups[number].members[candidate.member - first].share.lag -= lowest
        }
        return best
    }

    /// Who has the fewest calls, and among those waited longest: the position among the candidates.
    private mutating func leastUsed(_ group: CompiledGroup) -> Int {
        let (number, first) = (Int(group.number), group.members.lowerBound)
        var best = 0
        func lastTurn(_ index: Int) -> UInt64 { groups[number].members[candidates[index].member - first].lastTurn }
        for index in candidates.indices.dropFirst()
        where (candidates[index].calls, lastTurn(index)) < (candidates[best].calls, lastTurn(best)) {
            best = index
        }
        turnCount += 1
        groups[number].members[candidates[best].member - first].lastTurn = turnCount
        return best
    }

    // MARK: ramps

    /// True when a gateway that came back leaves this call to others: it gets the first one, and then the part that
    /// grows with time. Counts the call.
    mutating func isHeldBack(_ slot: GatewaySlot, since: Instant, rampSeconds: UInt32, now: Instant) -> Bool {
        let (elapsed, whole) = (max(0, (now - since).milliseconds), Int64(rampSeconds) * 1000)
        guard elapsed < whole else { return false }
        while ramps.count <= Int(slot.index) { ramps.append(RampState()) }
        var state = ramps[Int(slot.index)]
        if state.since != since || state.generation != slot.generation {
            state = RampState(generation: slot.generation, since: since, credit: 65_536)
        }
        state.credit += UInt32(truncatingIfNeeded: elapsed * 65_536 / whole)
        let isItsTurn = state.credit >= 65_536
        if isItsTurn { state.credit -= 65_536 }
        ramps[Int(slot.index)] = state
        return !isItsTurn
    }
}

/// How far one member of a group is behind its share: exact shares as real-time scheduling makes them. In each call
/// every member that may be chosen waits 1/(sum of weights) of a unit, and the one that is chosen pays 1/(its weight).
/// Chosen is, among those that are behind, the one that must be first not to fall a whole call behind: so each has at
/// every moment its share of the calls, rounded up or down (Baruah's proportionate fairness by earliest deadline).
///
/// Who may not be chosen does not wait, so nobody who comes back is owed anything.
struct ShareState: Sendable, BitwiseCopyable {
    /// Divides evenly by all small weights and sums, so that those are exact.
    static let unit: Int64 = 3_603_600 << 34
    /// Less than this is nothing: what rounding leaves where weights are large.
    static let tolerance: Int64 = unit >> 20

    var lag: Int64 = 0
    /// What a turn costs by the weight that it was reckoned with.
    private(set) var turn: Int64 = unit
    private var weight: Int64 = 1

    mutating func wait(_ step: Int64, _ weight: Int64) {
        if weight != self.weight { (self.weight, turn) = (weight, Self.unit / weight) }
        lag = min(max(lag, -turn), turn) + step  // never more than one turn, whatever the weights were before
    }

    var deadline: Int64 { turn - lag }
}

/// Exponential variates without a library of mathematics.
enum Exponential {
    /// -ln of a number that lies evenly between 0 and 1, made of random bits.
    static func variate(_ bits: UInt64) -> Double {
        let even = Double((bits >> 11) + 1) * 0x1p-53  // above 0, at most 1
        let ratio = (even.significand - 1) / (even.significand + 1)
        let square = ratio * ratio
        var series = 1.0 / 13  // artanh, to eight digits
        series = series * square + 1.0 / 11
        series = series * square + 1.0 / 9
        series = series * square + 1.0 / 7
        series = series * square + 1.0 / 5
        series = series * square + 1.0 / 3
        series = series * square + 1
        return -(Double(even.exponent) * 0.693_147_180_559_945_3 + 2 * ratio * series)
    }
}
