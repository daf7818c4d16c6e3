import Addressing
import SIPMessage

/// What a gateway's URI says about where to send, as far as it is built: UDP or TCP to an IP address.
struct GatewayAddress {
    /// Why a URI is not taken.
    struct Unfit: Error {
        let reason: String
    }

    static let notBuilt = "not built yet in this version"

    let address: TransportAddress
    /// What follows the user part in the Request-URI of a call: `@192.0.2.10:5060`.
    let requestURISuffix: String

    init(uri text: String) throws(Unfit) {
        var bytes = Array(text.utf8)
        guard bytes.count <= 256 else { throw Unfit(reason: "longer than 256 bytes") }
        if text.lowercased().hasPrefix("h323:") { throw Unfit(reason: "h323: is \(Self.notBuilt)") }
        let uri: SIPURI
        do {
            uri = try bytes.withUnsafeMutableBufferPointer { buffer throws(SIPURI.Malformed) in
                try SIPURI.parse(buffer.span, ByteRange(0, buffer.count))
            }
        } catch {
            throw Unfit(reason: "not a SIP URI: wrong at byte \(error.offset)")
        }
        switch uri.scheme {
        case .sip: break
        case .sips: throw Unfit(reason: "sips: is \(Self.notBuilt)")
        case .tel, .other: throw Unfit(reason: "not a SIP URI")
        }
        guard uri.userinfo == nil else {
            throw Unfit(reason: "a gateway's URI has no user part: a call brings its own")
        }
        guard uri.headers.isEmpty else { throw Unfit(reason: "a gateway's URI has no headers (?...)") }
        try Self.check(parameters: bytes[uri.parameters.lowerBound..<uri.parameters.upperBound])
        guard let address = uri.address else { throw Unfit(reason: "a host name is \(Self.notBuilt)") }
        guard !address.isUnspecified, !address.isMulticast else {
            throw Unfit(reason: "no address of one gateway")
        }
        self.address = TransportAddress(uri.transport ?? .udp, address, port: uri.port ?? 5060)
        requestURISuffix = "@" + String(decoding: bytes[uri.host.lowerBound...], as: UTF8.self)
    }

    /// Only what changes nothing about where and how we send is taken.
    private static func check(parameters: ArraySlice<UInt8>) throws(Unfit) {
        var names: Set<Substring> = []
        for part in String(decoding: parameters, as: UTF8.self).lowercased().split(separator: ";") {
            let name = part.prefix { $0 != "=" }
            // RFC 3261 section 19.1.1: which of the two holds can't be told.
            guard names.insert(name).inserted else { throw Unfit(reason: "the URI parameter \(name) stands twice") }
            switch part {
            case "transport=udp", "transport=tcp", "user=phone": continue
            case _ where part.hasPrefix("transport="): throw Unfit(reason: "\(part) is \(notBuilt)")
            default: throw Unfit(reason: "the URI parameter \(part) is \(notBuilt)")
            }
        }
    }
}
