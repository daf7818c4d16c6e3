import JSON
import Store

/// The columns of routes in CSV: each field of a route has one, and `reject` has one for each of its members.
enum RouteColumn: String, CaseIterable, Sendable {
    case prefix
    case routingList = "routing_list"
    case rejectStatus = "reject_status"
    case rejectReason = "reject_reason"
    case minDigits = "min_digits"
    case maxDigits = "max_digits"
    case validFrom = "valid_from"
    case validUntil = "valid_until"
    case description
    /// Of a merge alone: `true` deletes the route.
    case delete

    /// Those of a whole table, in the order in which they are written.
    static let ofTable = allCases.filter { $0 != .delete }

    /// Where its value stands in a route's body.
    fileprivate var field: (name: String, member: String?) {
        switch self {
        case .rejectStatus: ("reject", "status")
        case .rejectReason: ("reject", "reason")
        default: (rawValue, nil)
        }
    }

    /// The cell that says what a body does, quoted where that is needed.
    func cell(of body: JSONValue) -> String {
        let (name, member) = field
        switch member.map({ body[name]?[$0] }) ?? body[name] {
        case .string(let text)?:
            let isPlain = !text.isEmpty && !text.utf8.contains { ",\"\r\n".utf8.contains($0) }
            return isPlain
                ? text
                : "\"" + text.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"") + "\""
        case .integer(let number)?: return String(number)
        default: return ""
        }
    }

    /// What a cell says; text that is not what it should be stays text, and is refused as such.
    fileprivate func value(_ text: String) -> JSONValue {
        switch self {
        case .rejectStatus, .minDigits, .maxDigits: Int64(text).map { .integer($0) } ?? .string(text)
        case .delete: text == "true" ? .bool(true) : text == "false" ? .bool(false) : .string(text)
        case .prefix, .routingList, .rejectReason, .validFrom, .validUntil, .description: .string(text)
        }
    }
}

/// Reads routes from CSV. The first record names the columns, in any order; an empty cell sets nothing, and where rows
/// are merged it takes away what is set; `""` is an empty text.
struct RouteCSV {
    private var records = CSVRecords()
    private var columns: [RouteColumn]?
    private var prefixPlace = 0
    private var rest: [UInt8] = []
    private var isUnreadable = false

    init() {}

    /// Takes the next piece in.
    mutating func take(
        _ piece: UnsafeRawBufferPointer, isLast: Bool, into intake: inout RouteIntake
    ) throws(StoreError) {
        var records = records
        defer { self.records = records }
        do {
            try records.take(piece, isLast: isLast) { line, bytes, record in
                guard !isUnreadable else { return }
                switch record {
                case .failure(let malformed):
                    note(malformed, line: line, in: &intake)
                case .success(let cells):
                    if columns == nil {
                        readHeader(cells, bytes, line: line, into: &intake)
                    } else {
                        try readRow(cells, bytes, line: line, into: &intake)
                    }
                }
            }
        } catch let error as StoreError {
            throw error
        } catch {
            throw StoreError(.failed, "\(error)")
        }
        if isLast, columns == nil, !isUnreadable {
            intake.faults.note(Self.badHeader(.null, "there is no header"), line: 1, column: nil)
        }
    }

    private mutating func note(_ malformed: CSVRecords.Malformed, line: Int64, in intake: inout RouteIntake) {
        let error = FieldError("", .null, malformed.reason, allowed: malformed.allowed)
        intake.faults.note(error, line: line, column: malformed.column)
        isUnreadable = columns == nil
    }

    // MARK: the header

    private static func badHeader(_ value: JSONValue, _ reason: String) -> FieldError {
        let names = RouteColumn.allCases.map(\.rawValue).joined(separator: ", ")
        return FieldError("", value, reason, allowed: "a header that names \"prefix\" and any of \(names), each once")
    }

