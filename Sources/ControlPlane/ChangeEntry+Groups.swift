import Store

extension [ChangeEntry] {
    /// Whether groups may have another status by them: not by routes and lists, which are most of what changes.
    var mayMoveGroups: Bool {
        contains { entry in
            entry.effects.contains { [.gateways, .gatewayGroups, .settings].contains($0.path.kind) }
        }
    }
}
