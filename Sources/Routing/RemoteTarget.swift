/// A gateway as a remote redirect server names it in a Contact.
package struct RemoteTarget: Sendable, BitwiseCopyable {
    /// How a target is tried.
    package struct Rules: Equatable, Sendable, BitwiseCopyable {
        /// The predetermined times; and how long whoever found it dead tries it last.
        package var timing = GatewayTiming()
        /// Which ends of the attempt say that the gateway failed.
        package var outOfServiceCauses = Gateway.standardOutOfServiceCauses
        /// Which ends of the attempt move the call on to the next target.
        package var failoverCauses = GatewayGroup.standardFailoverCauses
        /// Whether a failure after a provisional 18x moves the call on too.
        package var failsOverAfterRinging = false

        /// The API's defaults.
        package init() {}
    }

    /// Its name and address.
    package let gateway: RemoteGateway
    /// How it is tried.
    package let rules: Rules

    /// A remote target of its parts.
    package init(_ gateway: RemoteGateway, _ rules: Rules) { (self.gateway, self.rules) = (gateway, rules) }
}

extension TargetSet {
    /// Appends a remote target with its row and the whole of its URI.
    package mutating func append(_ target: RemoteTarget, in slot: GatewaySlot, uri: Span<UInt8>) {
        let start = UInt32(truncatingIfNeeded: text.count)
        uri.withUnsafeBufferPointer { text += $0 }
        let rules = target.rules
        targets.append(
            Target(
                slot: slot, address: target.gateway.address, timing: rules.timing,
                failoverCauses: rules.failoverCauses, failsOverAfterRinging: rules.failsOverAfterRinging,
                outOfServiceCauses: slot == .shared ? CauseSet() : rules.outOfServiceCauses, recovery: .timed,
                limits: CallLimits(), isTrial: false, rewriting: .whole, textStart: start,
                textEnd: UInt32(truncatingIfNeeded: text.count)))
    }

    /// Appends a target of another set with its text.
    package mutating func append(copy target: Target, text copied: UnsafeBufferPointer<UInt8>) {
        var target = target
        target.textStart = UInt32(truncatingIfNeeded: text.count)
        text += copied
        (target.textEnd, target.parameterCount) = (UInt32(truncatingIfNeeded: text.count), 0)
        targets.append(target)
    }

    /// Makes it the bound on the whole search; nil: none.
    package mutating func bound(giveUpAfterMilliseconds: UInt32?) {
        self.giveUpAfterMilliseconds = giveUpAfterMilliseconds
    }
}
