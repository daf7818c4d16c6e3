package import JSON
package import Store

/// One object as the API shows it.
package struct ResourceView: Sendable {
    /// Which object.
    package let path: ResourcePath
    /// What was set, and `id`, `effective`, `revision`, `created_at`, `updated_at`.
    package let body: JSONValue
    /// Its entity tag without quotes; changes when the object changes.
    package let etag: String
}

/// A part of a list.
package struct ResourcePage: Sendable {
    /// The objects, in the order of their ids.
    package let items: [JSONValue]
    /// The id to go on after; nil at the end.
    package let next: String?
    /// The revision that the page reflects.
    package let revision: Int64

    /// A page of its parts.
    package init(items: [JSONValue], next: String?, revision: Int64) {
        (self.items, self.next, self.revision) = (items, next, revision)
    }
}
