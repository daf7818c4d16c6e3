import NetworkManager

extension CloudEvent {
    /// The type of what `?snapshot=true` sends first: no event of the sequence, so it has no number.
    static let currentStatus = "gateway.status.current"

    /// One event of a stream (WHATWG HTML section 9.2). Without an id the client's last one stays.
    static func block(id: Int64?, type: String, text: String) -> String {
        (id.map { "id: \($0)\n" } ?? "") + "event: \(type)\ndata: \(text)\n\n"
    }
}
