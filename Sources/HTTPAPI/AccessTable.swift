import ControlPlane

/// What each endpoint asks of whoever calls it: the one place that says so (API section 2). An endpoint that does not
/// stand here is the admin's alone.
enum AccessTable {
    /// What is asked.
    enum Need: Equatable, Sendable {
        /// Nothing: health, and documents that say the same to everyone.
        case nothing
        /// A token of this role or a higher one.
        case role(Role)
    }

    /// What `METHOD TEMPLATE` asks; nil: it does not stand here.
    static func need(_ endpoint: String) -> Need? { needs[endpoint] }

    private static let needs: [String: Need] = {
        var needs: [String: Need] = [:]
        for endpoint in free { needs[endpoint] = .nothing }
        for template in reader { needs["GET \(template)"] = .role(.reader) }
        for endpoint in changesOfRouting + `operator` { needs[endpoint] = .role(.operator) }
        for endpoint in admin { needs[endpoint] = .role(.admin) }
        return needs
    }()

    private static let free = [
        "GET /", "GET /livez", "GET /readyz", "GET /openapi.yaml", "GET /problems/{name}",
    ]

    /// Templates of `GET`.
    private static let reader = [
        "/v1/gateways", "/v1/gateways/{id}", "/v1/gateway-groups", "/v1/gateway-groups/{id}", "/v1/routing-lists",
        "/v1/routing-lists/{id}", "/v1/routing-plans", "/v1/routing-plans/{id}", "/v1/routing-plans/{id}/routes",
        "/v1/routing-plans/{id}/routes/{prefix}", "/v1/ingress-peers", "/v1/ingress-peers/{id}", "/v1/routing-tests",
        "/v1/routing-tests/{id}", "/v1/revisions", "/v1/revisions/{number}", "/v1/revisions/{number}/diff",
        "/v1/export", "/v1/lint", "/v1/lookup", "/v1/status", "/v1/gateways/{id}/status",
        "/v1/gateways/{id}/availability", "/v1/gateway-groups/{id}/status", "/v1/status-records", "/v1/events",
        "/v1/calls", "/v1/calls/{id}", "/v1/settings", "/v1/webhooks", "/v1/webhooks/{id}",
        "/v1/webhooks/{id}/deliveries", "/v1/version", "/metrics",
    ]

    private static let changesOfRouting =
        [
            "/v1/gateways/{id}", "/v1/gateway-groups/{id}", "/v1/routing-lists/{id}", "/v1/routing-plans/{id}",
            "/v1/routing-plans/{id}/routes/{prefix}", "/v1/ingress-peers/{id}", "/v1/routing-tests/{id}",
        ].flatMap { template in ["PUT", "PATCH", "DELETE"].map { "\($0) \(template)" } }

    private static let `operator` = [
        "PUT /v1/routing-plans/{id}/routes", "PATCH /v1/routing-plans/{id}/routes", "POST /v1/changes",
        "POST /v1/import", "POST /v1/revisions/{number}/confirm", "POST /v1/revisions/{number}/take-back",
        "PUT /v1/gateways/{id}/status",
        "POST /v1/gateways/{id}/probe", "POST /v1/status-reports", "POST /v1/status-records/{sequence}/acknowledge",
    ]

    private static let admin = [
        "GET /v1/tokens", "GET /v1/tokens/{id}", "PUT /v1/tokens/{id}", "DELETE /v1/tokens/{id}",
        "PATCH /v1/settings", "PUT /v1/webhooks/{id}", "PATCH /v1/webhooks/{id}", "DELETE /v1/webhooks/{id}",
        "POST /v1/webhooks/{id}/replay", "POST /v1/webhooks/{id}/test", "POST /v1/revisions/{number}/restore",
        "GET /v1/backup",
    ]
}
