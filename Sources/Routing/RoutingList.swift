/// What a call tries, in order: gateway groups by priority, a weighted draw among equals.
package struct RoutingList: Equatable, Sendable {
    /// One group of the list.
    package struct Entry: Equatable, Sendable {
        /// The group's id.
        package let group: String
        /// 0...65535; the lowest is tried first.
        package let priority: UInt16
        /// 0...65535; the chance to come first among equals.
        package let weight: UInt16

        /// An entry of its parts.
        package init(group: String, priority: UInt16 = 0, weight: UInt16 = 1) {
            (self.group, self.priority, self.weight) = (group, priority, weight)
        }
    }

    /// A draw among equals remembers who was drawn in one word.
    package static let entryLimitCount = 64

    /// The name that the operator chose.
    package let id: String
    /// The groups in the operator's order, at most `entryLimitCount`.
    package let entries: [Entry]
    /// How many gateways one call tries at most.
    package let attemptLimit: Int
    /// How long one call's whole search may take, ms; nil: no bound.
    package let giveUpAfterMilliseconds: UInt32?
    /// What becomes of a call when every gateway of the list is out-of-service.
    package let whenAllOut: WhenAllOut

    /// What becomes of a call when every gateway of its list is out-of-service.
    package enum WhenAllOut: String, Sendable, BitwiseCopyable, CaseIterable {
        /// It is refused (503).
        case refuse
        /// They are tried in order all the same: the fault may be ours.
        case `try`
    }

    /// A list of its parts.
    package init(
        id: String, entries: [Entry], attemptLimit: Int = 5, giveUpAfterMilliseconds: UInt32? = nil,
        whenAllOut: WhenAllOut = .refuse
    ) {
        (self.id, self.entries, self.attemptLimit) = (id, entries, attemptLimit)
        (self.giveUpAfterMilliseconds, self.whenAllOut) = (giveUpAfterMilliseconds, whenAllOut)
    }
}
