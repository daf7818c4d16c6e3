package import JSON
package import Routing
package import Store
import Time

/// What must hold of an object before an operation on it is carried out (RFC 9110 section 13.1).
package struct Precondition: Equatable, Sendable {
    /// Entity tags without quotes, one of which the object must have; `*`: it must exist. Nil: nothing is asked.
    package var ifMatch: [String]?
    /// Entity tags of which the object must have none; `*`: it must not exist. Nil: nothing is asked.
    package var ifNoneMatch: [String]?

    /// The given conditions.
    package init(ifMatch: [String]? = nil, ifNoneMatch: [String]? = nil) {
        (self.ifMatch, self.ifNoneMatch) = (ifMatch, ifNoneMatch)
    }
}

/// One thing to do to one object.
package enum Operation: Sendable {
    /// Create or replace.
    case put(ResourcePath, JSONValue, Precondition)
    /// Merge (RFC 7396).
    case patch(ResourcePath, JSONValue, Precondition)
    /// Delete.
    case delete(ResourcePath, Precondition)

    /// Which object.
    package var path: ResourcePath {
        switch self {
        case .put(let path, _, _), .patch(let path, _, _), .delete(let path, _): path
        }
    }
}

/// What one request asks for: all of its operations in order, or none.
package struct Change: Sendable {
    /// What a change is made of.
    package enum Aim: Equatable, Sendable {
        /// Its operations.
        case operations
        /// Whatever makes the routing data equal those of a revision.
        case restore(Revision)
        /// Whatever takes the effects of a revision away that nobody confirmed.
        case goBack(Revision)
        /// Nothing: that revision stays as it is.
        case confirm(Revision)
        /// What a client has sent beside.
        case bulk(Bulk)
    }

    /// What it is made of.
    package let aim: Aim
    /// What to do.
    package let operations: [Operation]
    /// Who asks, as the audit names it.
    package let who: String
    /// Why, in the client's words.
    package let comment: String?
    /// The answer to a request that may come again, kept in the same transaction.
    package var answer: StoredAnswer?

    /// The id of the request that asks, also in the log; nil: no request does.
    package let requestID: String?

    /// True for a change set: refusals say which of its operations they speak of, and what it touches is asked for.
    package var isSet = false
    /// The only revision that it may follow (`stale` otherwise); nil: any.
    package var ifRevision: Int64?
    /// True: it is evaluated, and then forgotten.
    package var isDryRun = false
    /// How long it waits to be confirmed before it goes back by itself; nil: it stays.
    package var confirmWithin: Duration?
    /// Whether stored routing tests may fail after it.
    package var overridesTests = false
    /// The routes of the revision that it restores, where they are too many to go through one by one; nil: they do.
    var pastRoutes: RouteStage?

    /// A change of its parts. Without operations it changes nothing, and is done when all is on disk that waited before
    /// it.
    package init(_ operations: [Operation], who: String, comment: String? = nil, requestID: String? = nil) {
        (aim, self.operations) = (.operations, operations)
        (self.who, self.comment, self.requestID) = (who, comment, requestID)
    }

    /// A change that is no list of operations.
    package init(_ aim: Aim, who: String, comment: String? = nil, requestID: String? = nil) {
        (self.aim, operations, self.who, self.comment, self.requestID) = (aim, [], who, comment, requestID)
    }
}

/// A change that is committed and in force.
package struct ChangeResult: Sendable {
    /// The revision that it made; the one before when it changed nothing.
    package let revision: Int64
    /// What came of each operation, in order.
    package let operations: [OperationResult]
    /// How many objects of each kind it created, replaced and deleted.
    var counts = JSONValue.object([:])
    /// Until when it is to be confirmed; nil: it stays.
    var confirmBy: WallTime?
    /// What the preview of a change set is made of.
    var basis: PreviewBasis?
}

/// What came of one operation.
package struct OperationResult: Sendable {
    /// What happened to the object.
    package enum Outcome: String, Sendable { case created, replaced, unchanged, deleted }

    /// What happened.
    package let outcome: Outcome
    /// The object after it; nil when it was deleted.
    package let view: ResourceView?
}
