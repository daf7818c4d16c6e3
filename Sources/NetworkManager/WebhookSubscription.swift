package import HTTPClient
package import Store
package import Time

/// A webhook as deliveries need it.
package struct WebhookSubscription: Sendable {
    /// The client's name for it.
    package let id: String
    /// Differs from that of an earlier webhook of the same name, and after each replay: whose place in the sequence it
    /// is that a report speaks of.
    package let turn: UInt64
    /// Where to.
    package var url: WebURL
    /// Which events; empty: all.
    package var types: Set<String>
    /// False: nothing is sent, the place in the sequence is kept.
    package var isEnabled: Bool
    /// What deliveries are signed with, the newest first, each until a time.
    package var keys: [(key: WebhookKey, until: WallTime?)]
    /// Where it stood when the turn began.
    package let progress: WebhookProgress

    /// A subscription of its parts.
    package init(
        id: String, turn: UInt64, url: WebURL, types: Set<String>, isEnabled: Bool,
        keys: [(key: WebhookKey, until: WallTime?)], progress: WebhookProgress
    ) {
        (self.id, self.turn, self.url, self.types) = (id, turn, url, types)
        (self.isEnabled, self.keys, self.progress) = (isEnabled, keys, progress)
    }
}

/// What became of a webhook's deliveries, for the one writer to write down.
package struct WebhookReport: Sendable {
    /// Which webhook.
    package let id: String
    /// In which of its turns; a report of an earlier one is void.
    package let turn: UInt64
    /// How far it has got.
    package var progress: WebhookProgress
    /// What was tried since the last report, in order.
    package var attempts: [WebhookAttempt]
    /// What network managers are told.
    package var events: [EventDraft]

    /// A report of its parts.
    package init(
        id: String, turn: UInt64, progress: WebhookProgress, attempts: [WebhookAttempt], events: [EventDraft]
    ) {
        (self.id, self.turn, self.progress, self.attempts, self.events) = (id, turn, progress, attempts, events)
    }
}

/// How the deliveries of a webhook stand, for figures and for people.
package struct WebhookStanding: Sendable {
    /// Which webhook.
    package let id: String
    /// How many events behind its place in the sequence have not been looked at or delivered.
    package let lagCount: Int64
    /// Attempts since the start that were answered with a success.
    package let deliveredCount: UInt64
    /// Attempts since the start that were not.
    package let failedCount: UInt64
    /// How far it has got; what is not on disk yet included.
    package let progress: WebhookProgress
    /// When the next attempt is made, while it waits for one.
    package let nextAttemptAt: WallTime?
}
