package import JSON

/// One thing about the routing data that is allowed and yet likely wrong (API section 4, `GET /v1/lint`).
package struct LintFinding: Equatable, Sendable {
    /// How bad it is.
    package enum Severity: String, Sendable, CaseIterable {
        /// Calls fail by it.
        case error
        /// It is hardly meant so.
        case warning
        /// It may be meant so.
        case note
    }

    /// How bad it is.
    package let severity: Severity
    /// What is looked for: `group-in-no-list`.
    package let rule: String
    /// The object's path: `gateway-groups/london`.
    package let object: String
    /// What is wrong, for people.
    package let detail: String
    /// What helps, for people.
    package let remedy: String

    /// The finding as the API shows it.
    package var json: JSONValue {
        .object([
            "severity": .string(severity.rawValue), "rule": .string(rule), "object": .string(object),
            "detail": .string(detail), "remedy": .string(remedy),
        ])
    }

    /// The finding as one line.
    package var line: String { "\(severity.rawValue): \(object): \(detail) (\(rule)); \(remedy)" }
}

/// All findings of one revision.
package struct LintReport: Equatable, Sendable {
    /// How many findings of one rule are told; the others are counted.
    package static let findingsOfRuleLimitCount = 100

    /// The findings, the worst first, then by rule and object.
    package let findings: [LintFinding]
    /// How many there are of each severity, those that are not told among them.
    package let counts: [LintFinding.Severity: Int]
    /// The revision that was looked at.
    package let revision: Int64

    /// How many are counted and not told.
    package var omittedCount: Int { counts.values.reduce(0, +) - findings.count }

    /// The report as the API shows it.
    package var json: JSONValue {
        var counted: [String: JSONValue] = [:]
        for severity in LintFinding.Severity.allCases {
            counted[severity.rawValue] = .integer(Int64(counts[severity] ?? 0))
        }
        return .object([
            "items": .array(findings.map(\.json)), "counts": .object(counted),
            "omitted": .integer(Int64(omittedCount)),
        ])
    }
}

/// What is looked for.
enum LintRule: String, CaseIterable {
    case testFails = "test-fails"
    case listWithoutUsableGateway = "list-without-usable-gateway"
    case planWithoutPeer = "plan-without-peer"
    case planWithoutRoute = "plan-without-route"
    case groupWithoutMember = "group-without-member"
    case groupWithoutUsableGateway = "group-without-usable-gateway"
    case gatewaysShareAnAddress = "gateways-share-an-address"
    case routeUnreachable = "route-unreachable"
    case routeShadowed = "route-shadowed"
    case routeExpired = "route-expired"
    case routeRedundant = "route-redundant"
    case catchAllBesideReject = "catch-all-beside-reject"
    case gatewayInNoGroup = "gateway-in-no-group"
    case groupInNoList = "group-in-no-list"
    case listInNoRoute = "list-in-no-route"
    case peerTakesNoCalls = "peer-takes-no-calls"
    case redirectServersNotTold = "redirect-servers-not-told"

    /// What helps.
    var remedy: String {
        switch self {
        case .testFails: "mend what it looks up, or the test where it is out of date"
        case .listWithoutUsableGateway: "add a group with an unlocked gateway to it, or let its routes reject"
        case .planWithoutPeer: "name it in the routing_plan of an ingress peer, or delete it"
        case .planWithoutRoute: "add routes to it, any for all numbers; until then its calls get 404"
        case .groupWithoutMember: "add members to it, or delete it"
        case .groupWithoutUsableGateway: "unlock one of its gateways or raise its limits, or add another"
        case .gatewaysShareAnAddress:
            "let one of them go, or correct its uri: who moves on from one to the other asks the same machine again"
        case .routeUnreachable: "raise max_digits, or delete the route: every call that it matches gets 484"
        case .routeShadowed: "delete it, or one of the longer routes that take its calls"
        case .routeExpired: "delete it, or move valid_until on"
        case .routeRedundant: "delete it when it is not kept for its own sake: calls then follow the shorter one"
        case .catchAllBesideReject:
            "let any reject too and name what is allowed, when the rejected prefixes are meant to bar destinations"
        case .gatewayInNoGroup: "add it to a gateway group, or delete it: no call reaches it"
        case .groupInNoList: "add it to a routing list, or delete it: no call reaches it"
        case .listInNoRoute: "lead a route to it, or delete it"
        case .redirectServersNotTold: "set report_to to the API of the side that keeps the gateways' status"
        case .peerTakesNoCalls: "raise max_calls and max_calls_per_second, or delete the peer"
        }
    }
}
