package import Routing
package import Store
package import Time

/// Which part of which list.
package struct ListQuery: Sendable {
    /// The kind of object.
    package var kind: ResourceKind
    /// For routes: the plan.
    package var plan: String?
    /// For routes: only those whose prefix begins so.
    package var idPrefix: String?
    /// Only objects that have this label with this value.
    package var label: ObjectLabel?
    /// Only behind this id.
    package var after: String?
    /// 1...1000.
    package var limitCount = 100

    /// The first part of a list.
    package init(_ kind: ResourceKind, plan: String? = nil) { (self.kind, self.plan) = (kind, plan) }
}

/// What call to look up.
package struct LookupQuery: Sendable {
    /// The dialled number as the user part of a Request-URI holds it.
    package var number: String
    /// The plan; nil: that of `source`, and without one `default`.
    package var plan: String?
    /// The source's IP address as text; decides the plan and whether it may call at all (403).
    package var source: String?
    /// The Call-ID; decides the draw among equals.
    package var callID: String?
    /// The user part of the caller's URI; decides in groups that hash by it.
    package var caller: String?
    /// When the call comes; nil: now.
    package var at: WallTime?
    /// By the routing data of this revision; nil: of the present one.
    package var revision: Int64?

    /// The look-up of a number.
    package init(number: String) { self.number = number }
}

/// Which gateways' status.
package struct StatusQuery: Sendable {
    /// Only those with this status.
    package var status: GatewayStatus?
    /// Only the members of this group.
    package var group: String?
    /// Only behind this gateway's id.
    package var after: String?
    /// 1...1000.
    package var limitCount = 100

    /// All of them.
    package init() {}
}
