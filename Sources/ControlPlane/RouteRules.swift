import JSON
import Routing
import Store

/// What a route's body may hold, as a bulk asks for it. The lists that its routes lead to are looked at in the end, all
/// at once.
enum RouteRules {
    /// Members that say where the route is, or that a client only reads.
    static let ignored = readOnlyFields.union(["prefix", "routing_plan"])

    /// What of it is kept, and every rule that it breaks.
    static func check(_ members: [String: JSONValue]) -> (body: JSONValue, errors: [FieldError]) {
        var validation = Validation { _, _ in true }
        let kept = validation.check(members, Schema.of(.routes), ignoring: ignored)
        return (.object(kept), validation.errors)
    }

    /// The prefix as it is stored: digits, nothing for the catch-all; nil when it is none.
    static func stored(_ prefix: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
        if prefix.elementsEqual(Prefix.catchAllName.utf8) { return UnsafeRawBufferPointer(rebasing: prefix[..<0]) }
        guard (1...DialledNumber.matchedDigitsLimit).contains(prefix.count) else { return nil }
        return prefix.allSatisfy { DialledNumber.code(of: $0) != nil } ? prefix : nil
    }

    /// Whether a byte may stand in a prefix or in the catch-all's name: none of them is ever part of an escape.
    static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "*"),
            UInt8(ascii: "#"):
            true
        default: false
        }
    }

    static func badPrefix(_ value: JSONValue, _ reason: String = "not a prefix") -> FieldError {
        FieldError("/prefix", value, reason, allowed: "1...32 of 0-9 * #, or \"\(Prefix.catchAllName)\"")
    }
}
