import Foundation
import JSON
import Store
import Testing

@testable import ControlPlane

/// `openapi/tandem.yaml` describes the fields that are taken, and no others.
@Suite struct DocumentTests {
    private static let names: [(ResourceKind, String)] = [
        (.gateways, "Gateway"), (.gatewayGroups, "GatewayGroup"), (.routingLists, "RoutingList"),
        (.routingPlans, "RoutingPlan"), (.routes, "Route"), (.ingressPeers, "IngressPeer"),
        (.routingTests, "RoutingTest"),
        (.settings, "Settings"),
    ]
    /// What every object has beside its own fields, and what a route has from its path.
    private static let shared: Set<String> = ["description", "prefix"]

    private func document() throws -> [Substring] {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let text = try String(contentsOf: root.appendingPathComponent("openapi/tandem.yaml"), encoding: .utf8)
        return text.split(separator: "\n")
    }

    /// The members of a schema with what the document says of each.
    private func members(of name: String, in lines: [Substring]) -> [String: Substring] {
        let schemas = lines.drop { $0 != "  schemas:" }
        let own = schemas.drop { $0 != "    \(name):" }.dropFirst().prefix { $0.hasPrefix("      ") }
        var members: [String: Substring] = [:]
        for line in own where line.hasPrefix("        ") && !line.hasPrefix("         ") {
            let parts = line.dropFirst(8).split(separator: ":", maxSplits: 1)
            if let name = parts.first { members[String(name)] = parts.count > 1 ? parts[1] : "" }
        }
        return members
    }

    @Test(arguments: names)
    func `each field that is taken is described, with its bounds and its default`(kind: ResourceKind, name: String)
        throws
    {
        // What the settings may say for all gateways stands apart.
        let names = kind == .gateways ? [name, "GatewayRules"] : [name]
        let lines = try document()
        let described = names.reduce(into: [:]) { $0.merge(members(of: $1, in: lines)) { first, _ in first } }
        var taken: Set<String> = []
        for field in Schema.of(kind).fields {
            let text = String(described[field.name] ?? "")
            // A member that is null counts as left out; of the settings, which are only patched, the patch says so.
            let mayBeNull = !field.isRequired && kind != .settings
            switch field.rule {
            case .integer(let range):
                #expect(text.contains("minimum: \(range.lowerBound), maximum: \(range.upperBound)"), "\(field.name)")
                if let standard = field.standard { #expect(text.contains("default: \(standard.canonicalText)")) }
                if mayBeNull { #expect(text.contains("type: [integer, \"null\"]"), "\(field.name)") }
            case .choice(let words):
                let values = words + (mayBeNull ? ["null"] : [])
                #expect(text.contains("enum: [\(values.joined(separator: ", "))]"), "\(field.name)")
            case .flag:
                let standard = field.standard?.canonicalText ?? ""
                let type = mayBeNull ? "[boolean, \"null\"]" : "boolean"
                #expect(text.contains("type: \(type), default: \(standard)"), "\(field.name)")
            case .text, .phrase, .token, .digits, .time, .reference, .name, .names, .userPart, .address, .gatewayURI,
                .gatewayURIs, .personURI, .apiURL, .networks, .labels, .causes, .object, .entries, .objects, .path,
                .members:
                break
            }
            taken.insert(field.name)
        }
        let missing = taken.subtracting(described.keys).subtracting(Self.shared)
        let surplus = Set(described.keys).subtracting(taken).subtracting(Self.shared)
        #expect(missing.isEmpty, "\(name) lacks \(missing.sorted())")
        let readOnly: Set<String> =
            kind == .routes ? ["routing_plan"] : kind == .settings ? ["effective", "revision"] : []
        #expect(surplus.subtracting(readOnly).isEmpty, "\(name): \(surplus.sorted())")
    }
}
