/// Where the redirect server of a proxy is.
enum Arrangement: CaseIterable {
    /// In the same process.
    case coLocated
    /// In another process of the same binary, which is provisioned, probes and keeps the status. The proxy asks it over
    /// SIP, and reports to it.
    case apart

    /// Runs the body beside servers that have new databases; they are gone afterwards.
    func serving(_ body: (Deployment) throws -> Void) throws {
        try TandemProcess.serving { server in
            guard self == .apart else { return try body(Deployment(proxy: server, server: server)) }
            try TandemProcess.serving { proxy in
                try Deployment(proxy: proxy, server: server).join()
                try body(Deployment(proxy: proxy, server: server))
            }
        }
    }
}

/// Which process does what.
struct Deployment {
    /// Calls come to it.
    let proxy: TandemProcess
    /// It knows the gateways: it is provisioned, and its network manager is told.
    let server: TandemProcess

    /// Tells the proxy where its redirect server is.
    func join() throws {
        let settings = #"{"redirect_servers":["sip:\#(server.redirect)"],"report_to":"http://\#(server.api)"}"#
        let answer = try proxy.patch("settings", settings)
        guard answer.status == 200 else { throw HarnessError("PATCH settings: \(answer.status) \(answer.body)") }
    }
}
