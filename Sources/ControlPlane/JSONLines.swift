import JSON
import Store

/// Reads lines as they come, each an object of JSON (NDJSON): they end with LF or CR LF, and empty ones are passed
/// over. Holds one line at most.
struct JSONLines {
    /// A line is not longer.
    static let limitBytes = 1 << 20

    /// Why a line is no object.
    struct Malformed: Error {
        let error: FieldError
        let column: Int
    }

    static let tooLong = FieldError(
        "", .null, "a line of more than \(limitBytes) bytes", allowed: "lines of up to \(limitBytes) bytes")

    private var waiting: [UInt8] = []
    /// The line that is read, from 1 up.
    private(set) var line: Int64 = 1
    private var isSkipping = false

    init() {}

    /// Takes the next piece, and calls `body` with each line that is whole, until it fails.
    ///
    /// - Parameter isLast: nothing comes behind the piece.
    mutating func take(
        _ piece: UnsafeRawBufferPointer, isLast: Bool,
        _ body: (_ line: Int64, UnsafeRawBufferPointer) -> Result<Void, StoreError>, tooLong: (_ line: Int64) -> Void
    ) -> Result<Void, StoreError> {
        var rest = piece[...]
        while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
            let part = UnsafeRawBufferPointer(rebasing: rest[..<end])
            rest = rest[(end + 1)...]
            let result = endLine(with: part, body, tooLong: tooLong)
            line += 1
            guard case .success = result else { return result }
        }
        guard !isLast else { return endLine(with: UnsafeRawBufferPointer(rebasing: rest), body, tooLong: tooLong) }
        guard !isSkipping else { return .success(()) }
        waiting.append(contentsOf: rest)
        if waiting.count > Self.limitBytes {
            tooLong(line)
            (waiting, isSkipping) = ([], true)
        }
        return .success(())
    }

    private mutating func endLine(
        with part: UnsafeRawBufferPointer,
        _ body: (_ line: Int64, UnsafeRawBufferPointer) -> Result<Void, StoreError>, tooLong: (_ line: Int64) -> Void
    ) -> Result<Void, StoreError> {
        guard !isSkipping else {
            isSkipping = false
            return .success(())
        }
        guard waiting.count + part.count <= Self.limitBytes else {
            waiting = []
            tooLong(line)
            return .success(())
        }
        guard !waiting.isEmpty else { return whole(part, body) }
        let bytes = waiting + part
        waiting.removeAll(keepingCapacity: true)
        return bytes.withUnsafeBytes { whole($0, body) }
    }

    private func whole(
        _ bytes: UnsafeRawBufferPointer, _ body: (_ line: Int64, UnsafeRawBufferPointer) -> Result<Void, StoreError>
    ) -> Result<Void, StoreError> {
        var bytes = bytes
        if bytes.last == UInt8(ascii: "\r") { bytes = UnsafeRawBufferPointer(rebasing: bytes.dropLast()) }
        let isBlank = bytes.allSatisfy { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }
        return isBlank ? .success(()) : body(line, bytes)
    }

    /// The members of a line.
    static func members(of bytes: UnsafeRawBufferPointer) -> Result<[String: JSONValue], Malformed> {
        do throws(MalformedJSON) {
            guard case .object(let members) = try JSONValue(parsing: Array(bytes)) else {
                return .failure(
                    Malformed(
                        error: FieldError("", .null, "not an object", allowed: "one JSON object a line"), column: 1))
            }
            return .success(members)
        } catch {
            return .failure(
                Malformed(
                    error: FieldError("", .null, "not JSON: \(error.what)", allowed: "one JSON object a line"),
                    column: error.offset + 1))
        }
    }

    /// Where a member's name stands in a line, from 1 up; nil when it is not found as it is.
    static func column(of name: String, in bytes: UnsafeRawBufferPointer) -> Int? {
        let quoted = Array("\"\(name)\"".utf8)
        guard bytes.count >= quoted.count else { return nil }
        return (0...(bytes.count - quoted.count)).first { bytes[$0...].starts(with: quoted) }.map { $0 + 1 }
    }
}
