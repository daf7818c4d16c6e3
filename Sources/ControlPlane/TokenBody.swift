package import JSON
import Store
import Time

/// What `PUT /v1/tokens/{id}` sets.
struct TokenBody {
    let role: Role
    let description: String?
    let expiresAt: WallTime?

    private static let readOnly = readOnlyFields.union(["last_used_at", "expired"])
    private static let descriptionLimitCharacters = 256

    /// Checks a body; throws every field that breaks a rule.
    ///
    /// - Parameter old: what stands there: the end that it has may stay although it is past.
    init(_ body: JSONValue, replacing old: StoredToken?, at now: WallTime) throws(Refusal) {
        guard case .object(let all) = body else { throw .notAnObject }
        let members = all.filter { $0.value != .null }
        var errors: [FieldError] = []
        let roles = Role.allCases.map { "\"\($0.rawValue)\"" }.joined(separator: ", ")
        let role = members["role"]?.text.flatMap { Role(rawValue: $0) }
        if role == nil {
            let value = members["role"] ?? .null
            errors.append(FieldError("/role", value, value == .null ? "required" : "no such role", allowed: roles))
        }
        var description: String?
        if let value = members["description"] {
            description = value.text
            if (description?.unicodeScalars.count ?? .max) > Self.descriptionLimitCharacters {
                let allowed = "text of up to \(Self.descriptionLimitCharacters) characters"
                errors.append(
                    FieldError("/description", value, value.text == nil ? "not a string" : "too long", allowed: allowed)
                )
            }
        }
        var expiresAt: WallTime?
        if let value = members["expires_at"] {
            expiresAt = value.text.flatMap { WallTime(rfc3339: $0) }
            let allowed = "null, or a time to come, as 2030-01-01T00:00:00.000Z"
            if let expiresAt {
                if expiresAt <= now, expiresAt != old?.expiresAt {
                    errors.append(FieldError("/expires_at", value, "it is past", allowed: allowed))
                }
            } else {
                errors.append(FieldError("/expires_at", value, "not a time of RFC 3339", allowed: allowed))
            }
        }
        let known = ["role", "expires_at", "description"]
        for (name, value) in members.sorted(by: { $0.key < $1.key })
        where !known.contains(name) && !Self.readOnly.contains(name) {
            // A value in this place may be somebody's secret: it is not sent back.
            let shown: JSONValue = name == "token" ? .string("...") : value
            errors.append(
                FieldError(
                    "/\(Validation.escaped(name))", shown, "unknown field", allowed: known.joined(separator: ", ")))
        }
        guard let role, errors.isEmpty else {
            throw Refusal(.invalid, "\(errors.count) fields break a rule; errors lists them.", errors: errors)
        }
        (self.role, self.description, self.expiresAt) = (role, description, expiresAt)
    }
}

/// A token as the API shows it.
package struct TokenView: Sendable {
    /// Its id.
    package let id: String
    /// Role, end, last use and so on; the token itself where it was just made.
    package let body: JSONValue
    /// Its entity tag without quotes.
    package let etag: String

    /// - Parameter secret: the token itself, to be shown this once.
    init(_ token: StoredToken, secret: String? = nil, at now: WallTime) {
        var members: [String: JSONValue] = [
            "id": .string(token.id), "role": .string(token.role),
            "expires_at": token.expiresAt.map { .string($0.rfc3339) } ?? .null,
            "expired": .bool(token.expiresAt.map { $0 <= now } ?? false),
            "last_used_at": token.lastUsedAt.map { .string($0.rfc3339) } ?? .null,
            "created_at": .string(token.createdAt.rfc3339), "updated_at": .string(token.updatedAt.rfc3339),
        ]
        if let description = token.description { members["description"] = .string(description) }
        if let secret { members["token"] = .string(secret) }
        (id, body, etag) = (token.id, .object(members), token.entityTag)
    }
}

extension StoredToken {
    /// Without quotes.
    var entityTag: String { "t\(entry)" }
}
