import JSON
import Routing
import Store

/// Merges what was sent of routes into what they are (RFC 7396), and checks what comes of it.
final class RouteMerging {
    /// So many results are remembered; then it begins anew.
    private static let limitCount = 4096

    /// What broke a rule.
    var faults = BulkFaults()
    /// Where a field stands in a row, when that is the same for all of them.
    var column: (String) -> Int? = { _ in nil }
    private var known: [Question: RouteStage.Merged] = [:]

    private struct Question: Hashable {
        let sent: ExactText
        let present: ExactText?
    }

    /// What comes of a line.
    func merge(_ line: Int64, _ sent: String, _ present: String?) -> RouteStage.Merged {
        let question = Question(sent: ExactText(sent), present: present.map(ExactText.init))
        if let merged = known[question] { return merged }
        let (merged, errors) = Self.merge(sent, present)
        for error in errors {
            let name = error.pointer.dropFirst().split(separator: "/").first.map(String.init) ?? ""
            faults.note(error, line: line, column: column(name))
        }
        guard merged != .refused else { return merged }
        if known.count == Self.limitCount { known.removeAll(keepingCapacity: true) }
        known[question] = merged
        return merged
    }

    private static func merge(_ sent: String, _ present: String?) -> (RouteStage.Merged, [FieldError]) {
        var patch: JSONValue
        var body = JSONValue.object([:])
        do throws(MalformedJSON) {
            patch = try JSONValue(parsing: Array(sent.utf8))
            if let present { body = try JSONValue(parsing: Array(present.utf8)) }
        } catch {
            return (.refused, [FieldError("", .null, error.detail, allowed: "a JSON object")])
        }
        // From a reject that is not there nothing can be taken away: an empty cell of reject_reason makes none.
        if case .object(var members) = patch, case .object(let reject)? = members["reject"], body["reject"] == nil,
            !reject.isEmpty, reject.allSatisfy({ $0.value == .null && ["status", "reason"].contains($0.key) })
        {
            members["reject"] = nil
            patch = .object(members)
        }
        guard case .object(let members) = body.toCheck(after: patch) else { return (.refused, []) }
        let (kept, errors) = RouteRules.check(members)
        guard errors.isEmpty else { return (.refused, errors) }
        let text = kept.canonicalText
        return (ExactText(text) == present.map(ExactText.init) ? .unchanged : .body(text), [])
    }
}
