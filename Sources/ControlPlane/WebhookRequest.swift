package import JSON

/// What one request asks of the webhooks. They are no routing data: it makes no revision.
package enum WebhookRequest: Sendable {
    /// Create or replace; a replacement without `secret` keeps the secret.
    case put(String, JSONValue, Precondition)
    /// Merge (RFC 7396).
    case patch(String, JSONValue, Precondition)
    /// Delete, with its place in the sequence.
    case delete(String, Precondition)
    /// Deliver again from behind this event on.
    case replay(String, after: Int64)

    /// Which webhook.
    package var id: String {
        switch self {
        case .put(let id, _, _), .patch(let id, _, _), .delete(let id, _), .replay(let id, _): id
        }
    }
}

/// What came of a request, on disk.
package struct WebhookResult: Sendable {
    /// What happened to the webhook.
    package let outcome: OperationResult.Outcome
    /// The webhook after it; nil when it was deleted. Of a new one whose secret we made, `secret` with it: this once.
    package let view: WebhookView?
    /// The revision of the routing data at that time.
    package let revision: Int64
}

/// A webhook as the API shows it.
package struct WebhookView: Sendable {
    /// What was set, and `id`, `effective`, `created_at`, `updated_at`; never the secret.
    package let body: JSONValue
    /// Its entity tag without quotes; changes when the webhook changes, its secret included.
    package let etag: String
}
