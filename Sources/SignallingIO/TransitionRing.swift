import Routing
import Synchronization

/// The status changes of one worker on their way to the observer: one thread puts in, one takes out, neither waits.
///
/// `tail` counts what was put in, `head` what was taken out; the place of number n is n modulo the capacity.
final class TransitionRing: @unchecked Sendable {
    private let places: UnsafeMutablePointer<StatusTransition>
    private let mask: Int
    private let head = Atomic(0)
    private let tail = Atomic(0)

    /// A ring with room for at least `capacity` changes.
    init(capacity: Int = 4096) {
        var size = 2
        while size < capacity { size *= 2 }
        mask = size - 1
        places = .allocate(capacity: size)
    }

    // What lies in the places has no memory of its own.
    deinit { places.deallocate() }

    /// The worker's side. False: the ring is full and the change is not in it.
    func put(_ transition: StatusTransition) -> Bool {
        let number = tail.load(ordering: .relaxed)
        guard number &- head.load(ordering: .acquiring) <= mask else { return false }
        (places + (number & mask)).initialize(to: transition)
        tail.store(number &+ 1, ordering: .releasing)
        return true
    }

    /// The observer's side: appends all that is there.
    func takeAll(into list: inout [StatusTransition]) {
        var number = head.load(ordering: .relaxed)
        let end = tail.load(ordering: .acquiring)
        while number != end {
            list.append(places[number & mask])
            number &+= 1
        }
        head.store(number, ordering: .releasing)
    }
}
