import Crypto
import Foundation
package import JSON
package import Time

/// A key that signs deliveries. It stands in no log, however the value gets there.
package struct WebhookKey: Equatable, Sendable, CustomStringConvertible, CustomReflectable {
    /// 24...64 bytes.
    package let bytes: [UInt8]

    /// The key of these bytes.
    package init(_ bytes: [UInt8]) { self.bytes = bytes }

    package var description: String { "(secret)" }
    /// Nothing to look into.
    package var customMirror: Mirror { Mirror(self, children: []) }
}

/// One webhook: who gets which events, and how far it has got.
///
/// Webhooks are no routing data: they belong to no revision, and calls don't see them.
package struct StoredWebhook: Equatable, Sendable {
    /// The client's name for it.
    package let id: String
    /// What was set, canonical; without the secret.
    package var body: JSONValue
    /// What its deliveries are signed with.
    package var key: WebhookKey
    /// What they are signed with as well, and until when: the key before, so that receivers can change over.
    package var previousKey: (key: WebhookKey, until: WallTime)?
    /// When it was first made.
    package let createdAt: WallTime
    /// When it was made what it is.
    package var updatedAt: WallTime
    /// How far it has got.
    package var progress: WebhookProgress

    /// A webhook of its parts.
    package init(
        id: String, body: JSONValue, key: WebhookKey, previousKey: (key: WebhookKey, until: WallTime)? = nil,
        createdAt: WallTime, updatedAt: WallTime, progress: WebhookProgress
    ) {
        (self.id, self.body, self.key, self.previousKey) = (id, body, key, previousKey)
        (self.createdAt, self.updatedAt, self.progress) = (createdAt, updatedAt, progress)
    }

    /// Its entity tag without quotes: of what was set, the secret included, and of nothing else.
    package var entityTag: String {
        var hash = SHA256()
        hash.update(data: Data("\(id) \(body.canonicalText)\n".utf8))
        hash.update(data: Data(key.bytes))
        return "w" + hash.finalize().prefix(8).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    /// True when both are the same.
    package static func == (left: StoredWebhook, right: StoredWebhook) -> Bool {
        left.id == right.id && left.body == right.body && left.key == right.key
            && left.previousKey?.key == right.previousKey?.key && left.previousKey?.until == right.previousKey?.until
            && left.createdAt == right.createdAt && left.updatedAt == right.updatedAt
            && left.progress == right.progress
    }
}

/// How far the deliveries of a webhook have got.
package struct WebhookProgress: Equatable, Sendable {
    /// Every event up to this number is delivered, given up, or of no interest.
    package var cursor: Int64
    /// How many attempts in a row have failed.
    package var failureCount: Int64 = 0
    /// When the first of them was.
    package var failingSince: WallTime?
    /// `webhook.failing` has been said of this row of failures.
    package var isTold = false
    /// How many events were given up since the webhook was made.
    package var deadLetterCount: Int64 = 0

    /// All events up to `cursor` are done with.
    package init(cursor: Int64) { self.cursor = cursor }
}

/// One attempt to deliver an event.
package struct WebhookAttempt: Equatable, Sendable {
    /// What came of it.
    package enum Outcome: String, Sendable { case delivered, failed, deadLettered = "dead-lettered" }

    /// The event's id: its number as text, or that of a test.
    package let event: String
    /// The event's type.
    package let type: String
    /// When it was begun.
    package let at: WallTime
    /// What came of it.
    package let outcome: Outcome
    /// The status code of the response; nil when none came.
    package let status: Int64?
    /// Why it failed, for a person; nil when it did not.
    package let error: String?
    /// How long it took, ms.
    package let durationMilliseconds: Int64

    /// An attempt of its parts.
    package init(
        event: String, type: String, at: WallTime, outcome: Outcome, status: Int64?, error: String?,
        durationMilliseconds: Int64
    ) {
        (self.event, self.type, self.at, self.outcome) = (event, type, at, outcome)
        (self.status, self.error, self.durationMilliseconds) = (status, error, durationMilliseconds)
    }
}

/// What a batch does to a webhook.
package enum WebhookEffect: Sendable {
    /// Makes it, or makes it what it is; its progress with it.
    case put(StoredWebhook)
    /// Takes it away, with its attempts.
    case delete(String)
    /// Notes how far it has got, and what was tried. Of a webhook that is gone: nothing.
    case progress(id: String, WebhookProgress, attempts: [WebhookAttempt])
    /// Says in the audit who did what stands before it.
    case audit(AuditEntry)
}
