import JSON
import Routing
import Store

/// What the lines of an export are: a first one that says what it is, one for each object, and a last one, without
/// which it was cut off on its way.
enum ExportForm {
    /// What the first line says it is.
    static let name = "tandem-export"
    /// The version of the form: another one means something else.
    static let version: Int64 = 1

    /// The first line.
    static func head(revision: Int64) -> String {
        let head: JSONValue = .object([
            "format": .string(name), "version": .integer(version), "revision": .integer(revision),
        ])
        return head.canonicalText + "\n"
    }

    /// The last line.
    static let end = "{\"end\":true}\n"

    /// What stands before the prefix of a route.
    static func routeStart(plan: String) -> String { "{\"path\":\"\(ResourcePath(route: "", plan: plan).text)" }

    /// What stands between a path and its value.
    static let valueStart = "\",\"value\":"
}

/// Reads the lines of an export, in which objects may come in any order.
struct ExportLines {
    private var lines = JSONLines()
    private var reading: Reading

    /// What is read.
    fileprivate struct Reading {
        let mode: RouteStage.Mode
        var objects = ImportedObjects()
        /// The numbers of the plans that have routes.
        var plans: [String: Int] = [:]
        /// The plan of the last route, as it stood there.
        var lastPlan: (name: [UInt8], number: Int)?
        var state = State.atHead
    }

    fileprivate enum State { case atHead, open, ended, foreign }

    /// - Parameter mode: what becomes of the routes of the plans that it names.
    init(mode: RouteStage.Mode) { reading = Reading(mode: mode) }

    /// The objects beside routes.
    var objects: ImportedObjects {
        get { reading.objects }
        _modify { yield &reading.objects }
    }

    /// The plans that have routes, and their numbers on the stage.
    var plans: [String: Int] { reading.plans }

    /// Takes the next piece in.
    mutating func take(
        _ piece: UnsafeRawBufferPointer, isLast: Bool, into intake: inout RouteIntake
    ) throws(StoreError) {
        try Self.take(piece, isLast: isLast, &lines, &reading, &intake)
    }

    private static func take(
        _ piece: UnsafeRawBufferPointer, isLast: Bool, _ lines: inout JSONLines, _ reading: inout Reading,
        _ intake: inout RouteIntake
    ) throws(StoreError) {
        let result = lines.take(piece, isLast: isLast) { line, bytes in
            Result { () throws(StoreError) in try reading.read(bytes, line: line, into: &intake) }
        } tooLong: { line in
            intake.faults.note(JSONLines.tooLong, line: line, column: nil)
        }
        try result.get()
        guard isLast else { return }
        switch reading.state {
        case .ended, .foreign: return
        case .atHead: intake.faults.note(Reading.badHead(.null, "there is no first line"), line: 1, column: nil)
        case .open:
            let error = FieldError(
                "", .null, "the last line is missing: the body was cut off on its way",
                allowed: String(ExportForm.end.dropLast()))
            intake.faults.note(error, line: lines.line, column: nil)
        }
    }
}

extension ExportLines.Reading {
    static func badHead(_ value: JSONValue, _ reason: String) -> FieldError {
        FieldError(
            "", value, reason,
            allowed: "{\"format\":\"\(ExportForm.name)\",\"version\":\(ExportForm.version)}, and revision as an export "
                + "has it")
    }

    /// What the line of a route as our own are begins with, up to the plan's id.
    private static let routeStart = Array("{\"path\":\"\(ResourceKind.routingPlans.rawValue)/".utf8)
    private static let routesName = Array("/\(ResourceKind.routes.rawValue)/".utf8)

    fileprivate mutating func read(
        _ bytes: UnsafeRawBufferPointer, line: Int64, into intake: inout RouteIntake
    ) throws(StoreError) {
        switch state {
        case .foreign: return
        case .ended:
            state = .foreign
            let error = FieldError("", .null, "something stands behind the last line", allowed: "nothing")
            return intake.faults.note(error, line: line, column: nil)
        case .atHead: return readHead(bytes, line: line, into: &intake)
        case .open: break
        }
        if try readPlainRoute(bytes, line: line, into: &intake) { return }
        guard let (path, members) = object(of: bytes, line: line, into: &intake) else { return }
        guard path.kind == .routes, let plan = path.plan else {
            return objects.add(path, members, line: line, into: &intake.faults)
        }
        guard let number = number(of: Array(plan.utf8), line: line, into: &intake) else { return }
        intake.plan = number
        // A row that is written in another way is remembered by what it says, which no line begins like.
        let rest = Array(JSONValue.object(members).canonicalText.utf8)
        let result = Array(path.id.utf8).withUnsafeBytes { prefix in
            rest.withUnsafeBytes { rest in
                Result { () throws(StoreError) in
                    try intake.take(
                        prefix, line: line, column: JSONLines.column(of: "path", in: bytes), rest: rest
                    ) { intake in intake.make(members, line: line) { JSONLines.column(of: $0, in: bytes) } }
                }
            }
        }
        try result.get()
    }

