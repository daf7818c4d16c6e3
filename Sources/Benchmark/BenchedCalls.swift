import Addressing
import Routing
import SIPMessage
import SignallingCore

/// Calls of one kind, one after another.
protocol BenchedCalls {
    /// Calls that did not go as they should.
    var failedCount: Int { get }

    /// Puts a call through the worker.
    ///
    /// - Parameter isWhole: false stops before the final response is answered: the call stays as it is.
    mutating func place(isWhole: Bool, in worker: inout BenchedWorker, _ snapshot: borrowing PinnedSnapshot)
}

extension BenchedWorker {
    /// True when the last datagram led to so many, the last of them for that address.
    func hasSent(_ count: Int, to address: TransportAddress) -> Bool {
        actions.datagrams.count == count && actions.datagrams.last?.destination == address
    }

    /// True when the last datagram led to that one datagram: `SIP/2.0 3`, `ACK`.
    func hasSent(_ beginning: StaticString, to address: TransportAddress) -> Bool {
        guard let datagram = actions.datagrams.last, datagram.destination == address,
            datagram.count > beginning.utf8CodeUnitCount
        else { return false }
        return actions.bytes.withUnsafeBufferPointer { bytes in
            beginning.withUTF8Buffer { beginning in
                for offset in beginning.indices where bytes[datagram.start + offset] != beginning[offset] {
                    return false
                }
                return true
            }
        }
    }

    /// Writes the message that answers what was sent last.
    func answer(_ recipe: inout MessageRecipe, _ call: borrowing BenchedCall) {
        guard let datagram = actions.datagrams.last else { return }
        actions.bytes.withUnsafeBufferPointer { bytes in
            recipe.fill(call, from: bytes.span.extracting(datagram.start..<datagram.start + datagram.count))
        }
    }
}

/// The caller's INVITE, the same for both roles.
enum CallersMessages {
    private static let description =
        "v=0\r\no=- 3921041200 1 IN IP4 10.1.0.1\r\ns=-\r\nc=IN IP4 10.1.0.1\r\nt=0 0\r\n"
        + "m=audio 40000 RTP/AVP 8 0 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\n"
        + "a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n"

    /// The end of a message with a session description.
    static let describedEnd =
        "Content-Type: application/sdp\r\nContent-Length: \(description.utf8.count)\r\n\r\n\(description)"
    /// The end of one without.
    static let bareEnd = "Content-Length: 0\r\n\r\n"

    static func invite(to server: TransportAddress) -> MessageRecipe {
        MessageRecipe([
            .text(
                "INVITE sip:+############@\(server.hostPort) SIP/2.0\r\n"
                    + "Via: SIP/2.0/UDP 10.1.0.1:5060;branch=z9hG4bKc!!!!!!!!i;rport\r\nMax-Forwards: 70\r\n"
                    + "From: <sip:+49301234567@10.1.0.1>;tag=c!!!!!!!!\r\n"
                    + "To: <sip:+############@\(server.hostPort)>\r\nCall-ID: !!!!!!!!-bench@10.1.0.1\r\n"
                    + "CSeq: 1 INVITE\r\nContact: <sip:caller@10.1.0.1:5060>\r\n"
                    + "Allow: INVITE, ACK, CANCEL, BYE, OPTIONS\r\nSupported: replaces\r\nUser-Agent: bench\r\n"
                    + describedEnd)
        ])
    }

    /// A request within the dialog that the 2xx at hand made.
    static func withinDialog(_ method: String, cSeq: Int, branch: String) -> MessageRecipe {
        MessageRecipe([
            .text(
                "\(method) sip:gw@10.2.0.1:5060 SIP/2.0\r\n"
                    + "Via: SIP/2.0/UDP 10.1.0.1:5060;branch=z9hG4bKc!!!!!!!!\(branch);rport\r\nMax-Forwards: 70\r\n"
                    + "Route: "), .value("Record-Route"), .text("\r\n"),
            .fields("From"), .fields("To"), .fields("Call-ID"),
            .text("CSeq: \(cSeq) \(method)\r\nUser-Agent: bench\r\n" + bareEnd),
        ])
    }
}