    private mutating func readHeader(
        _ cells: [CSVRecords.Cell], _ bytes: UnsafeRawBufferPointer, line: Int64, into intake: inout RouteIntake
    ) {
        var found: [RouteColumn] = []
        for (index, cell) in cells.enumerated() {
            let name = cell.text(in: bytes) ?? ""
            let column = RouteColumn(rawValue: name)
            var reason: String?
            if column == nil { reason = "unknown column" }
            if let column, found.contains(column) { reason = "the same column twice" }
            if column == .delete, intake.replaces { reason = "only a merge (PATCH) deletes routes by name" }
            if let reason {
                intake.faults.note(Self.badHeader(.string(name), reason), line: line, column: index + 1)
                isUnreadable = true
            }
            found.append(column ?? .prefix)
        }
        if !isUnreadable, !found.contains(.prefix) {
            intake.faults.note(Self.badHeader(.null, "the column prefix is missing"), line: line, column: nil)
            isUnreadable = true
        }
        columns = found
        prefixPlace = found.firstIndex(of: .prefix) ?? 0
    }

    // MARK: rows

    private mutating func readRow(
        _ cells: [CSVRecords.Cell], _ bytes: UnsafeRawBufferPointer, line: Int64, into intake: inout RouteIntake
    ) throws(StoreError) {
        guard let columns else { return }
        guard cells.count == columns.count else {
            let error = FieldError(
                "", .null, "\(cells.count) cells", allowed: "\(columns.count) cells, as many as the header has")
            return intake.faults.note(error, line: line, column: nil)
        }
        let prefix = cells[prefixPlace]
        let key = self.rest(of: cells, bytes)
        let make = { (intake: inout RouteIntake) -> RouteIntake.Made in
            guard let members = Self.members(cells, bytes, columns, merging: !intake.replaces) else {
                let error = FieldError("", .null, "a cell is not UTF-8", allowed: "text in UTF-8")
                intake.faults.note(error, line: line, column: nil)
                return .nothing
            }
            return intake.make(members, line: line) { Self.place(of: $0, columns) }
        }
        if prefix.hasQuotes {
            let error = RouteRules.badPrefix(.string(prefix.text(in: bytes) ?? ""))
            return intake.faults.note(error, line: line, column: prefixPlace + 1)
        }
        let result = key.withUnsafeBytes { key in
            Result { () throws(StoreError) in
                try intake.take(prefix.raw(in: bytes), line: line, column: prefixPlace + 1, rest: key, make)
            }
        }
        try result.get()
    }

    /// The cells beside the prefix, so that different ones differ.
    private mutating func rest(of cells: [CSVRecords.Cell], _ bytes: UnsafeRawBufferPointer) -> [UInt8] {
        rest.removeAll(keepingCapacity: true)
        for (index, cell) in cells.enumerated() where index != prefixPlace {
            rest.append(cell.isQuoted ? UInt8(ascii: "\"") : UInt8(ascii: ","))
            rest.append(contentsOf: cell.raw(in: bytes))
            rest.append(0xFF)  // stands in no UTF-8
        }
        return rest
    }

    /// The place of a field's column, from 1 up; nil when it has none.
    static func place(of field: String, _ columns: [RouteColumn]) -> Int? {
        columns.firstIndex { $0.field.name == field }.map { $0 + 1 }
    }

    /// The place of a field's column, from 1 up; nil when it has none.
    func place(of field: String) -> Int? { columns.flatMap { Self.place(of: field, $0) } }

    private static func members(
        _ cells: [CSVRecords.Cell], _ bytes: UnsafeRawBufferPointer, _ columns: [RouteColumn], merging: Bool
    ) -> [String: JSONValue]? {
        var members: [String: JSONValue] = [:]
        for (cell, column) in zip(cells, columns) where column != .prefix {
            var value = JSONValue.null
            if !cell.isEmpty {
                guard let text = cell.text(in: bytes) else { return nil }
                value = column.value(text)
            }
            let (name, member) = column.field
            guard let member else {
                if merging || value != .null { members[name] = value }
                continue
            }
            var inner: [String: JSONValue] = [:]
            if case .object(let present)? = members[name] { inner = present }
            if merging || value != .null { inner[member] = value }
            members[name] = .object(inner)
        }
        // Without any cell of it there is no reject; a merge takes away what the columns name, and all of it with the
        // status, which it can't be without.
        if case .object(let reject)? = members["reject"], reject.values.allSatisfy({ $0 == .null }) {
            if !merging { members["reject"] = nil }
            if reject["status"] != nil { members["reject"] = .null }
        }
        return members
    }
}
