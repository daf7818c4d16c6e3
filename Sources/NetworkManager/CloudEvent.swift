import JSON
package import Store
package import Time

/// An event in the form of CloudEvents 1.0 (API section 7).
package enum CloudEvent {
    /// The types that a client can ask for.
    package static let types = [
        "gateway.status.changed", "group.status.changed", "gateway.administrative-state.changed", "routing.changed",
        "network.suspected", "webhook.failing", "overload.changed", "server.started",
    ]

    /// A stored event as JSON on one line.
    package static func text(_ event: StoredEvent) -> String {
        text(
            id: "\(event.sequence)", source: event.source, type: event.type, subject: event.subject, time: event.time,
            data: event.data)
    }

    /// An event of its parts; `data` is JSON text.
    package static func text(
        id: String, source: String, type: String, subject: String?, time: WallTime, data: String
    ) -> String {
        func quoted(_ text: String) -> String { JSONValue.string(text).canonicalText }
        var text = "{\"specversion\":\"1.0\",\"id\":\(quoted(id)),\"source\":\(quoted(source)),\"type\":\(quoted(type))"
        if let subject { text += ",\"subject\":\(quoted(subject))" }
        text += ",\"time\":\(quoted(time.rfc3339)),\"datacontenttype\":\"application/json\",\"data\":"
        return text + oneLine(data) + "}"
    }

    /// Line ends in JSON text can only stand between its tokens.
    private static func oneLine(_ text: String) -> String {
        guard text.utf8.contains(where: { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") }) else { return text }
        return String(
            decoding: text.utf8.map { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") ? UInt8(ascii: " ") : $0 },
            as: UTF8.self)
    }
}
