import ControlPlane
import Synchronization

/// A change that the one writer has in hand, and the parked request that waits for it.
final class PendingChange: Sendable {
    /// Where the request waits.
    let parking = Parking()
    private let change: Change
    private let answer: @Sendable (ChangeResult) -> HTTPAnswer
    private let result = Mutex<Result<ChangeResult, Refusal>?>(nil)

    /// - Parameter answer: makes the answer of a change that is in force.
    init(_ change: Change, answer: @escaping @Sendable (ChangeResult) -> HTTPAnswer) {
        (self.change, self.answer) = (change, answer)
    }

    /// Hands the change over.
    func submit(to controlPlane: ControlPlane) {
        controlPlane.submit(change) { [self] outcome in
            result.withLock { $0 = $0 ?? outcome }
            parking.wake()
        }
    }

    /// The answer, when there is one.
    func outcome() -> Result<HTTPAnswer, HTTPProblem>? {
        result.withLock { $0 }.map { result in
            switch result {
            case .success(let change): .success(answer(change))
            case .failure(let refusal): .failure(HTTPProblem(refusal))
            }
        }
    }
}
