extension RoutingSnapshot {
    /// The groups by number: name and members, in the operator's order.
    package func forEachGroup(_ body: (_ id: String, _ members: [GatewaySlot]) -> Void) {
        for (group, id) in zip(tables.groups, tables.groupIDs) { body(id, tables.members[group.members].map(\.slot)) }
    }
}
