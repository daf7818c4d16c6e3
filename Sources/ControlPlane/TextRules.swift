import Addressing
import HTTPClient
import Routing
import SIPMessage
import Store

/// What strings in bodies may hold. Each of these says which rule a string breaks, or nil when it breaks none.
enum TextRules {
    static let labelNamePattern = "^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$"

    static func reason(against text: String, limitCharacters limit: Int) -> String? {
        let count = text.unicodeScalars.count
        return count > limit ? "\(count) characters" : nil
    }

    static func reason(againstPhrase text: String, limitCharacters limit: Int) -> String? {
        let hasControl = text.unicodeScalars.contains {
            $0.value < 0x20 || (0x7F...0x9F).contains($0.value) || $0.value == 0x2028 || $0.value == 0x2029
        }
        return hasControl ? "a control character" : reason(against: text, limitCharacters: limit)
    }

    static func reason(againstToken text: String) -> String? {
        guard (1...512).contains(text.utf8.count) else { return "\(text.utf8.count) bytes" }
        return text.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) ? nil : "a character that is not visible ASCII"
    }

    static func reason(againstDigits text: String, limitCount limit: Int) -> String? {
        guard text.utf8.count <= limit else { return "\(text.utf8.count) characters" }
        return text.utf8.allSatisfy({ DialledNumber.code(of: $0) != nil }) ? nil : "not digits"
    }

    static func reason(againstName text: String) -> String? { ResourcePath.isName(text) ? nil : "not an id" }

    static func reason(againstAddress text: String) -> String? { IPAddress(text) == nil ? "not an IP address" : nil }

    static func reason(againstUserPart text: String) -> String? {
        guard (1...256).contains(text.utf8.count) else { return "\(text.utf8.count) bytes" }
        return text.utf8.allSatisfy(isOfUserPart) ? nil : "a character that no user part has"
    }

    /// What RFC 3261's `user` may hold, and `#`, which people dial.
    private static func isOfUserPart(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "A")...UInt8(ascii: "Z"):
            true
        default: "-_.!~*'()%&=+$,;?/#".utf8.contains(byte)
        }
    }

    static func reason(againstGatewayURI text: String) -> String? {
        do {
            _ = try GatewayAddress(uri: text)
            return nil
        } catch {
            return error.reason
        }
    }

    static func reason(againstPersonURI text: String) -> String? {
        var bytes = Array(text.utf8)
        guard bytes.count <= 256 else { return "longer than 256 bytes" }
        do {
            let uri = try bytes.withUnsafeMutableBufferPointer { buffer throws(SIPURI.Malformed) in
                try SIPURI.parse(buffer.span, ByteRange(0, buffer.count))
            }
            switch uri.scheme {
            case .sip, .sips: break
            case .tel, .other: return "not a SIP URI"
            }
            return uri.headers.isEmpty ? nil : "a From has no headers (?...)"
        } catch {
            return "not a SIP URI: wrong at byte \(error.offset)"
        }
    }

    /// A scheme, a host and perhaps a port and a path: what `/v1/...` can be put behind.
    static func reason(againstAPIURL text: String) -> String? {
        guard text.utf8.count <= 512 else { return "longer than 512 bytes" }
        do throws(WebURL.Malformed) {
            return try WebURL(text).target.contains("?") ? "has a query" : nil
        } catch {
            return error.reason
        }
    }

    static func isLabelName(_ text: String) -> Bool {
        guard (1...63).contains(text.utf8.count) else { return false }
        for (index, byte) in text.utf8.enumerated() {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                continue
            case UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
                if index == 0 { return false }
            default: return false
            }
        }
        return true
    }
}
