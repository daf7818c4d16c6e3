package import JSON
package import Routing
package import Time

/// One object of the routing data as it holds from a revision on.
package struct StoredObject: Equatable, Sendable {
    /// Which object.
    package let path: ResourcePath
    /// What was set.
    package let body: JSONValue
    /// The revision that made it what it is: its entity tag.
    package let revision: Revision
    /// When it was first made.
    package let createdAt: WallTime
    /// When it was made what it is.
    package let updatedAt: WallTime

    /// An object of its parts.
    package init(path: ResourcePath, body: JSONValue, revision: Revision, createdAt: WallTime, updatedAt: WallTime) {
        (self.path, self.body, self.revision) = (path, body, revision)
        (self.createdAt, self.updatedAt) = (createdAt, updatedAt)
    }
}

/// Something read from the store, with the revision of the routing data that it reflects: both from one transaction.
package struct Revised<Value: Sendable>: Sendable {
    /// What was read.
    package let value: Value
    /// The last revision at that time.
    package let revision: Revision

    /// A value of a revision.
    package init(_ value: Value, revision: Revision) { (self.value, self.revision) = (value, revision) }
}

/// A name and a value that an operator has put on objects, to tell them apart by.
package struct ObjectLabel: Equatable, Sendable {
    /// The name: `site`.
    package let name: String
    /// The value: `lon`.
    package let value: String

    /// A label of its parts.
    package init(name: String, value: String) { (self.name, self.value) = (name, value) }
}
