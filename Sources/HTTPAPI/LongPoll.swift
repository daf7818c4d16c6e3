import ControlPlane
import NetworkManager
import Synchronization
import Time

/// A request for a page of events that waits until there is one, or until its time is up.
final class LongPoll: Sendable {
    /// Makes the answer of what there is; nil when there is nothing and it may wait.
    typealias Look = @Sendable (_ mayWait: Bool) throws(HTTPProblem) -> HTTPAnswer?

    /// Where the connection waits.
    let parking = Parking()
    private let service: HTTPService
    private let deadline: Instant
    private let look: Look
    private let isGone = Atomic(false)
    private let ends = Mutex<(subscription: EventSubscription?, timer: UInt64?)>((nil, nil))

    init(_ service: HTTPService, wait: Duration, _ look: @escaping Look) {
        (self.service, self.look) = (service, look)
        deadline = service.clock.now + wait
    }

    /// Has itself woken from now on.
    func begin() {
        let parking = self.parking
        let subscription = service.controlPlane.networkManager.subscribe { parking.wake() }
        let timer = service.timekeeper.schedule(after: deadline - service.clock.now) { parking.wake() }
        ends.withLock { $0 = (subscription, timer) }
    }

    /// The client has closed its side: it is answered at once, in case it still reads.
    func noteHangUp() {
        isGone.store(true, ordering: .releasing)
        parking.wake()
    }

    /// The answer, or nil to wait on.
    func answer() throws(HTTPProblem) -> HTTPAnswer? {
        let mayWait = !service.isStopping && !isGone.load(ordering: .acquiring)
        return try look(mayWait && service.clock.now < deadline)
    }

    /// The request is over.
    func finish() {
        parking.end()
        let (subscription, timer) = ends.withLock { $0 }
        if let subscription { service.controlPlane.networkManager.end(subscription) }
        if let timer { service.timekeeper.cancel(timer) }
    }
}
