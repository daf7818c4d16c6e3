import Routing
import Synchronization

/// The thread that takes status changes and call records from all workers and gives them to the network manager, which
/// may take its time; it also tells whoever asked for a probe.
final class Observer: Sendable {
    let wakeUp: WakeUp
    let desk = ProbeDesk()
    private let isStopping = Atomic(false)
    private let onTransitions: @Sendable ([StatusTransition]) -> Void
    private let onCalls: @Sendable (CallNews) -> Void
    private let onSightings: @Sendable ([GatewaySighting]) -> Void

    init(
        _ onTransitions: @escaping @Sendable ([StatusTransition]) -> Void,
        _ onCalls: @escaping @Sendable (CallNews) -> Void,
        _ onSightings: @escaping @Sendable ([GatewaySighting]) -> Void
    ) throws(SocketError) {
        (self.onTransitions, self.onCalls, self.onSightings) = (onTransitions, onCalls, onSightings)
        wakeUp = try WakeUp()
    }

    /// The observer's thread. What the workers put down before `stop` is delivered before this returns.
    func run(_ workers: [Worker]) {
        var list: [StatusTransition] = []
        var calls = CallNews()
        let ways = workers.map(\.calls)
        var sightings: [GatewaySighting] = []
        while true {
            let isLast = isStopping.load(ordering: .acquiring)
            // Whoever asked hears of it when the change that it made has been passed on.
            let answered = desk.takeAnswered()
            for worker in workers { worker.transitions.takeAll(into: &list) }
            if !list.isEmpty { onTransitions(list) }
            for (answer, completion) in answered { completion(answer) }
            list.removeAll(keepingCapacity: true)
            CallNewsRings.takeAll(of: ways, into: &calls)
            if calls.count > 0 { onCalls(calls) }
            for worker in workers { worker.sightings.takeAll(into: &sightings) }
            if !sightings.isEmpty { onSightings(sightings) }
            sightings.removeAll(keepingCapacity: true)
            calls.removeAll()
            if isLast { return }
            wakeUp.wait()
        }
    }

    /// Ends the thread; the workers have ended before.
    func stop() {
        isStopping.store(true, ordering: .releasing)
        wakeUp.signal()
    }
}
