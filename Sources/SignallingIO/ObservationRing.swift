import Routing
import Synchronization

/// What one worker has seen, on its way to the observer: one thread puts in, one takes out, neither waits.
///
/// `tail` counts what was put in, `head` what was taken out; the place of number n is n modulo the capacity.
final class ObservationRing<Element: BitwiseCopyable & Sendable>: @unchecked Sendable {
    private let places: UnsafeMutablePointer<Element>
    private let mask: Int
    private let head = Atomic(0)
    private let tail = Atomic(0)

    /// A ring with room for at least `capacity` of them.
    init(capacity: Int = 4096) {
        var size = 2
        while size < capacity { size *= 2 }
        mask = size - 1
        places = .allocate(capacity: size)
    }

    // What lies in the places has no memory of its own.
    deinit { places.deallocate() }

    /// How many are in it, about.
    var count: Int {
        let taken = head.load(ordering: .relaxed)
        return max(0, tail.load(ordering: .relaxed) &- taken)
    }

    /// The worker's side. False: the ring is full and the element is not in it.
    func put(_ element: Element) -> Bool {
        let number = tail.load(ordering: .relaxed)
        guard number &- head.load(ordering: .acquiring) <= mask else { return false }
        (places + (number & mask)).initialize(to: element)
        tail.store(number &+ 1, ordering: .releasing)
        return true
    }

    /// The observer's side: appends all that is there.
    func takeAll(into list: inout [Element]) {
        var number = head.load(ordering: .relaxed)
        let end = tail.load(ordering: .acquiring)
        while number != end {
            list.append(places[number & mask])
            number &+= 1
        }
        head.store(number, ordering: .releasing)
    }
}

/// The way of status changes.
typealias TransitionRing = ObservationRing<StatusTransition>
