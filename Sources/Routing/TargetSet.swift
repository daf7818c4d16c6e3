package import Addressing

/// The targets of one call, copied out of a snapshot: what a call keeps of its routing. The worker reuses it.
package struct TargetSet: Sendable {
    /// One gateway as this call will see it: a value without references.
    package struct Target: Sendable, BitwiseCopyable {
        /// The gateway's row in the gateway information table.
        package let slot: GatewaySlot
        /// Where the request goes.
        package let address: TransportAddress
        /// The predetermined times.
        package let timing: GatewayTiming
        /// Which ends of the attempt move the call on to the next target: its group's.
        package let failoverCauses: CauseSet
        /// Whether a failure after a provisional 18x moves the call on too.
        package let failsOverAfterRinging: Bool
        /// Which ends of the attempt say that the gateway failed.
        package let outOfServiceCauses: CauseSet
        /// How the gateway comes back after its time value.
        package let recovery: RecoveryMode
        /// How many calls the gateway may have.
        package let limits: CallLimits
        let suffixStart: UInt32
        let suffixEnd: UInt32

        /// Where in `TargetSet.text` the end of its Request-URI lies, behind the user part.
        package var suffix: Range<Int> { Int(suffixStart)..<Int(suffixEnd) }
    }

    /// In the order in which they are tried.
    package private(set) var targets: [Target] = []
    /// The ends of the Request-URIs: `@192.0.2.10:5060`.
    package private(set) var text: [UInt8] = []
    /// The status changes that the selection made: gateways whose time value was reached.
    package private(set) var recovered: [StatusTransition] = []
    /// How long the whole search may take, ms; nil: no bound.
    package internal(set) var giveUpAfterMilliseconds: UInt32?

    /// An empty set.
    package init() {}

    /// Forgets everything and keeps the memory.
    package mutating func removeAll() {
        targets.removeAll(keepingCapacity: true)
        text.removeAll(keepingCapacity: true)
        recovered.removeAll(keepingCapacity: true)
        giveUpAfterMilliseconds = nil
    }

    /// The whole Request-URI of a target for a user part (API section 5), as text.
    package func requestURI(of target: Target, user: String) -> String {
        "sip:\(user)" + String(decoding: text[target.suffix], as: UTF8.self)
    }

    mutating func append(_ member: CompiledMember, of group: CompiledGroup, text snapshotText: [UInt8]) {
        let start = UInt32(truncatingIfNeeded: text.count)
        text += snapshotText[Int(member.suffixStart)..<Int(member.suffixEnd)]
        targets.append(
            Target(
                slot: member.slot, address: member.address, timing: member.timing,
                failoverCauses: group.failoverCauses, failsOverAfterRinging: group.failsOverAfterRinging,
                outOfServiceCauses: member.outOfServiceCauses, recovery: member.recovery, limits: member.limits,
                suffixStart: start,
                suffixEnd: UInt32(truncatingIfNeeded: text.count)))
    }

    func contains(_ slot: GatewaySlot) -> Bool { targets.contains { $0.slot == slot } }

    mutating func noteRecovery(_ transition: StatusTransition) { recovered.append(transition) }
}