    private mutating func readHead(_ bytes: UnsafeRawBufferPointer, line: Int64, into intake: inout RouteIntake) {
        state = .foreign
        switch JSONLines.members(of: bytes) {
        case .failure(let malformed): intake.faults.note(malformed.error, line: line, column: malformed.column)
        case .success(let members):
            let unknown = members.keys.filter { !["format", "version", "revision"].contains($0) }.sorted()
            guard members["format"]?.text == ExportForm.name, members["version"] == .integer(ExportForm.version),
                unknown.isEmpty
            else {
                let error = Self.badHead(.object(members), "no export of this version")
                return intake.faults.note(error, line: line, column: nil)
            }
            state = .open
        }
    }

    /// Reads the line of a route that is written as our own are. False: it is none.
    private mutating func readPlainRoute(
        _ bytes: UnsafeRawBufferPointer, line: Int64, into intake: inout RouteIntake
    ) throws(StoreError) -> Bool {
        guard bytes.starts(with: Self.routeStart) else { return false }
        let afterStart = bytes[Self.routeStart.count...]
        guard let slash = afterStart.firstIndex(of: UInt8(ascii: "/")),
            bytes[slash...].starts(with: Self.routesName)
        else { return false }
        let first = slash + Self.routesName.count
        // Digits only: nothing in them can be an escape.
        guard let end = bytes[first...].firstIndex(where: { !RouteRules.isPlain($0) }),
            bytes[end] == UInt8(ascii: "\"")
        else { return false }
        let plan = UnsafeRawBufferPointer(rebasing: bytes[Self.routeStart.count..<slash])
        if let lastPlan, plan.elementsEqual(lastPlan.name) {
            intake.plan = lastPlan.number
        } else {
            let name = Array(plan)
            guard !name.contains(UInt8(ascii: "\\")), !name.contains(UInt8(ascii: "\"")) else { return false }
            guard let number = number(of: name, line: line, into: &intake) else { return true }
            intake.plan = number
        }
        try intake.take(
            UnsafeRawBufferPointer(rebasing: bytes[first..<end]), line: line, column: first + 1,
            rest: UnsafeRawBufferPointer(rebasing: bytes[end...])
        ) { intake in
            guard let members = Self.value(of: bytes, line: line, into: &intake)?.members else { return .nothing }
            return intake.make(members, line: line) { JSONLines.column(of: $0, in: bytes) }
        }
        return true
    }

    /// The number of a plan on the stage; nil when it can't be the name of one, which is noted.
    private mutating func number(of name: [UInt8], line: Int64, into intake: inout RouteIntake) -> Int? {
        let text = String(decoding: name, as: UTF8.self)
        guard ResourcePath.isName(text) else {
            let error = FieldError(
                "/path", .string(text), "not a name", allowed: "a plan's id: \(ResourcePath.namePattern)")
            intake.faults.note(error, line: line, column: nil)
            return nil
        }
        let number = plans[text] ?? intake.stage.addPlan(text, as: mode)
        plans[text] = number
        lastPlan = (name, number)
        return number
    }

    /// The path and the value's members of a line that is no route's as our own are; nil when it has none, which is
    /// noted or the end.
    private mutating func object(
        of bytes: UnsafeRawBufferPointer, line: Int64, into intake: inout RouteIntake
    ) -> (path: ResourcePath, members: [String: JSONValue])? {
        guard let (members, path) = Self.value(of: bytes, line: line, into: &intake) else { return nil }
        guard let path else {
            state = .ended
            return nil
        }
        guard let place = ResourcePath(text: path) else {
            let error = FieldError("/path", .string(path), "no object's path", allowed: FieldRule.path.allowed)
            intake.faults.note(error, line: line, column: JSONLines.column(of: "path", in: bytes))
            return nil
        }
        return (place, members)
    }

    /// The members of a line's value, and its path; no path: it is the last line. Nil when the line is neither, which
    /// is noted.
    private static func value(
        of bytes: UnsafeRawBufferPointer, line: Int64, into intake: inout RouteIntake
    ) -> (members: [String: JSONValue], path: String?)? {
        switch JSONLines.members(of: bytes) {
        case .failure(let malformed): intake.faults.note(malformed.error, line: line, column: malformed.column)
        case .success(let members):
            if members == ["end": .bool(true)] { return ([:], nil) }
            var isGood = true
            func refuse(_ name: String, _ reason: String, allowed: String) {
                isGood = false
                let error = FieldError("/\(name)", members[name] ?? .null, reason, allowed: allowed)
                intake.faults.note(error, line: line, column: JSONLines.column(of: name, in: bytes))
            }
            for name in members.keys.sorted() where name != "path" && name != "value" {
                refuse(Validation.escaped(name), "unknown field", allowed: "path, value")
            }
            if members["path"]?.text == nil {
                let reason = members["path"] == nil ? "required" : "not a string"
                refuse("path", reason, allowed: FieldRule.path.allowed)
            }
            guard case .object(let value)? = members["value"] else {
                refuse("value", members["value"] == nil ? "required" : "not an object", allowed: "what PUT takes")
                return nil
            }
            if isGood, let path = members["path"]?.text { return (value, path) }
        }
        return nil
    }
}
