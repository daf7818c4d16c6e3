import JSON

/// What is wrong with the lines of a bulk: all of it is counted, and the first hundred are told, by their lines.
struct BulkFaults {
    /// So many are told.
    static let limitCount = 100

    /// How many there are.
    private(set) var count = 0
    private var errors: [FieldError] = []

    /// - Parameter column: as `FieldError.column` has it; nil: the line as a whole.
    mutating func note(_ error: FieldError, line: Int64, column: Int?) {
        var error = error
        (error.line, error.column) = (line, column)
        errors.append(error)
        count += 1
        if errors.count >= 4 * Self.limitCount { trim() }
    }

    /// The refusal that tells them; nil: there are none.
    var refusal: Refusal? {
        var faults = self
        faults.trim()
        guard let first = faults.errors.first, let line = first.line else { return nil }
        let place = first.pointer.isEmpty ? "" : ", \(first.pointer.dropFirst())"
        let more = count > 1 ? " (and \(count - 1) more)" : ""
        var refusal = Refusal(
            .invalid, "Nothing was changed. Line \(line)\(place): \(first.reason)\(more).", errors: faults.errors)
        refusal.extensions["error_count"] = .integer(Int64(count))
        return refusal
    }

    private mutating func trim() {
        errors.sort { ($0.line ?? 0, $0.column ?? 0) < ($1.line ?? 0, $1.column ?? 0) }
        errors.removeLast(max(0, errors.count - Self.limitCount))
    }
}
