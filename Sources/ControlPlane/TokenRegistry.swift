import Dispatch
package import JSON
import Routing
package import Store
import Synchronization
package import Time

/// Who may use the API. Tokens are looked up in memory; a change of one is on disk before it counts, and counts before
/// it is answered. Changes run one after another on a queue of the registry's own: the threads that ask wait for no
/// disk.
package final class TokenRegistry: Sendable {
    private struct State {
        /// In the order of their ids.
        var tokens: [StoredToken] = []
        var fileDigest: TokenDigest?
        /// When tokens were used since that was last stored.
        var unstoredUse: [String: WallTime] = [:]
        var isStoring = false
        var onRevoke: @Sendable () -> Void = {}
    }

    /// What a presented token is.
    package enum Finding: Equatable, Sendable {
        /// A good one.
        case known(Identity)
        /// One of ours that has ended.
        case expired(id: String, at: WallTime)
        /// None of ours.
        case unknown
    }

    /// Who asks for a change of a token, and by which request.
    package struct Asker: Sendable {
        /// As the audit names it.
        package let who: String
        /// The request's id.
        package let requestID: String

        /// An asker of its parts.
        package init(who: String, requestID: String) { (self.who, self.requestID) = (who, requestID) }
    }

    /// The name of the token in the operator's file; no other token can have it.
    package static let fileTokenID = "admin-token-file"
    /// More tokens are refused.
    static let limitCount = 1000

    private let store: Store
    private let clock: any TimeSource
    private let state: Mutex<State>
    private let queue = DispatchQueue(label: "tandem-tokens")

    init(store: Store, clock: any TimeSource) throws(StoreError) {
        (self.store, self.clock) = (store, clock)
        var state = State()
        state.tokens = try store.tokens()
        self.state = Mutex(state)
    }

    // MARK: who is it

    /// Says whose token that is, and takes note of its use.
    package func find(_ token: String) -> Finding {
        let digest = TokenDigest(of: token)
        let now = clock.wallTime
        return state.withLock { state in
            // All are compared, whichever it is: the time tells nothing.
            var found: Int?
            for index in state.tokens.indices where state.tokens[index].digest == digest { found = index }
            let isFile = state.fileDigest == digest
            if isFile { return .known(Identity(who: Self.fileTokenID, role: .admin, ground: .file(digest))) }
            guard let found else { return .unknown }
            let token = state.tokens[found]
            if let end = token.expiresAt, end <= now { return .expired(id: token.id, at: end) }
            guard let role = Role(rawValue: token.role) else { return .unknown }
            state.tokens[found].lastUsedAt = now
            state.unstoredUse[token.id] = now
            return .known(Identity(who: token.id, role: role, ground: .token(digest)))
        }
    }

    /// True while the identity's token is neither revoked nor past its end, and allows as much as then.
    package func isGood(_ identity: Identity) -> Bool {
        switch identity.ground {
        case .open: return true
        case .file(let digest): return state.withLock { $0.fileDigest == digest }
        case .token(let digest):
            let now = clock.wallTime
            return state.withLock { state in
                state.tokens.contains { token in
                    token.digest == digest && token.role == identity.role.rawValue
                        && (token.expiresAt.map { $0 > now } ?? true)
                }
            }
        }
    }

    /// The operator's own token, as a file holds it; nil: there is none. It replaces the one before at once.
    package func setFileToken(_ token: String?) {
        let digest = token.map { TokenDigest(of: $0) }
        let onRevoke = state.withLock { state -> (@Sendable () -> Void)? in
            guard state.fileDigest != digest else { return nil }
            state.fileDigest = digest
            return state.onRevoke
        }
        onRevoke?()
    }

    /// Calls `body` whenever a token was taken back or allows less, from the thread that did it. It must not block.
    package func onRevoke(_ body: @escaping @Sendable () -> Void) { state.withLock { $0.onRevoke = body } }

    // MARK: what there is

    /// One token.
    package func view(_ id: String) throws(Refusal) -> TokenView {
        guard let token = token(id) else { throw .noToken(id) }
        return TokenView(token, at: clock.wallTime)
    }

    /// Tokens in the order of their ids, behind `after`, and the id to go on after; nil at the end.
    package func list(after: String?, limit: Int) -> (items: [JSONValue], next: String?) {
        let now = clock.wallTime
        let all = state.withLock { $0.tokens }
        let rest = all.filter { token in after.map { $0.utf8.lexicographicallyPrecedes(token.id.utf8) } ?? true }
        let page = rest.prefix(max(1, limit))
        return (page.map { TokenView($0, at: now).body }, page.count < rest.count ? page.last?.id : nil)
    }

    private func token(_ id: String) -> StoredToken? { state.withLock { $0.tokens.first { $0.id == id } } }

    // MARK: changes

    /// Makes a token, or gives the one of that id another role, end or description: the token itself stays then.
    /// `whenDone` is called once, from a thread of the registry's, and must not block.
    package func put(
        _ id: String, _ body: JSONValue, _ precondition: Precondition, by asker: Asker,
        whenDone: @escaping @Sendable (Result<(view: TokenView, isNew: Bool), Refusal>) -> Void
    ) {
        queue.async { [self] in
            do throws(Refusal) {
                whenDone(.success(try put(id, body, precondition, asker)))
            } catch { whenDone(.failure(error)) }
        }
    }

    /// Revokes a token: when `whenDone` is called with success, it is good for nothing.
    package func delete(
        _ id: String, _ precondition: Precondition, by asker: Asker,
        whenDone: @escaping @Sendable (Result<Void, Refusal>) -> Void
    ) {
        queue.async { [self] in
            do throws(Refusal) {
                try delete(id, precondition, asker)
                whenDone(.success(()))
            } catch { whenDone(.failure(error)) }
        }
    }

    private func put(
        _ id: String, _ body: JSONValue, _ precondition: Precondition, _ asker: Asker
    ) throws(Refusal) -> (view: TokenView, isNew: Bool) {
        let old = token(id)
        let now = clock.wallTime
        try precondition.check(tag: old?.entityTag)
        guard ResourcePath.isName(id), id != Self.fileTokenID else {
            let allowed = "^[a-z0-9][a-z0-9._-]{0,62}$, but \(Self.fileTokenID)"
            throw Refusal(
                .invalid, "A token can't have this id; it must be \(allowed).",
                errors: [FieldError("", .string(id), "not an id that a token may have", allowed: allowed)])
        }
        let body = try TokenBody(body, replacing: old, at: now)
        guard var token = old else {
            let count = state.withLock { $0.tokens.count }
            guard count < Self.limitCount else {
                throw Refusal(.conflict, "There are \(count) tokens, the limit; delete those that nobody uses.")
            }
            let secret = Self.newToken()
            let made = StoredToken(
                id: id, role: body.role.rawValue, digest: TokenDigest(of: secret), description: body.description,
                expiresAt: body.expiresAt, createdAt: now)
            return (TokenView(try store(made, asker), secret: secret, at: now), true)
        }
        (token.role, token.description, token.expiresAt) = (body.role.rawValue, body.description, body.expiresAt)
        let isSameText = token.description.map(ExactText.init) == old?.description.map(ExactText.init)
        if let old, token == old, isSameText { return (TokenView(old, at: now), false) }
        token.updatedAt = now
        let view = TokenView(try store(token, asker), at: now)
        state.withLock { $0.onRevoke }()
        return (view, false)
    }

    private func store(_ token: StoredToken, _ asker: Asker) throws(Refusal) -> StoredToken {
        let entry = entry("put", token.id, asker)
        let stored = try writing { () throws(StoreError) in try store.put(token, entry) }
        state.withLock { state in
            state.tokens.removeAll { $0.id == stored.id }
            let place = state.tokens.firstIndex { stored.id.utf8.lexicographicallyPrecedes($0.id.utf8) }
            state.tokens.insert(stored, at: place ?? state.tokens.endIndex)
        }
        return stored
    }

    private func delete(_ id: String, _ precondition: Precondition, _ asker: Asker) throws(Refusal) {
        guard let old = token(id) else { throw .noToken(id) }
        try precondition.check(tag: old.entityTag)
        let entry = entry("delete", id, asker)
        try writing { () throws(StoreError) in try store.deleteToken(id, entry) }
        let onRevoke = state.withLock { state in
            state.tokens.removeAll { $0.id == id }
            state.unstoredUse[id] = nil
            return state.onRevoke
        }
        onRevoke()
    }

    private func entry(_ action: String, _ id: String, _ asker: Asker) -> AuditEntry {
        AuditEntry(
            at: clock.wallTime, who: asker.who, requestID: asker.requestID, action: action, subject: "tokens/\(id)")
    }

    /// A failure to write is a full disk's or a defect's.
    private func writing<Value>(_ body: () throws(StoreError) -> Value) throws(Refusal) -> Value {
        do {
            return try body()
        } catch {
            if let reason = store.readOnlyReason() { throw .readOnly(reason) }
            throw .internalError("The database can't be written: \(error.detail)")
        }
    }

    // MARK: last use

    /// Stores when tokens were last used, on the registry's queue; to be called now and then, since a request costs no
    /// write. `whenFailed` is told why that could not be done; it is tried again the next time.
    package func storeUse(whenFailed: @escaping @Sendable (StoreError) -> Void) {
        let hasWork = state.withLock { state in
            guard !state.unstoredUse.isEmpty, !state.isStoring else { return false }
            state.isStoring = true
            return true
        }
        guard hasWork else { return }
        queue.async { [self] in
            storeUseNow(whenFailed: whenFailed)
            state.withLock { $0.isStoring = false }
        }
    }

    /// The same, and waits for it and for every change that was asked for.
    func finish() { queue.sync { storeUseNow { _ in } } }

    private func storeUseNow(whenFailed: (StoreError) -> Void) {
        let use = state.withLock { state in
            defer { state.unstoredUse = [:] }
            return state.unstoredUse
        }
        guard !use.isEmpty else { return }
        do {
            try store.noteUse(of: use)
        } catch {
            state.withLock { state in
                for (id, time) in use where state.tokens.contains(where: { $0.id == id }) {
                    state.unstoredUse[id] = max(state.unstoredUse[id] ?? time, time)
                }
            }
            whenFailed(error)
        }
    }

    /// 256 random bits in letters that need no quotes anywhere; the first ones let scanners find a leaked token.
    private static func newToken() -> String {
        var generator = SystemRandomNumberGenerator()
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
        return "tandem_" + String((0..<43).compactMap { _ in alphabet.randomElement(using: &generator) })
    }
}

extension Refusal {
    fileprivate static func noToken(_ id: String) -> Refusal { Refusal(.notFound, "There is no tokens/\(id).") }
}
