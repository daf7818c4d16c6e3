import Addressing
import SIPMessage

/// What an endpoint does after something happened to it.
struct EndpointEffects<Wake> {
    var datagrams: [(bytes: [UInt8], to: TransportAddress)] = []
    var wakes: [(after: Duration, wake: Wake)] = []

    mutating func send(_ bytes: [UInt8], to destination: TransportAddress) { datagrams.append((bytes, destination)) }

    mutating func wake(_ wake: Wake, after: Duration) { wakes.append((after, wake)) }

    mutating func removeAll() {
        datagrams.removeAll(keepingCapacity: true)
        wakes.removeAll(keepingCapacity: true)
    }
}

/// A request as an endpoint writes it.
struct SimulatedRequest {
    var method: Method
    var uri: [UInt8]
    /// The sender, for Via and Contact.
    var sender: TransportAddress
    /// What stands behind the magic cookie.
    var branch: [UInt8]
    /// Whole lines.
    var routes: [UInt8] = []
    var from: [UInt8]
    var to: [UInt8]
    var call: Int
    var cSeq: UInt32
    /// Whole lines.
    var extra: [UInt8] = []
    var hasBody = false

    static func name(of method: Method) -> StaticString {
        switch method {
        case .invite: "INVITE"
        case .ack: "ACK"
        case .bye: "BYE"
        case .cancel: "CANCEL"
        case .info: "INFO"
        case .prack: "PRACK"
        case .update: "UPDATE"
        default: "OPTIONS"
        }
    }

    var bytes: [UInt8] {
        let name = Self.name(of: method)
        var output = OutputBuffer(capacity: 640)
        output.append(name)
        output.append(" ")
        output.append(uri)
        output.append(" SIP/2.0\r\nVia: SIP/2.0/UDP ")
        output.append(hostPort: sender)
        output.append(";branch=z9hG4bK")
        output.append(branch)
        output.append(";rport\r\n")
        output.append(routes)
        output.append("Max-Forwards: 70\r\nFrom: ")
        output.append(from)
        output.append("\r\nTo: ")
        output.append(to)
        output.append("\r\nCall-ID: sim-")
        output.append(decimal: Int64(call))
        output.append("\r\nCSeq: ")
        output.append(decimal: Int64(cSeq))
        output.append(" ")
        output.append(name)
        output.append("\r\nContact: <sip:u@")
        output.append(hostPort: sender)
        output.append(">\r\n")
        output.append(extra)
        output.append(hasBody ? "Content-Length: 5\r\n\r\nv=0\r\n" : "Content-Length: 0\r\n\r\n")
        return output.bytes
    }

    /// Text and numbers with `-` between.
    static func branch(_ letter: StaticString, _ numbers: Int...) -> [UInt8] {
        var output = OutputBuffer(capacity: 32)
        output.append(letter)
        for (position, number) in numbers.enumerated() {
            if position > 0 { output.append("-") }
            output.append(decimal: Int64(number))
        }
        return output.bytes
    }
}

extension Parcel {
    /// A response to this request.
    func response(
        _ status: Int, tag: [UInt8], contact: TransportAddress, extra: StaticString = "", retryAfter: Int = 0
    ) -> [UInt8] {
        var output = OutputBuffer(capacity: 768)
        let bytes = bytes
        let span = bytes.span
        output.append("SIP/2.0 ")
        output.append(decimal: Int64(status))
        output.append(" Simulated\r\n")
        for field in message.fields where field.name == .via || field.name == .recordRoute {
            output.append(span, field.line)
        }
        output.append("From: ")
        output.append(span, message.from)
        output.append("\r\nTo: ")
        output.append(span, message.to)
        if message.toTag == nil, status > 100 {
            output.append(";tag=")
            output.append(tag)
        }
        output.append("\r\nCall-ID: ")
        output.append(span, message.callID)
        output.append("\r\nCSeq: ")
        output.append(span, message.cSeq)
        output.append("\r\nContact: <sip:u@")
        output.append(hostPort: contact)
        output.append(">\r\n")
        output.append(extra)
        if retryAfter > 0 {
            output.append("Retry-After: ")
            output.append(decimal: Int64(retryAfter))
            output.append("\r\n")
        }
        output.append("Content-Length: 0\r\n\r\n")
        return output.bytes
    }
}
