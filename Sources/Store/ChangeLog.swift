package import JSON
package import Routing
package import Time

/// The one place that commits (DESIGN section 10). `Store` is the local one: an SQLite transaction. Another may put an
/// order of several nodes before it.
package protocol ChangeLog: Sendable {
    /// Makes the whole batch durable, or none of it. Called by the one writer alone; blocks until the disk has
    /// answered.
    func append(_ batch: CommitBatch) -> AppendOutcome

    /// Why a batch would be refused as `readOnly` at present, or nil. Changes nothing. Called by the one writer.
    func readOnlyReason() -> String?
}

/// How an append ended.
package enum AppendOutcome: Equatable, Sendable {
    /// On disk; the position after the batch.
    case appended(Position)
    /// Nothing was written: the log stands at another position than the one that the batch was made on.
    case stale(Position)
    /// Nothing was written: the order of changes can't be reached.
    case unavailable(reason: String)
    /// Nothing was written: the disk is full or the database is damaged.
    case readOnly(reason: String)
    /// It can't be told whether the batch was taken.
    case unknown(reason: String)
}

/// A position in the order of changes.
package struct Position: Equatable, Sendable {
    /// Grows when a log is begun anew, as after a restore.
    package let epoch: Int64
    /// The last change.
    package let revision: Revision
    /// SHA-256 of the previous digest and the last change; 32 bytes, all 0 before the first.
    package let digest: [UInt8]

    /// A position of its parts.
    package init(epoch: Int64, revision: Revision, digest: [UInt8]) {
        (self.epoch, self.revision, self.digest) = (epoch, revision, digest)
    }
}

/// What the writer makes durable in one transaction.
package struct CommitBatch: Sendable {
    /// The position that the changes were checked against.
    package let base: Position
    /// In order; the first has the revision after the base's, each next one more.
    package let changes: [ChangeEntry]
    /// Status changes, in order; each becomes a status record and a `gateway.status.changed` event.
    package let statusChanges: [StatusChange]
    /// Events that belong to neither.
    package let events: [EventDraft]
    /// What happens to webhooks, in order. They are this node's own: no part of a change, no revision.
    package let webhooks: [WebhookEffect]
    /// First answers to requests that may come again. They are this node's own: no part of a change, no revision.
    package var answers: [StoredAnswer] = []
    /// What became of changes that were to be confirmed.
    package var settlements: [ConfirmationSettlement] = []

    /// A batch of its parts.
    package init(
        base: Position, changes: [ChangeEntry] = [], statusChanges: [StatusChange] = [], events: [EventDraft] = [],
        webhooks: [WebhookEffect] = []
    ) {
        (self.base, self.changes, self.statusChanges, self.events) = (base, changes, statusChanges, events)
        self.webhooks = webhooks
    }
}

/// One change as its effects: the objects after it, with ids, times and defaults resolved. Replaying all entries on an
/// empty database gives the same objects.
package struct ChangeEntry: Sendable {
    /// The revision that the change makes.
    package let revision: Revision
    /// When.
    package let at: WallTime
    /// Who asked, as the audit names it.
    package let who: String
    /// Why, in the client's words.
    package let comment: String?
    /// The id of the request that asked, also in the log; nil: no request did. No part of the digest.
    package let requestID: String?
    /// What it does, in order; each object at most once.
    package let effects: [Effect]
    /// What it does to routes beside, when it is a bulk: no route is among `effects` then.
    package var routes: RouteStage?
    /// What network managers are told of it.
    package let events: [EventDraft]
    /// Until when it is to be confirmed, or it goes back; nil: it stays. No part of the digest.
    package var confirmBy: WallTime?

    /// An entry of its parts.
    package init(
        revision: Revision, at: WallTime, who: String, comment: String?, requestID: String? = nil, effects: [Effect],
        events: [EventDraft]
    ) {
        (self.revision, self.at, self.who, self.requestID) = (revision, at, who, requestID)
        (self.comment, self.effects, self.events) = (comment, effects, events)
    }
}

/// What a change does to one object.
package struct Effect: Sendable {
    /// Which object.
    package let path: ResourcePath
    /// What was set, canonical; nil: the object is deleted.
    package let body: JSONValue?
    /// When the object was first made; of a new one the time of the change.
    package let createdAt: WallTime

    /// An effect of its parts.
    package init(path: ResourcePath, body: JSONValue?, createdAt: WallTime) {
        (self.path, self.body, self.createdAt) = (path, body, createdAt)
    }
}

/// An event before it has its number.
package struct EventDraft: Sendable {
    /// One of API section 7's types, `routing.changed` for example.
    package let type: String
    /// What it is about; nil for the whole.
    package let subject: String?
    /// When it happened.
    package let time: WallTime
    /// The data.
    package let data: JSONValue

    /// A draft of its parts.
    package init(type: String, subject: String?, time: WallTime, data: JSONValue) {
        (self.type, self.subject, self.time, self.data) = (type, subject, time, data)
    }
}
