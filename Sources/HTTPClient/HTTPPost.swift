/// One request to send.
package struct HTTPPost: Sendable {
    /// Where.
    package let url: WebURL
    /// Which addresses the name may lead to.
    package let rule: DestinationRule
    /// Further header fields; values without control characters.
    package var headers: [(name: String, value: String)] = []
    /// The body.
    package var body: [UInt8] = []
    /// How long all of it may take, from the first look for the name to the last byte of the response.
    package var timeout: Duration = .seconds(15)
    /// How long finding the address, connecting and TLS may take.
    package var connectTimeout: Duration = .seconds(5)
    /// How much of a response's body is read (and dropped) before the connection is closed. It counts as whole then.
    package var responseLimitBytes = 64 * 1024

    /// A request without a body.
    package init(to url: WebURL, rule: DestinationRule) { (self.url, self.rule) = (url, rule) }
}

/// How a request ended.
package struct HTTPPostResult: Sendable, Equatable {
    /// What came of it.
    package enum Outcome: Sendable, Equatable {
        /// A response came: its status code, and what Retry-After says.
        case response(status: Int, retryAfter: Duration?)
        /// None came.
        case failure(HTTPPostFailure)
    }

    /// What came of it.
    package let outcome: Outcome
    /// How long it took.
    package let duration: Duration

    /// A result of its parts.
    package init(_ outcome: Outcome, duration: Duration) { (self.outcome, self.duration) = (outcome, duration) }

    /// True for a response 200...299. Redirects are not followed: they are no success.
    package var isSuccess: Bool {
        guard case .response(let status, _) = outcome else { return false }
        return (200...299).contains(status)
    }
}

/// Why no response came.
package struct HTTPPostFailure: Sendable, Equatable {
    /// What went wrong.
    package enum Reason: String, Sendable {
        case nameNotResolved = "name-not-resolved"
        case addressRefused = "address-refused"
        case notConnected = "not-connected"
        case tls
        case timedOut = "timed-out"
        case broken
        case tooMany = "too-many"
        case stopped
    }

    /// What went wrong.
    package let reason: Reason
    /// One line for a person.
    package let detail: String

    /// A failure of its parts.
    package init(_ reason: Reason, _ detail: String) { (self.reason, self.detail) = (reason, detail) }

    /// `timed-out: Operation timed out after 15000 milliseconds`.
    package var text: String { "\(reason.rawValue): \(detail)" }
}
