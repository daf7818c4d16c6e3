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
        /// Whether the gateway is out-of-service still and this call may be the one that tries it: to be claimed at the
        /// attempt.
        package internal(set) var isTrial: Bool
        let rewriting: Rewriting
        var textStart: UInt32
        var textEnd: UInt32
        /// Bytes behind its text that say how it is tried, for a proxy elsewhere.
        var parameterCount: UInt32 = 0

        /// Where in `TargetSet.text` its digits to prepend and the end of its Request-URI lie: what `TargetURI` wants.
        package var text: Range<Int> { Int(textStart)..<Int(textEnd) }
        /// Where in `TargetSet.text` the Contact parameters lie that say how it is tried (`ContactParameters`); empty
        /// unless the set was asked to keep them.
        package var parameters: Range<Int> { Int(textEnd)..<Int(textEnd) + Int(parameterCount) }
    }

    /// What one gateway wants done to the dialled number, without its digits.
    struct Rewriting: Sendable, BitwiseCopyable {
        let stripDigits: UInt8
        /// Bytes of the digits to prepend, with a `#` as three.
        let prependCount: UInt8
        let plus: NumberRewriting.Plus
        /// The text is the whole URI, and no user part is put into it.
        var isWhole = false

        init(_ rewriting: NumberRewriting, prependCount: Int) {
            stripDigits = rewriting.stripDigits
            self.prependCount = UInt8(clamping: prependCount)
            plus = rewriting.plus
        }

        /// A URI that somebody else has made.
        static var whole: Rewriting {
            var rewriting = Rewriting(NumberRewriting(), prependCount: 0)
            rewriting.isWhole = true
            return rewriting
        }

        var isIdentity: Bool { stripDigits == 0 && prependCount == 0 && plus == .keep }
    }

    /// In the order in which they are tried.
    package internal(set) var targets: [Target] = []
    /// What the Request-URIs are made of besides the user part: `@192.0.2.10:5060`.
    package internal(set) var text: [UInt8] = []
    /// The status changes that the selection made: gateways whose time value was reached.
    package private(set) var recovered: [StatusTransition] = []
    /// How long the whole search may take, ms; nil: no bound.
    package internal(set) var giveUpAfterMilliseconds: UInt32?
    private var keepsParameters = false

    /// An empty set.
    package init() {}

    /// Forgets everything and keeps the memory.
    ///
    /// - Parameter keepingParameters: whether what is selected from now on comes with its Contact parameters.
    package mutating func removeAll(keepingParameters: Bool = false) {
        keepsParameters = keepingParameters
        targets.removeAll(keepingCapacity: true)
        text.removeAll(keepingCapacity: true)
        recovered.removeAll(keepingCapacity: true)
        giveUpAfterMilliseconds = nil
    }

    /// The whole Request-URI of a target for a user part (API section 5), as text.
    package func requestURI(of target: Target, user: String) -> String {
        var (uri, user): ([UInt8], [UInt8]) = ([], Array(user.utf8))
        text[target.text].withUnsafeBufferPointer { text in
            user.withUnsafeMutableBufferPointer { user in
                TargetURI(target, text: text).write(user: user.span) { piece in
                    for index in piece.indices { uri.append(piece[index]) }
                }
            }
        }
        return String(decoding: uri, as: UTF8.self)
    }

    mutating func append(
        _ member: CompiledMember, of group: CompiledGroup, isTrial: Bool, in tables: CompiledTables
    ) {
        let start = UInt32(truncatingIfNeeded: text.count)
        append(tables.text, Int(member.textStart)..<Int(member.textEnd))
        let end = UInt32(truncatingIfNeeded: text.count)
        if keepsParameters {
            append(tables.text, Int(member.textEnd)..<Int(member.textEnd) + Int(member.parameterCount))
            append(tables.groupText, group.parameters)
        }
        targets.append(
            Target(
                slot: member.slot, address: member.address, timing: member.timing,
                failoverCauses: group.failoverCauses, failsOverAfterRinging: group.failsOverAfterRinging,
                outOfServiceCauses: member.outOfServiceCauses, recovery: member.recovery, limits: member.limits,
                isTrial: isTrial, rewriting: member.rewriting, textStart: start, textEnd: end,
                parameterCount: UInt32(truncatingIfNeeded: text.count) - end))
    }

    // By a buffer: a slice of the array would be a reference more to count, for each target of each call.
    private mutating func append(_ bytes: [UInt8], _ range: Range<Int>) {
        bytes.withUnsafeBufferPointer { text.append(contentsOf: UnsafeBufferPointer(rebasing: $0[range])) }
    }

    /// Takes out the trials that are not to be had.
    package mutating func keepTrials(where mayTry: (Target) -> Bool) {
        targets.removeAll { $0.isTrial && !mayTry($0) }
    }

    func contains(_ slot: GatewaySlot) -> Bool { targets.contains { $0.slot == slot } }

    mutating func noteRecovery(_ transition: StatusTransition) { recovered.append(transition) }
}
