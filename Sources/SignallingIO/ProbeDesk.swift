import Routing
import SignallingCore
import Synchronization

/// Who waits for the answer of a probe that was asked for out of turn. Each is told once, by the observer's thread, or
/// at once when nobody asks any more.
final class ProbeDesk: Sendable {
    typealias Completion = @Sendable (ProbeAnswer) -> Void

    /// More questions than this at once are not asked.
    private static let waitingLimitCount = 1000

    private struct State {
        var lastTicket: UInt64 = 0
        var waiting: [UInt64: Completion] = [:]
        var answers: [ProbeAnswer] = []
        var isClosed = false
    }

    private let state = Mutex(State())

    /// The ticket under which `completion` will be told; nil when no more can wait.
    func open(_ completion: @escaping Completion) -> UInt64? {
        state.withLock { state in
            guard !state.isClosed, state.waiting.count < Self.waitingLimitCount else { return nil }
            state.lastTicket += 1
            state.waiting[state.lastTicket] = completion
            return state.lastTicket
        }
    }

    /// The worker puts answers down. The lock is held for a moment only, whoever has it.
    func put(_ answers: [ProbeAnswer]) { state.withLock { $0.answers += answers } }

    /// Takes what was put down, and whom to tell.
    func takeAnswered() -> [(ProbeAnswer, Completion)] {
        state.withLock { state in
            defer { state.answers.removeAll() }
            return state.answers.compactMap { answer in
                state.waiting.removeValue(forKey: answer.ticket).map { (answer, $0) }
            }
        }
    }

    /// A question that could not be passed on, or all that are left at the end.
    func close(_ ticket: UInt64? = nil) {
        let left = state.withLock { state in
            guard let ticket else {
                state.isClosed = true
                defer { state.waiting.removeAll() }
                return state.waiting
            }
            return state.waiting.removeValue(forKey: ticket).map { [ticket: $0] } ?? [:]
        }
        for (ticket, completion) in left { completion(ProbeAnswer(ticket: ticket, outcome: .notAsked)) }
    }
}

/// A question on its way through a worker's mailbox, as bytes: row, generation, ticket.
struct ProbeLetter {
    let slot: GatewaySlot
    let ticket: UInt64

    init(slot: GatewaySlot, ticket: UInt64) { (self.slot, self.ticket) = (slot, ticket) }

    /// Reads what `bytes` wrote.
    init?(_ bytes: Span<UInt8>) {
        guard bytes.count == 11 else { return nil }
        slot = GatewaySlot(index: UInt16(bytes[0]) << 8 | UInt16(bytes[1]), generation: bytes[2])
        ticket = (3..<11).reduce(0) { $0 << 8 | UInt64(bytes[$1]) }
    }

    var bytes: [UInt8] {
        let head = [UInt8(truncatingIfNeeded: slot.index >> 8), UInt8(truncatingIfNeeded: slot.index), slot.generation]
        return head + (0..<8).map { UInt8(truncatingIfNeeded: ticket >> UInt64(56 - 8 * $0)) }
    }
}
