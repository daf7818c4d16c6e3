import ControlPlane
import Synchronization

/// A request whose answer comes later, from the one writer or from elsewhere, and which is parked meanwhile.
final class PendingChange: Sendable {
    /// Takes the answer, once, from any thread.
    typealias Answering = @Sendable (Result<HTTPAnswer, HTTPProblem>) -> Void

    /// Where the request waits.
    let parking = Parking()
    /// Starts what is asked for.
    let begin: @Sendable (ControlPlane, @escaping Answering) -> Void
    private let result = Mutex<Result<HTTPAnswer, HTTPProblem>?>(nil)

    /// - Parameter begin: starts what is asked for; must not block.
    init(_ begin: @escaping @Sendable (ControlPlane, @escaping Answering) -> Void) { self.begin = begin }

    /// - Parameter answer: makes the answer of a change that is in force.
    convenience init(_ change: Change, answer: @escaping @Sendable (ChangeResult) -> HTTPAnswer) {
        self.init { controlPlane, whenDone in
            controlPlane.submit(change) { whenDone($0.map(answer).mapError { HTTPProblem($0) }) }
        }
    }

    /// Hands the request over.
    func submit(to controlPlane: ControlPlane) {
        begin(controlPlane) { [self] outcome in
            result.withLock { $0 = $0 ?? outcome }
            parking.wake()
        }
    }

    /// The answer, when there is one.
    func outcome() -> Result<HTTPAnswer, HTTPProblem>? { result.withLock { $0 } }
}
