import Fixtures
import Foundation

/// Messages of RFC 3665's call flows, made to pass a proxy that is now ours: its Route value carries our mark, names of
/// next hops are addresses (the far side's), the top Via of a response is the one that we gave the request.
enum Flow {
    /// The far side of a proxy, seen from where a message comes from: an address to send to, with its port.
    struct FarSide { let hostPort: String }

    static func message(_ file: String) -> RawMessage? {
        TortureFolder.bytes(of: "flows/rfc3665/\(file)").map { RawMessage($0) }
    }

    /// A request as it comes in. Within a dialog the first Route value is ours, those behind it and the Request-URI's
    /// host are the far side. `viaPort` is where its sender listens, where that is not the port of its Via.
    static func incoming(
        _ request: RawMessage, ourRoute: String, to farSide: FarSide, viaPort: UInt16? = nil
    ) -> RawMessage {
        var (routes, isWithinDialog) = ([ourRoute], request.all("to").first?.dense.contains(";tag=") == true)
        if request.method == "CANCEL" { isWithinDialog = false }
        let behind = request.values("route").dropFirst()
        if isWithinDialog { routes += behind.map { _ in "<sip:\(farSide.hostPort);lr>" } }
        var uri = request.requestURI
        if isWithinDialog { uri = "\(uri.prefix { $0 != "@" })@\(farSide.hostPort)" }
        var written = Array("\(request.method) \(uri) SIP/2.0\r\n".utf8)
        var (isRouteWritten, isTopVia) = (false, true)
        for field in request.fields {
            if field.name == "via", isTopVia, let viaPort {
                isTopVia = false
                written += Array("Via: \(field.value.replacingOccurrences(of: ":5060", with: ":\(viaPort)"))\r\n".utf8)
                continue
            }
            guard field.name == "route" else {
                written += field.line
                continue
            }
            if !isRouteWritten { written += Array("Route: \(routes.joined(separator: ",\r\n "))\r\n".utf8) }
            isRouteWritten = true
        }
        return RawMessage(written + [13, 10] + request.body)
    }

    /// A response as it comes in: its top Via is that of the request as we sent it.
    static func incoming(_ response: RawMessage, to forwarded: RawMessage) -> RawMessage {
        written(response, topVia: forwarded.all("via").first?.line ?? [])
    }

    /// A response as it must go out: without its top Via, all else the same.
    static func outgoing(_ response: RawMessage) -> RawMessage { written(response, topVia: []) }

    private static func written(_ response: RawMessage, topVia: [UInt8]) -> RawMessage {
        var (written, isTopVia) = (Array("\(response.startLine)\r\n".utf8), true)
        for field in response.fields {
            written += field.name == "via" && isTopVia ? topVia : field.line
            if field.name == "via" { isTopVia = false }
        }
        return RawMessage(written + [13, 10] + response.body)
    }

    /// The request that a response answers, where the flow's own is not among the messages: as the proxy got it.
    static func request(of response: RawMessage) -> RawMessage {
        let method = response.value("cseq")?.split(separator: " ").last ?? ""
        var written = Array("\(method) sip:bob@biloxi.example.com SIP/2.0\r\nMax-Forwards: 70\r\n".utf8)
        for field in outgoing(response).fields {
            switch field.name {
            case "via", "from", "call-id", "cseq": written += field.line
            case "to": written += Array("To: \(field.value.prefix { $0 != ">" })>\r\n".utf8)
            default: break
            }
        }
        return RawMessage(written + Array("Content-Length: 0\r\n\r\n".utf8))
    }

    /// The INVITE that made the dialog of a request of either side; the caller is Alice in all flows.
    static func opening(of request: RawMessage) -> RawMessage {
        let (from, to) = (request.all("from").first?.value ?? "", request.all("to").first?.value ?? "")
        let (caller, callee) = from.contains("alice") ? (from, to) : (to, from)
        return RawMessage(
            [
                "INVITE sip:bob@biloxi.example.com SIP/2.0",
                "Via: SIP/2.0/UDP client.atlanta.example.com:5060;branch=z9hG4bKopening", "Max-Forwards: 70",
                "From: \(caller)", "To: \(callee.prefix { $0 != ">" })>", "Call-ID: \(request.callID)",
                "CSeq: 1 INVITE", "Contact: <sip:alice@client.atlanta.example.com>", "Content-Length: 0", "", "",
            ].joined(separator: "\r\n"))
    }
}
