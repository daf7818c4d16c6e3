/// Why the database can't be opened or read.
package struct StoreError: Error, Equatable, Sendable {
    /// What is wrong.
    package enum Reason: Equatable, Sendable {
        /// The file can't be opened, made or written.
        case unusable
        /// The file is no SQLite database, or quick_check found damage.
        case damaged
        /// A newer version of Tandem wrote the database.
        case newerSchema
        /// A query failed.
        case failed
        /// The disk is full or takes nothing.
        case unwritable
    }

    /// What is wrong.
    package let reason: Reason
    /// One line for a person: which file, what SQLite said, what would help.
    package let detail: String

    /// An error of its parts.
    package init(_ reason: Reason, _ detail: String) { (self.reason, self.detail) = (reason, detail) }
}
