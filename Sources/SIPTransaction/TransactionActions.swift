package import Time

/// What the owner of a machine must do after it was given an event, in order. Lies on the owner's stack: nothing is
/// allocated.
package struct TransactionActions {
    /// One thing to do.
    package enum Action: Equatable, Sendable, BitwiseCopyable {
        /// Send the request of a client transaction, or the last response of a server transaction.
        case send
        /// Send the ACK for the final response at hand (RFC 3261 section 17.1.1.3).
        case sendACK
        /// Give `.timer` back at this time.
        case arm(TransactionTimer, at: Instant)
        /// Pass the response at hand to the transaction user.
        case deliver
        /// Tell the transaction user that no response of any kind has come for T1. It goes on waiting.
        case noResponseYet
        /// Tell the transaction user that no response, or no ACK, came in time.
        case timeout
        /// Tell the transaction user that the other side can't be reached.
        case transportFailure
        /// The ACK for a final response other than 2xx has come; or one that the transaction user must look at (RFC
        /// 6026 section 7.1), when the machine is in `accepted`.
        case ackReceived
    }

    /// No event leads to more actions than this.
    package static let capacityCount = 4

    private var actions = InlineArray<4, Action>(repeating: .send)
    /// How many there are.
    package private(set) var count = 0

    /// Nothing to do.
    package init() {}

    /// The action at a position below `count`.
    package subscript(index: Int) -> Action { actions[index] }

    mutating func append(_ action: Action) {
        precondition(count < Self.capacityCount, "an event of a machine leads to at most four actions")
        actions[count] = action
        count += 1
    }
}
