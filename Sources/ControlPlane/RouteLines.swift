import JSON
import Store

/// Reads routes from lines of JSON (NDJSON): `{"prefix":"44","routing_list":"uk"}`, and where rows are merged
/// `{"prefix":"44","delete":true}`.
struct RouteLines {
    private var lines = JSONLines()
    private var hasRow = false

    init() {}

    /// Takes the next piece in.
    mutating func take(
        _ piece: UnsafeRawBufferPointer, isLast: Bool, into intake: inout RouteIntake
    ) throws(StoreError) {
        var hasRow = hasRow
        let result = lines.take(piece, isLast: isLast) { line, bytes in
            hasRow = true
            return Result { () throws(StoreError) in try Self.readLine(bytes, number: line, into: &intake) }
        } tooLong: { line in
            hasRow = true
            intake.faults.note(JSONLines.tooLong, line: line, column: nil)
        }
        self.hasRow = hasRow
        try result.get()
        guard isLast, !hasRow, intake.replaces else { return }
        // A body that got lost on its way must not take all routes away.
        let error = FieldError("", .null, "there is no route", allowed: "one or more; text/csv may be a header alone")
        intake.faults.note(error, line: 1, column: nil)
    }

    /// What a line as our own are begins with.
    private static let start = Array("{\"prefix\":\"".utf8)

    private static func readLine(
        _ bytes: UnsafeRawBufferPointer, number: Int64, into intake: inout RouteIntake
    ) throws(StoreError) {
        if bytes.starts(with: start) {
            let rest = bytes[start.count...]
            // Digits only: nothing in them can be an escape.
            if let end = rest.firstIndex(where: { !RouteRules.isPlain($0) }), bytes[end] == UInt8(ascii: "\"") {
                let prefix = UnsafeRawBufferPointer(rebasing: bytes[start.count..<end])
                return try intake.take(
                    prefix, line: number, column: start.count, rest: UnsafeRawBufferPointer(rebasing: bytes[end...])
                ) { intake in
                    guard let members = members(of: bytes, number, &intake) else { return .nothing }
                    return intake.make(members, line: number) { JSONLines.column(of: $0, in: bytes) }
                }
            }
        }
        guard var members = members(of: bytes, number, &intake) else { return }
        let column = JSONLines.column(of: "prefix", in: bytes)
        guard let prefix = members.removeValue(forKey: "prefix") else {
            return intake.faults.note(RouteRules.badPrefix(.null, "required"), line: number, column: nil)
        }
        guard let text = prefix.text else {
            return intake.faults.note(RouteRules.badPrefix(prefix, "not a string"), line: number, column: column)
        }
        // A row that is written in another way is remembered by what it says, which no line begins like.
        let rest = Array(JSONValue.object(members).canonicalText.utf8)
        let result = Array(text.utf8).withUnsafeBytes { prefix in
            rest.withUnsafeBytes { rest in
                Result { () throws(StoreError) in
                    try intake.take(prefix, line: number, column: column, rest: rest) { intake in
                        intake.make(members, line: number) { JSONLines.column(of: $0, in: bytes) }
                    }
                }
            }
        }
        try result.get()
    }

    /// The members of a line; nil when it is no JSON object, which is noted.
    private static func members(
        of bytes: UnsafeRawBufferPointer, _ number: Int64, _ intake: inout RouteIntake
    ) -> [String: JSONValue]? {
        switch JSONLines.members(of: bytes) {
        case .success(let members): return members
        case .failure(let malformed):
            intake.faults.note(malformed.error, line: number, column: malformed.column)
            return nil
        }
    }
}
