import JSON
import Routing
import Store
import Time

extension ChangeNotice {
    /// The events `gateway.administrative-state.changed` of a change: gateways that were there before and are now let
    /// calls, or not, otherwise than before.
    static func administrativeStates(
        _ effects: [Effect], before: [ResourcePath: StoredObject?], _ defaults: GatewayDefaults, revision: Revision,
        at time: WallTime
    ) -> [EventDraft] {
        func state(_ body: JSONValue) -> String {
            defaults.applied(to: body)["administrative_state"]?.text ?? AdministrativeState.unlocked.rawValue
        }
        return effects.compactMap { effect in
            guard effect.path.kind == .gateways, let new = effect.body, let old = before[effect.path] ?? nil else {
                return nil
            }
            let (from, to) = (state(old.body), state(new))
            guard from != to else { return nil }
            return EventDraft(
                type: "gateway.administrative-state.changed", subject: effect.path.text, time: time,
                data: .object([
                    "gateway": .string(effect.path.id), "at": .string(time.rfc3339), "from": .string(from),
                    "to": .string(to), "revision": .integer(revision.number),
                ]))
        }
    }
}
