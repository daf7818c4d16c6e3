import JSON
import Store

/// Why a change set is refused: what is wrong with each of its operations, not with the first alone.
struct ChangeSetFaults {
    private var first: Refusal?
    private var errors: [FieldError] = []
    private var errorCount = 0
    private var isInvalid = false

    /// Takes in why an operation can't be carried out. Throws what is no fault of the operation's.
    mutating func note(_ refusal: Refusal, of operation: Operation, at index: Int) throws(Refusal) {
        let place = "/operations/\(index)/path"
        let path = JSONValue.string(operation.path.text)
        switch refusal.problem {
        case .invalid: add(refusal.errors)
        case .notFound:
            let isObject = refusal.detail == Refusal.notFound(operation.path).detail
            add([
                FieldError(
                    place, path, isObject ? "there is no such object" : refusal.detail,
                    allowed: isObject ? "the path of an object" : "a route's path in a routing plan that is there")
            ])
        case .inUse, .conflict:
            let allowed =
                refusal.problem == .inUse ? "an object that nothing refers to" : "one that fits beside the others"
            add(refusal.errors.isEmpty ? [FieldError(place, path, refusal.detail, allowed: allowed)] : refusal.errors)
        case .malformed, .forbidden, .testFailed, .stale, .gone, .tooManyRequests, .readOnly, .noQuorum,
            .outcomeUnknown,
            .internalError:
            throw refusal
        }
        if refusal.problem == .invalid || refusal.problem == .notFound { isInvalid = true }
        first = first ?? refusal
    }

    private mutating func add(_ more: [FieldError]) {
        errorCount += more.count
        errors += more.prefix(Validation.errorLimitCount - errors.count)
    }

    /// Nil: nothing is wrong.
    var refusal: Refusal? {
        guard let first, let error = errors.first else { return nil }
        let more = errorCount > 1 ? " (and \(errorCount - 1) more)" : ""
        var refusal = Refusal(
            isInvalid ? .invalid : first.problem, "\(error.pointer): \(error.reason)\(more).", errors: errors)
        refusal.extensions = first.extensions
        return refusal
    }
}
