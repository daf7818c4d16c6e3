import CMicrohttpd
import Glibc

/// The header fields of a request as the lines that they are: how often those stand there that may stand there once,
/// and whether one is written so that another reader could take it for another field (RFC 9112 section 5).
///
/// libmicrohttpd keeps a blank before the colon as a part of the name, and of a folded line it puts what follows behind
/// the name and not behind the value. Of `Content-Length : 2`, and of `Content-Length:` with ` 2` in the next line, it
/// takes no notice: what is their body would be carried out as requests.
struct FieldLines {
    /// How often `Host` is given.
    private(set) var hostCount = 0
    /// How often `Content-Length` is given.
    private(set) var contentLengthCount = 0
    /// How often `Transfer-Encoding` is given.
    private(set) var transferEncodingCount = 0
    /// How often `Authorization` is given.
    private(set) var authorizationCount = 0
    /// The list in all lines of `Accept`; nil: there is none. Lists are one on however many lines they stand (RFC 9110
    /// section 5.3).
    private(set) var accept: String?
    /// The same of `If-Match`.
    private(set) var ifMatch: String?
    /// The same of `If-None-Match`.
    private(set) var ifNoneMatch: String?
    /// The name, as far as it was read, of the first line that can be taken in two ways; nil: there is none.
    private(set) var ambiguousName: String?

    /// Those that we act on and whose names begin no other field's.
    private static let ours = [
        "Host", "Origin", "Content-Length", "Content-Type", "Transfer-Encoding", "Expect", "If-Match", "If-None-Match",
        "Last-Event-ID", "Idempotency-Key", "Authorization",
    ]

    /// Those of a request.
    static func of(_ connection: OpaquePointer) -> FieldLines {
        var lines = FieldLines()
        withUnsafeMutablePointer(to: &lines) { lines in
            _ = MHD_get_connection_values(
                connection, .HEADER_KIND,
                { closure, _, name, value in
                    guard let closure, let name else { return .YES }
                    closure.assumingMemoryBound(to: FieldLines.self).pointee.take(name, value)
                    return .YES
                }, lines)
        }
        return lines
    }

    private mutating func take(_ name: UnsafePointer<CChar>, _ value: UnsafePointer<CChar>?) {
        if strcasecmp(name, "Host") == 0 { hostCount += 1 }
        if strcasecmp(name, "Content-Length") == 0 { contentLengthCount += 1 }
        if strcasecmp(name, "Transfer-Encoding") == 0 { transferEncodingCount += 1 }
        if strcasecmp(name, "Authorization") == 0 { authorizationCount += 1 }
        if strcasecmp(name, "Accept") == 0 { Self.add(value, to: &accept) }
        if strcasecmp(name, "If-Match") == 0 { Self.add(value, to: &ifMatch) }
        if strcasecmp(name, "If-None-Match") == 0 { Self.add(value, to: &ifNoneMatch) }
        guard ambiguousName == nil, !Self.isToken(name) || Self.isLonger(name) || Self.isFolded(name, value) else {
            return
        }
        ambiguousName = String(String(cString: name).prefix(64))
    }

    private static func add(_ value: UnsafePointer<CChar>?, to list: inout String?) {
        let value = value.map { String(cString: $0) } ?? ""
        list = list.map { "\($0), \(value)" } ?? value
    }

    /// RFC 9110 section 5.6.2: what names consist of. A blank is no part of that.
    private static func isToken(_ name: UnsafePointer<CChar>) -> Bool {
        var offset = 0
        while name[offset] != 0 {
            switch UInt8(bitPattern: name[offset]) {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "-"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                break
            case let byte where "!#$%&'*+.^_`|~".utf8.contains(byte): break
            default: return false
            }
            offset += 1
        }
        return offset > 0
    }

    /// True for one of our names with something behind it: the value of a folded line, more likely than not.
    private static func isLonger(_ name: UnsafePointer<CChar>) -> Bool {
        ours.contains { known in
            let count = known.utf8.count
            return strncasecmp(name, known, count) == 0 && name[count] != 0
        }
    }

    /// True when the name was put together anew: as it was received, nothing but the colon and blanks parts it from its
    /// value, in the same piece of memory.
    private static func isFolded(_ name: UnsafePointer<CChar>, _ value: UnsafePointer<CChar>?) -> Bool {
        guard let value, value[0] != 0 else { return false }
        var place = name + strlen(name) + 1
        while place < value, place[0] == CChar(ascii: " ") || place[0] == CChar(ascii: "\t") { place += 1 }
        return place != value
    }
}

extension CChar {
    fileprivate init(ascii scalar: Unicode.Scalar) { self.init(bitPattern: UInt8(ascii: scalar)) }
}
