/// What RFC 3261 section 16.6 (and RFC 5393) has a proxy change in a request, written down a second time: everything
/// else must be the same, byte for byte and in its order.
struct Forwarding {
    /// The proxy's own port on 127.0.0.1.
    let proxyPort: UInt16
    /// The port that the request came to, where that is another one.
    var ingressPort: UInt16?
    /// Where the request came from.
    let source: String
    /// What the Request-URI must be.
    let requestURI: String
    /// How many Record-Route values of the proxy there must be.
    let recordRouteCount: Int
    /// The Route values that must be left, without white space.
    let routes: [String]

    /// What is wrong with the request that came out.
    func faults(_ forwarded: RawMessage, of original: RawMessage) -> [String] {
        var faults: [String] = []
        func expect(_ isSo: Bool, _ what: @autoclosure () -> String) { if !isSo { faults.append(what()) } }
        expect(forwarded.startLine == "\(original.method) \(requestURI) SIP/2.0", "start line: \(forwarded.startLine)")
        expect(forwarded.values("route") == routes, "Route: \(forwarded.values("route")), not \(routes)")
        expect(forwarded.body == original.framedBody, "the body is another one")
        var rest = forwarded.fields.filter { $0.name != "route" }[...]
        let via = rest.popFirst()
        let isOurs = via?.name == "via" && via?.value.hasPrefix("SIP/2.0/UDP 127.0.0.1:\(proxyPort);") == true
        expect(isOurs && via?.value.contains(";branch=z9hG4bK") == true, "top Via: \(via?.value ?? "none")")
        var count = 0
        let ours = [proxyPort, ingressPort].compactMap { $0 }.map { "<sip:127.0.0.1:\($0);" }
        while let field = rest.first, field.name == "record-route", ours.contains(where: field.value.hasPrefix) {
            (rest, count) = (rest.dropFirst(), count + 1)
        }
        expect(count == recordRouteCount, "\(count) Record-Route values of ours")
        if original.value("max-forwards") == nil {
            expect(rest.popFirst()?.line == Array("Max-Forwards: 70\r\n".utf8), "Max-Forwards is not 70")
        }
        if original.value("max-breadth") == nil, rest.first?.name == "max-breadth" {
            expect(rest.popFirst()?.value == "60", "Max-Breadth is not 60")  // RFC 5393 section 5.3.3
        }
        var isTopVia = true
        for field in original.fields where field.name != "route" {
            guard let other = rest.popFirst(), other.name == field.name else {
                faults.append("\(field.name) is not in its place")
                return faults
            }
            switch field.name {
            case "via" where isTopVia:
                isTopVia = false
                expect(Self.asSent(other.dense) == Self.asSent(field.dense), "the Via below: \(other.value)")
                expect(other.dense.contains(";received=\(source)"), "no received: \(other.value)")
            case "max-forwards":
                let expected = min(Int(field.value) ?? 0, 255) - 1
                expect(Int(other.value) == expected, "Max-Forwards \(other.value), not \(expected)")
            default: expect(other.line == field.line, "\(field.name): \(other.value)")
            }
        }
        expect(rest.isEmpty, "more than there was: \(rest.map(\.name))")
        return faults
    }

    /// What is wrong with a response that the sender of a request got.
    static func faults(_ response: RawMessage, to request: RawMessage) -> [String] {
        var faults: [String] = []
        for name in ["via", "from", "call-id"] {
            let (expected, given) = (request.values(name).map(asSent), response.values(name).map(asSent))
            if expected != given { faults.append("\(name): \(given), not \(expected)") }
        }
        let (to, expected) = (response.values("to").first ?? "", request.values("to").first ?? "")
        let isSame = expected.contains(";tag=") ? to == expected : to.hasPrefix(expected + ";tag=")
        if !isSame { faults.append("To: \(to)") }
        if response.all("to").count != 1 { faults.append("\(response.all("to").count) To") }
        let method = response.value("cseq")?.split(whereSeparator: \.isWhitespace).last.map(String.init)
        if response.cSeqNumber != request.cSeqNumber || method != request.method {
            faults.append("CSeq: \(response.value("cseq") ?? "none")")
        }
        return faults
    }

    /// A Via value without what a receiver puts into it (section 18.2.1, RFC 3581).
    static func asSent(_ via: String) -> String { via.replacing(/;(received|rport)(=[^;,]*)?/, with: "") }
}
