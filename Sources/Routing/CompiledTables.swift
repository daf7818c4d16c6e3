import Addressing

// What a snapshot is made of. What selection reads holds no reference: names stand beside, for those who ask.

/// One routing plan: prefixes lead to the numbers of routes.
struct CompiledPlan: Sendable {
    let id: String
    let routes: PrefixTable
}

/// All ingress peers of a snapshot.
struct CompiledPeers: Sendable {
    /// By the numbers that stand in the ranges.
    var peers: [CompiledPeer] = []
    /// Their names.
    var ids: [String] = []
    var ranges = AddressRanges()
}

/// What a call needs of its ingress peer: a value without references.
package struct CompiledPeer: Sendable, BitwiseCopyable {
    /// Its row in the peer table.
    package let slot: PeerSlot
    /// The plan that its calls are looked up in.
    package let plan: PlanNumber
    /// Whether the identities that it asserts are passed on (RFC 3325).
    package let isIdentityTrusted: Bool
    /// How many calls it may have.
    package let limits: CallLimits
    let number: UInt32
}

struct CompiledList: Sendable {
    /// In the order of priority.
    let entries: Range<Int>
    let attemptLimit: Int
    /// 0: no bound.
    let giveUpAfterMilliseconds: UInt32
    let whenAllOut: RoutingList.WhenAllOut
}

struct CompiledEntry: Sendable, BitwiseCopyable {
    let group: Int
    let priority: UInt16
    let weight: UInt16
}

struct CompiledGroup: Sendable {
    enum Policy: UInt8, Sendable, BitwiseCopyable {
        case ordered, weighted, roundRobin, leastCalls, hashCallID, hashCaller, hashDialledNumber
    }

    /// Where selection remembers whose turn it is; the group's for as long as it lives.
    let number: UInt32
    /// In the order of priority, then position.
    let members: Range<Int>
    /// Tells one membership of the group from another.
    let fingerprint: UInt64
    let policy: Policy
    let attemptLimit: Int
    let failoverCauses: CauseSet
    let failsOverAfterRinging: Bool
    /// Where in `groupText` its Contact parameters lie.
    let parameters: Range<Int>
}

/// What selection needs of a member and its gateway, in one place: nothing to look up elsewhere.
struct CompiledMember: Sendable, BitwiseCopyable {
    let slot: GatewaySlot
    let priority: UInt16
    let weight: UInt16
    let administrativeState: AdministrativeState
    let recovery: RecoveryMode
    let limits: CallLimits
    let rampSeconds: UInt32
    /// Made of the gateway's id: the same in every process, for the policies that hash.
    let identity: UInt64
    let address: TransportAddress
    let timing: GatewayTiming
    let outOfServiceCauses: CauseSet
    let rewriting: TargetSet.Rewriting
    /// Where in the text its digits to prepend begin, behind them the end of its Request-URI, and where that ends.
    let textStart: UInt32
    let textEnd: UInt32
    /// Bytes behind that: the Contact parameters of its gateway.
    let parameterCount: UInt32
}

/// Everything but plans, routes and peers. Gateways are changed one by one; groups, members, entries and lists are
/// compiled anew when a group, a list or a gateway of a group changed. Snapshots share what is the same.
struct CompiledTables: Sendable {
    var gateways = GatewayRows()
    var groups: [CompiledGroup] = []
    var groupIDs: [String] = []
    var members: [CompiledMember] = []
    var entries: [CompiledEntry] = []
    var lists: [CompiledList?] = []  // by list number
    var listIDs: [String] = []
    var text: [UInt8] = []
    /// The Contact parameters of the groups, one behind the other.
    var groupText: [UInt8] = []
    /// How many gateways have the address.
    var gatewayAddresses: [IPAddress: Int] = [:]
    /// True when a group goes by the caller.
    var isCallerHashed = false
}
