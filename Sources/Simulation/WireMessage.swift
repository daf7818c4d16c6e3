import Addressing
import SIPMessage

/// A received message as the simulated endpoints read it: by the real parser, as text.
struct WireMessage {
    let bytes: [UInt8]
    let message: Message

    init?(_ bytes: [UInt8]) {
        var message = Message()
        do {
            try message.parse(bytes.span)
        } catch {
            return nil
        }
        (self.bytes, self.message) = (bytes, message)
    }

    func text(_ range: ByteRange?) -> String {
        guard let range else { return "" }
        return String(decoding: OutputBuffer.copy(of: bytes.span, range), as: UTF8.self)
    }

    /// The values of all fields of that name, one by one.
    func values(of name: HeaderName) -> [String] {
        var found: [String] = []
        for field in message.fields where field.name == name {
            var values = ValueIterator(field.value)
            while let value = values.next(in: bytes.span) { found.append(text(value)) }
        }
        return found
    }

    var branch: String { text(message.topVia.branch) }
    var callID: String { text(message.callID) }

    /// The URI of the first Contact.
    var contact: String {
        String(values(of: .contact).first?.drop { $0 != "<" }.dropFirst().prefix { $0 != ">" } ?? "")
    }

    /// A response to this request.
    func response(_ status: Int, toTag: String, contact: String, extra: [String] = []) -> [UInt8] {
        var lines = ["SIP/2.0 \(status) Simulated"]
        lines += values(of: .via).map { "Via: \($0)" }
        lines += values(of: .recordRoute).map { "Record-Route: \($0)" }
        lines += [
            "From: \(text(message.from))", "To: \(text(message.to))" + (message.toTag == nil ? ";tag=\(toTag)" : ""),
        ]
        lines += ["Call-ID: \(callID)", "CSeq: \(text(message.cSeq))", "Contact: <\(contact)>"]
        lines += extra + ["Content-Length: 0", "", ""]
        return Array(lines.joined(separator: "\r\n").utf8)
    }
}

/// What an endpoint does after something happened to it.
struct EndpointEffects<Wake> {
    var datagrams: [(bytes: [UInt8], to: TransportAddress)] = []
    var wakes: [(after: Duration, wake: Wake)] = []
}
