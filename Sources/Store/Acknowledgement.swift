package import JSON
package import Time

/// That somebody has taken note of a status record.
package struct Acknowledgement: Equatable, Sendable {
    /// When.
    package let at: WallTime
    /// Who, in his own words or as the token names him.
    package let who: String
    /// What he says to it.
    package let note: String?

    /// An acknowledgement of its parts.
    package init(at: WallTime, who: String, note: String?) { (self.at, self.who, self.note) = (at, who, note) }

    /// As the API shows it.
    package var json: JSONValue {
        .object([
            "at": .string(at.rfc3339), "who": .string(who), "note": note.map { .string($0) } ?? .null,
        ])
    }
}
