package import JSON
package import Store

/// What a client wants of a bulk.
package struct BulkOrder: Sendable {
    /// What its body holds, where it is the routes of one plan.
    package enum Form: Sendable { case csv, lines }

    /// What it is about.
    package enum Subject: Equatable, Sendable {
        /// The routes of one plan.
        case routes(plan: String, Form)
        /// All routing data, as an export has them.
        case everything
    }

    /// What it is about.
    package let subject: Subject
    /// True: there is what is sent and nothing else. False: the routes of a plan are merged into what it has; objects
    /// of an export are there as they are sent, and the others stay.
    package let replaces: Bool
    /// What must hold of the plan's routes, or of the routing data: their entity tags are those of the whole.
    package let precondition: Precondition
    /// Who asks, and by which request.
    package let asker: TokenRegistry.Asker
    /// Why, in the client's words.
    package var comment: String?
    /// Whether stored routing tests may fail after it.
    package var overridesTests = false
    /// True: it is evaluated, and then forgotten.
    package var isDryRun = false
    /// Whether whoever asks may change the settings.
    package var mayChangeSettings = false

    /// An order of its parts.
    package init(
        _ subject: Subject, replaces: Bool, precondition: Precondition, asker: TokenRegistry.Asker
    ) {
        (self.subject, self.replaces) = (subject, replaces)
        (self.precondition, self.asker) = (precondition, asker)
    }
}

/// What came of a bulk.
package struct BulkResult: Sendable {
    /// The revision that it made; the one before when it changed nothing. Of one that is only evaluated: that it would
    /// make.
    package let revision: Int64
    /// What it did to the routes.
    package let counts: RouteCounts
    /// How many objects of each kind it created, replaced and deleted, as a change set tells it.
    package let countsByKind: JSONValue
}
