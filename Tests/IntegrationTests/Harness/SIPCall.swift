import Foundation

/// A call that a test places by hand, datagram by datagram, at one of our addresses.
struct SIPCall {
    let caller: UDPPeer
    /// Where its requests go.
    let port: UInt16
    let callID: String
    var number = "442071234567"

    init(_ caller: UDPPeer, to port: UInt16, number: String = "442071234567") {
        (self.caller, self.port, self.number) = (caller, port, number)
        callID = "call-\(UUID().uuidString)"
    }

    /// A request of the caller; the branch is that of the INVITE unless another is given.
    func request(
        _ method: String, uri: String? = nil, branch: String = "invite", to: String? = nil, cSeq: Int = 1,
        maxForwards: Int = 70, extra: [String] = [], body: String = ""
    ) -> String {
        let contact = "sip:caller@\(caller.host):\(caller.port)"
        return
            ([
                "\(method) \(uri ?? "sip:\(number)@\(caller.host):\(port)") SIP/2.0",
                "Via: SIP/2.0/UDP \(caller.host):\(caller.port);branch=z9hG4bK-\(callID)-\(branch)",
                "Max-Forwards: \(maxForwards)", "From: <\(contact)>;tag=from-\(callID)",
                "To: \(to ?? "<sip:\(number)@\(caller.host):\(port)>")", "Call-ID: \(callID)",
                "CSeq: \(cSeq) \(method)", "Contact: <\(contact)>",
            ] + extra + ["Content-Length: \(body.utf8.count)", "", body]).joined(separator: "\r\n")
    }

    func send(_ text: String) { caller.send(text, to: port) }

    /// The next response of this status, to this method.
    func receive(_ status: Int, to method: String = "INVITE", seconds: Double = 5) throws -> String {
        let end = ContinuousClock.now + .seconds(seconds)
        while ContinuousClock.now < end {
            guard let message = caller.receive("SIP/2.0 \(status) ", callID: callID, seconds: seconds) else { break }
            if SIPText.field("CSeq", in: message).first?.hasSuffix(" \(method)") == true { return message }
        }
        throw HarnessError("no \(status) to the \(method) of \(callID) came")
    }

    /// The first final response to the INVITE.
    func receiveFinal(seconds: Double = 10) throws -> String {
        let end = ContinuousClock.now + .seconds(seconds)
        while ContinuousClock.now < end {
            guard let message = caller.receive("SIP/2.0 ", callID: callID, seconds: seconds) else { break }
            if !message.hasPrefix("SIP/2.0 1") { return message }
        }
        throw HarnessError("no final response to \(callID) came")
    }

    /// The ACK of a final response other than 2xx, hop by hop (RFC 3261 section 17.1.1.3).
    func acknowledge(_ response: String) { send(request("ACK", to: SIPText.field("To", in: response).first)) }

    /// A request within the dialog that a 2xx made (RFC 3261 section 12.2.1.1).
    func withinDialog(_ method: String, of answer: String, cSeq: Int, extra: [String] = []) -> String {
        request(
            method, uri: SIPText.uri(in: answer, of: "Contact"), branch: "\(method)-\(cSeq)",
            to: SIPText.field("To", in: answer).first, cSeq: cSeq,
            extra: SIPText.field("Record-Route", in: answer).reversed().map { "Route: \($0)" } + extra)
    }
}

extension UDPPeer {
    /// The next request of this call, passing over probes and what else comes.
    func receiveRequest(_ method: String, of call: SIPCall, seconds: Double = 5) throws -> String {
        guard let request = receive("\(method) ", callID: call.callID, seconds: seconds) else {
            throw HarnessError("no \(method) of \(call.callID) came")
        }
        return request
    }

    /// Answers a request as a gateway does, to the address that its top Via names.
    func answer(_ status: Int, to request: String, toTag: String? = "gateway", extra: [String] = []) {
        let via = SIPText.field("Via", in: request).first ?? ""
        let sentBy = via.prefix { $0 != ";" }
        send(
            SIPText.response(status, to: request, toTag: toTag, contact: "sip:\(host):\(port)", extra: extra),
            to: UInt16(sentBy.split(separator: ":").last ?? "") ?? 0)
    }
}
