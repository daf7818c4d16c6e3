import Crypto
import Foundation
import JSON
import Routing
import Time

/// The digest of a change: SHA-256 over the digest before it and the entry, line by line.
///
/// The first line is the change, each further one an effect, in the order of their paths' bytes; each is canonical JSON
/// and ends in a line feed. Events are no part of it: they follow from the change.
struct EntryDigest {
    /// One effect as it is hashed and as the rows of a revision give it back.
    struct EffectLine {
        let path: ResourcePath
        /// Canonical text; nil: deleted.
        let body: String?
        let createdAt: WallTime
    }

    private var hash = SHA256()

    /// The digest of one entry behind `previous`.
    static func of(
        revision: Revision, epoch: Int64, at time: WallTime, who: String, comment: String?, effects: [EffectLine],
        previous: [UInt8]
    ) -> [UInt8] {
        var digest = EntryDigest()
        digest.hash.update(data: Data(previous))
        let head: JSONValue = .object([
            "revision": .integer(revision.number), "epoch": .integer(epoch), "at": .integer(time.milliseconds),
            "who": .string(who), "comment": comment.map { .string($0) } ?? .null,
        ])
        digest.add(head.canonicalText)
        let ordered = effects.map { (path: $0.path.text, line: $0) }
            .sorted { $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) }
        for effect in ordered { digest.add(path: effect.path, effect.line) }
        return [UInt8](digest.hash.finalize())
    }

    private mutating func add(path: String, _ effect: EffectLine) {
        let name = JSONValue.string(path).canonicalText
        if let body = effect.body {
            add("{\"body\":\(body),\"created_at\":\(effect.createdAt.milliseconds),\"path\":\(name)}")
        } else {
            add("{\"body\":null,\"path\":\(name)}")
        }
    }

    private mutating func add(_ line: String) {
        hash.update(data: Data(line.utf8))
        hash.update(data: Data([UInt8(ascii: "\n")]))
    }
}
