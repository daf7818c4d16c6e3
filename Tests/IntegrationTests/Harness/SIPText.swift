import Foundation

/// SIP written and read by hand, so that no test trusts our own parser.
enum SIPText {
    static func invite(_ number: String, to port: UInt16, from source: UInt16, callID: String, via: Bool = true)
        -> String
    {
        let viaLine = via ? ["Via: SIP/2.0/UDP 127.0.0.1:\(source);branch=z9hG4bK-\(callID)"] : []
        return
            (["INVITE sip:\(number)@127.0.0.1:\(port) SIP/2.0"] + viaLine + [
                "Max-Forwards: 70", "From: <sip:peer@127.0.0.1:\(source)>;tag=f-\(callID)",
                "To: <sip:\(number)@127.0.0.1:\(port)>", "Call-ID: \(callID)", "CSeq: 1 INVITE",
                "Contact: <sip:peer@127.0.0.1:\(source)>", "Content-Length: 0", "", "",
            ]).joined(separator: "\r\n")
    }

    /// The ACK of a final response that is no success (RFC 3261 section 17.1.1.3).
    static func acknowledgement(of response: String, _ number: String, to port: UInt16, callID: String) -> String {
        (["ACK sip:\(number)@127.0.0.1:\(port) SIP/2.0"]
            + ["Via", "From", "To"].map { "\($0): \(field($0, in: response).first ?? "")" }
            + ["Max-Forwards: 70", "Call-ID: \(callID)", "CSeq: 1 ACK", "Content-Length: 0", "", ""])
            .joined(separator: "\r\n")
    }

    /// The response of whoever got the request: Via, Record-Route, From, To, Call-ID and CSeq as they came.
    static func response(_ status: Int, to request: String, toTag: String?, contact: String, extra: [String] = [])
        -> String
    {
        func copied(_ name: String) -> [String] { field(name, in: request).map { "\(name): \($0)" } }
        let to = field("To", in: request).first ?? ""
        let tag = to.contains(";tag=") ? "" : toTag.map { ";tag=\($0)" } ?? ""
        return
            (["SIP/2.0 \(status) Whatever"] + copied("Via") + copied("Record-Route") + copied("From")
            + ["To: \(to)\(tag)"] + copied("Call-ID") + copied("CSeq") + ["Contact: <\(contact)>"] + extra
            + ["Content-Length: 0", "", ""]).joined(separator: "\r\n")
    }

    /// What stands between the angle brackets of a field.
    static func uri(in message: String, of name: String) -> String {
        String((field(name, in: message).first ?? "").drop { $0 != "<" }.dropFirst().prefix { $0 != ">" })
    }

    static func branch(of message: String) -> String? {
        field("Via", in: message).first?.components(separatedBy: "branch=").last.map { text in
            String(text.prefix { $0 != ";" && $0 != "," })
        }
    }

    static func field(_ name: String, in message: String) -> [String] {
        message.split(whereSeparator: \.isNewline).filter { $0.lowercased().hasPrefix("\(name.lowercased()):") }
            .map { $0.drop { $0 != ":" }.dropFirst().trimmingCharacters(in: .whitespaces) }
    }

    /// The ports of the Contacts, in their order.
    static func contactPorts(in message: String) -> [UInt16] {
        field("Contact", in: message).joined(separator: ",").components(separatedBy: "@127.0.0.1:").dropFirst()
            .compactMap { UInt16($0.prefix { $0.isNumber }) }
    }
}
