import JSON
import Routing
import Synchronization

/// Bodies of answers that the routing data alone decide, each made once a revision: monitoring and provisioning ask for
/// the same again and again, and to read an object and to write it as JSON costs more than all the rest does.
final class ReadAnswers: Sendable {
    /// An answer without its header fields.
    struct Answer: Sendable {
        let body: [UInt8]
        /// Without quotes; nil: the answer has none.
        let etag: String?

        init(body: [UInt8], etag: String?) { (self.body, self.etag) = (body, etag) }

        init(json: JSONValue, etag: String?) { self.init(body: HTTPAnswer(200, json: json).body, etag: etag) }
    }

    /// How many are kept, and how many bytes of them.
    static let (limitCount, limitBytes) = (4096, 8 << 20)

    private struct State {
        var revision: Int64 = -1
        var answers: [ExactText: Answer] = [:]
        var byteCount = 0
    }

    private let state = Mutex(State())

    /// The answer to a target, made by `make` where nobody has asked for it since the routing data changed, and the
    /// revision that it reflects.
    ///
    /// - Parameter revision: what calls follow. What is made meanwhile of a newer one is not kept: the disk has that
    ///   revision then, but the defaults that are in force are still those of the one before.
    func answer(
        to target: String, at revision: Int64, make: () throws(HTTPProblem) -> (answer: Answer, revision: Int64)
    ) throws(HTTPProblem) -> (answer: Answer, revision: Int64) {
        if let known = state.withLock({ $0.revision == revision ? $0.answers[ExactText(target)] : nil }) {
            return (known, revision)
        }
        let made = try make()
        if made.revision == revision { keep(made.answer, to: target, at: revision) }
        return made
    }

    private func keep(_ answer: Answer, to target: String, at revision: Int64) {
        guard answer.body.count <= Self.limitBytes else { return }
        state.withLock { state in
            guard revision >= state.revision else { return }
            let isFull = state.answers.count >= Self.limitCount || state.byteCount + answer.body.count > Self.limitBytes
            if revision > state.revision || isFull {
                state.answers.removeAll(keepingCapacity: true)
                (state.revision, state.byteCount) = (revision, 0)
            }
            if state.answers.updateValue(answer, forKey: ExactText(target)) == nil {
                state.byteCount += answer.body.count
            }
        }
    }
}
