import JSON
import Store
import Time

/// An event in the form of CloudEvents 1.0 (API section 7).
enum CloudEvent {
    /// The types that a client can ask for.
    static let types = [
        "gateway.status.changed", "group.status.changed", "gateway.administrative-state.changed", "routing.changed",
        "network.suspected", "webhook.failing", "overload.changed", "server.started",
    ]
    /// The type of what `?snapshot=true` sends first: no event of the sequence, so it has no number.
    static let currentStatus = "gateway.status.current"

    /// A stored event as JSON on one line.
    static func text(_ event: StoredEvent) -> String {
        text(
            id: "\(event.sequence)", source: event.source, type: event.type, subject: event.subject, time: event.time,
            data: event.data)
    }

    /// An event of its parts; `data` is JSON text.
    static func text(
        id: String, source: String, type: String, subject: String?, time: WallTime, data: String
    ) -> String {
        func quoted(_ text: String) -> String { JSONValue.string(text).canonicalText }
        var text = "{\"specversion\":\"1.0\",\"id\":\(quoted(id)),\"source\":\(quoted(source)),\"type\":\(quoted(type))"
        if let subject { text += ",\"subject\":\(quoted(subject))" }
        text += ",\"time\":\(quoted(time.rfc3339)),\"datacontenttype\":\"application/json\",\"data\":"
        return text + oneLine(data) + "}"
    }

    /// One event of a stream (WHATWG HTML section 9.2). Without an id the client's last one stays.
    static func block(id: Int64?, type: String, text: String) -> String {
        (id.map { "id: \($0)\n" } ?? "") + "event: \(type)\ndata: \(text)\n\n"
    }

    /// Line ends in JSON text can only stand between its tokens.
    private static func oneLine(_ text: String) -> String {
        guard text.utf8.contains(where: { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") }) else { return text }
        return String(
            decoding: text.utf8.map { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") ? UInt8(ascii: " ") : $0 },
            as: UTF8.self)
    }
}
