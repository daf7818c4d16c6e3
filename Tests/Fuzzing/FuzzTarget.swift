import Addressing
import JSON
import SIPMessage
import SIPTransaction

/// What can be fuzzed, by the name that `deploy/fuzz` takes.
enum FuzzTarget: String, CaseIterable {
    /// A whole datagram: parsed, read to the last parameter, answered, forwarded, and read again.
    case message
    /// One URI.
    case uri
    /// One Via field.
    case via
    /// A field of addresses, as Contact and Route are.
    case address
    /// Parameters alone.
    case parameters
    /// Two URIs with a line end between them: whether they are the same.
    case equivalence
    /// The values of Retry-After, Reason, Date and `q`.
    case values
    /// A branch, and the text of a mark.
    case branch
    /// A JSON text: read, written, read again.
    case json
    /// A worker as a proxy, given a sequence of datagrams, delays and transport errors.
    case proxy
    /// The same as a redirect server.
    case redirect
    /// The same as a proxy whose redirect servers are elsewhere: the gateways are these.
    case apart

    /// Runs one input of a target that has no state.
    func check(_ bytes: [UInt8]) {
        switch self {
        case .message: FuzzedMessage.check(bytes)
        case .uri: FuzzedParts.checkURI(bytes.span, ByteRange(0, bytes.count))
        case .via: FuzzedParts.checkVia(bytes)
        case .address: FuzzedParts.checkAddresses(bytes.span, ByteRange(0, bytes.count))
        case .parameters: FuzzedParts.checkParameters(bytes.span, ByteRange(0, bytes.count))
        case .equivalence: FuzzedValues.checkEquivalence(bytes)
        case .values: FuzzedValues.check(bytes)
        case .branch: FuzzedParts.checkBranch(bytes)
        case .json: FuzzedParts.checkJSON(bytes)
        case .proxy, .redirect, .apart: break
        }
    }
}
