package import JSON

/// Why a request is refused. `HTTPAPI` makes problem+json of it (API section 2).
package struct Refusal: Error, Sendable {
    /// The problem's name in the contract.
    package enum Problem: String, Sendable, CaseIterable {
        case malformed
        case forbidden
        case notFound = "not-found"
        case inUse = "in-use"
        case conflict
        case stale
        case invalid
        case testFailed = "test-failed"
        case gone
        case tooManyRequests = "too-many-requests"
        case readOnly = "read-only"
        case noQuorum = "no-quorum"
        case outcomeUnknown = "outcome-unknown"
        case internalError = "internal"
    }

    /// Which problem.
    package let problem: Problem
    /// One sentence for a person: what is wrong and what would help.
    package let detail: String
    /// Every field that breaks a rule.
    package var errors: [FieldError] = []
    /// The entity tag that the object has, for `stale`.
    package var currentETag: String?
    /// When to come again, s.
    package var retryAfterSeconds: Int?
    /// Further members of the problem object, such as `oldest` of `gone`.
    package var extensions: [String: JSONValue] = [:]

    /// A refusal of its parts.
    package init(_ problem: Problem, _ detail: String, errors: [FieldError] = []) {
        (self.problem, self.detail, self.errors) = (problem, detail, errors)
    }
}

/// One field that breaks a rule.
package struct FieldError: Equatable, Sendable {
    /// Where: a JSON pointer (RFC 6901) into the body.
    package let pointer: String
    /// What stands there; null when nothing does.
    package let value: JSONValue
    /// Which rule it breaks.
    package let reason: String
    /// What would be accepted.
    package let allowed: String
    /// Of a body that is read line by line: the line, from 1 up. The pointer names the field then.
    package var line: Int64?
    /// And its column: of CSV the number of the cell in its row, of JSON that of the byte in its line, from 1 up.
    package var column: Int?

    /// An error of its parts.
    package init(_ pointer: String, _ value: JSONValue, _ reason: String, allowed: String) {
        (self.pointer, self.value, self.reason, self.allowed) = (pointer, value, reason, allowed)
    }

    /// The error as a member of `errors`.
    package var json: JSONValue {
        var members: [String: JSONValue] = [
            "pointer": .string(pointer), "value": value, "reason": .string(reason), "allowed": .string(allowed),
        ]
        if let line { members["line"] = .integer(line) }
        if let column { members["column"] = .integer(Int64(column)) }
        return .object(members)
    }
}
