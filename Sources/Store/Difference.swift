import Routing

/// How one object differs between two revisions.
package struct Difference: Sendable {
    /// Which object.
    package let path: ResourcePath
    /// As it is at the one revision; nil: it is not there.
    package let before: StoredObject?
    /// As it is at the other; nil: it is not there.
    package let after: StoredObject?

    /// A difference of its parts.
    package init(path: ResourcePath, before: StoredObject?, after: StoredObject?) {
        (self.path, self.before, self.after) = (path, before, after)
    }

    /// The same the other way round.
    package var reversed: Difference { Difference(path: path, before: after, after: before) }
}

/// A part of the differences between two revisions.
package struct DifferencePage: Sendable {
    /// In no order that means anything, each object once over all pages.
    package let items: [Difference]
    /// Where the next page begins; nil at the end.
    package let next: DifferencePosition?
}

/// Where a walk over the differences between two revisions stands.
package struct DifferencePosition: Equatable, Sendable {
    /// Rows are walked in the order of these.
    enum Stage: Int64, CaseIterable {
        case endedObjects, begunObjects, endedRoutes, begunRoutes
        /// Routes that were there until another table of routes took the place of theirs.
        case routesOfEndedTables
        /// Routes that are there since their table is: those without an end, and the others.
        case routesOfBegunTables, pastRoutesOfBegunTables
    }

    var stage: Stage
    /// The revision at which the last row that was looked at ended or began; where tables are walked, the table.
    var number: Int64
    /// That row's number.
    var row: Int64 = .max
    /// Where tables are walked: the prefix to go on with, or what sorts between two.
    var prefix = ""

    init(_ stage: Stage, behind revision: Revision) { (self.stage, number) = (stage, revision.number) }

    /// As text gives it back.
    package init?(_ text: String) {
        let parts = text.split(separator: "-", maxSplits: 3, omittingEmptySubsequences: false)
        let numbers = parts.prefix(3).map { Int64($0) }
        guard parts.count == 4, let first = numbers[0], let stage = Stage(rawValue: first), let number = numbers[1],
            let row = numbers[2]
        else { return nil }
        (self.stage, self.number, self.row, prefix) = (stage, number, row, String(parts[3]))
    }

    /// For a cursor.
    package var text: String { "\(stage.rawValue)-\(number)-\(row)-\(prefix)" }
}
