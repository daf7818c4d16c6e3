package import Routing
package import Time

/// What a change that wants to be confirmed has come to.
package enum ConfirmationState: String, Sendable, CaseIterable {
    /// It goes back at `confirmBy` unless somebody confirms it.
    case pending
    /// Somebody confirmed it: it stays.
    case confirmed
    /// Nobody did: it went back by itself.
    case goneBack = "gone-back"
    /// The data of a revision before it were restored.
    case superseded
}

/// A change that goes back by itself unless it is confirmed in time.
package struct StoredConfirmation: Equatable, Sendable {
    /// The change.
    package let revision: Revision
    /// Until when it is to be confirmed.
    package let confirmBy: WallTime
    /// What has come of it; nil: it is pending.
    package var settlement: ConfirmationSettlement?

    /// One that is pending, or what it was settled with.
    package init(revision: Revision, confirmBy: WallTime, settlement: ConfirmationSettlement? = nil) {
        (self.revision, self.confirmBy, self.settlement) = (revision, confirmBy, settlement)
    }

    /// What it has come to.
    package var state: ConfirmationState { settlement?.state ?? .pending }
}

/// The end of a pending confirmation.
package struct ConfirmationSettlement: Equatable, Sendable {
    /// The change that was to be confirmed.
    package let revision: Revision
    /// What it has come to; not `pending`.
    package let state: ConfirmationState
    /// When.
    package let at: WallTime
    /// Who brought it about, as the audit names it.
    package let who: String
    /// The revision that took its effects away; nil when it was confirmed.
    package let by: Revision?

    /// A settlement of its parts.
    package init(revision: Revision, _ state: ConfirmationState, at time: WallTime, who: String, by: Revision? = nil) {
        (self.revision, self.state, at, self.who, self.by) = (revision, state, time, who, by)
    }
}
