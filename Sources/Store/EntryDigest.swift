import Crypto
import Foundation
import JSON
import Routing
import Time

/// The digest of a change: SHA-256 over the digest before it and the entry, line by line.
///
/// The first line is the change, each further one an effect, in the order of their paths' bytes; each is canonical JSON
/// and ends in a line feed. Where a plan has more than `routesApartCount` effects on its routes, one line with their
/// count and a digest of their own stands for all of them: so a bulk's can be made before it is known which change it
/// will follow. Events are no part of it: they follow from the change.
struct EntryDigest {
    /// One effect as it is hashed and as the rows of a revision give it back.
    struct EffectLine {
        let path: ResourcePath
        /// Canonical text; nil: deleted.
        let body: String?
        let createdAt: WallTime
    }

    /// More effects on the routes of one plan are hashed apart.
    static let routesApartCount = 1000

    private var lines = HashedLines()
    private let at: WallTime
    /// The effects on the routes of one plan, while it is not known how many they are.
    private var routes: (plan: String, lines: [String], apart: RoutesDigest)?

    /// The digest of an entry without its effects, behind `previous`.
    init(
        behind previous: [UInt8], revision: Revision, epoch: Int64, at time: WallTime, who: String, comment: String?
    ) {
        at = time
        lines.append(bytes: previous)
        let head: JSONValue = .object([
            "revision": .integer(revision.number), "epoch": .integer(epoch), "at": .integer(time.milliseconds),
            "who": .string(who), "comment": comment.map { .string($0) } ?? .null,
        ])
        lines.add(head.canonicalText)
    }

    /// The effects in the order in which they are hashed.
    static func inOrder(_ effects: [EffectLine]) -> [EffectLine] {
        effects.map { (path: $0.path.text, line: $0) }
            .sorted { $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) }.map(\.line)
    }

    /// Adds the next effect.
    mutating func add(_ effect: EffectLine) {
        if routes?.plan != effect.path.plan { endRoutes() }
        let line = Self.text(of: effect)
        guard let plan = effect.path.plan else { return lines.add(line) }
        var routes = self.routes.take() ?? (plan, [], RoutesDigest(plan: plan))
        if routes.lines.count <= Self.routesApartCount { routes.lines.append(line) }
        routes.apart.add(
            effect.path.id, body: effect.body, createdAt: effect.createdAt == at ? nil : effect.createdAt)
        self.routes = routes
    }

    /// Adds the next effects, all of those on the routes of one plan, which are more than `routesApartCount`.
    mutating func add(_ apart: RoutesDigest.Finished) {
        endRoutes()
        lines.add(apart.line)
    }

    /// The digest of the whole entry: 32 bytes.
    mutating func finish() -> [UInt8] {
        endRoutes()
        return lines.finish()
    }

    private mutating func endRoutes() {
        guard var ended = routes.take() else { return }
        if ended.lines.count > Self.routesApartCount {
            lines.add(ended.apart.finish().line)
        } else {
            for line in ended.lines { lines.add(line) }
        }
    }

    private static func text(of effect: EffectLine) -> String {
        let name = JSONValue.string(effect.path.text).canonicalText
        guard let body = effect.body else { return "{\"body\":null,\"path\":\(name)}" }
        return "{\"body\":\(body),\"created_at\":\(effect.createdAt.milliseconds),\"path\":\(name)}"
    }
}

/// The digest of a change's effects on the routes of one plan, in the order of the prefixes' bytes with the catch-all
/// last: SHA-256 over a line for each.
struct RoutesDigest {
    /// What stands in the entry for all of them.
    struct Finished: Equatable, Sendable {
        let line: String
    }

    private let plan: String
    private let start: String
    private var count = 0
    private var lines = HashedLines()

    init(plan: String) {
        self.plan = plan
        start = String(JSONValue.string(ResourcePath(route: "", plan: plan).text).canonicalText.dropLast())
    }

    /// - Parameters:
    ///   - prefix: The digits, or the catch-all's name.
    ///   - body: Canonical text; nil: deleted.
    ///   - createdAt: When the route was first made; nil: with this change.
    mutating func add(_ prefix: String, body: String?, createdAt: WallTime?) {
        add(prefix.utf8, body: body?.utf8, createdAt: createdAt)
    }

    /// The same of UTF-8.
    mutating func add<Bytes: Sequence<UInt8>>(_ prefix: Bytes, body: Bytes?, createdAt: WallTime?) {
        count += 1
        lines.append("{\"body\":")
        if let body { lines.append(bytes: body) } else { lines.append("null") }
        if body != nil, let createdAt {
            lines.append(",\"created_at\":")
            lines.append(String(createdAt.milliseconds))
        }
        lines.append(",\"path\":")
        lines.append(start)
        lines.append(bytes: prefix)
        lines.add("\"}")
    }

    mutating func finish() -> Finished {
        let path = ResourcePath(.routingPlans, plan).text + "/" + ResourceKind.routes.rawValue
        let digest = lines.finish().map { byte in (byte < 16 ? "0" : "") + String(byte, radix: 16) }.joined()
        let line: JSONValue = .object([
            "path": .string(path), "count": .integer(Int64(count)), "sha256": .string(digest),
        ])
        return Finished(line: line.canonicalText)
    }
}

/// SHA-256 over lines, taken in larger pieces: each call costs more than what it hashes of a short line.
private struct HashedLines {
    private static let pieceBytes = 16_384

    private var hash = SHA256()
    private var buffer: [UInt8] = []

    /// A part of a line.
    mutating func append(bytes: some Sequence<UInt8>) { buffer.append(contentsOf: bytes) }

    /// A part of a line.
    mutating func append(_ text: String) { buffer += text.utf8 }

    /// A line, or the end of one.
    mutating func add(_ text: String) {
        append(text)
        buffer.append(UInt8(ascii: "\n"))
        if buffer.count >= Self.pieceBytes { flush() }
    }

    mutating func finish() -> [UInt8] {
        flush()
        return [UInt8](hash.finalize())
    }

    private mutating func flush() {
        buffer.withUnsafeBytes { hash.update(bufferPointer: $0) }
        buffer.removeAll(keepingCapacity: true)
    }
}
