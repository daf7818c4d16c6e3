import Synchronization

/// Names one subscription.
package struct EventSubscription: Hashable, Sendable {
    let number: UInt64
}

/// Who is woken after a commit. Each has a lock of its own, so that ending one waits for no other.
final class Subscribers: Sendable {
    private final class Subscriber: Sendable {
        private let wake: Mutex<(@Sendable () -> Void)?>

        init(_ wake: @escaping @Sendable () -> Void) { self.wake = Mutex(wake) }

        /// The call is made under the lock: whoever ends the subscription waits for one that is under way.
        func call() { wake.withLock { $0?() } }

        func end() { wake.withLock { $0 = nil } }
    }

    private struct State {
        var last: UInt64 = 0
        var subscribers: [UInt64: Subscriber] = [:]
    }

    private let state = Mutex(State())

    func add(_ wake: @escaping @Sendable () -> Void) -> EventSubscription {
        let subscriber = Subscriber(wake)
        return state.withLock { state in
            state.last &+= 1
            state.subscribers[state.last] = subscriber
            return EventSubscription(number: state.last)
        }
    }

    func end(_ subscription: EventSubscription) {
        let subscriber = state.withLock { $0.subscribers.removeValue(forKey: subscription.number) }
        subscriber?.end()
    }

    func wakeAll() {
        let subscribers = state.withLock { Array($0.subscribers.values) }
        for subscriber in subscribers { subscriber.call() }
    }
}
