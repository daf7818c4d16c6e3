package import Time

/// One event of the gap-free sequence.
package struct StoredEvent: Equatable, Sendable {
    /// Its number, from 1 up without a gap.
    package let sequence: Int64
    /// One of API section 7's types.
    package let type: String
    /// Who says it: `tandem/NODE`.
    package let source: String
    /// What it is about; nil for the whole.
    package let subject: String?
    /// When it happened.
    package let time: WallTime
    /// The data as JSON text on one line.
    package let data: String

    /// An event of its parts.
    package init(sequence: Int64, type: String, source: String, subject: String?, time: WallTime, data: String) {
        (self.sequence, self.type, self.source) = (sequence, type, source)
        (self.subject, self.time, self.data) = (subject, time, data)
    }
}
