import Addressing
import SignallingCore
import Synchronization

/// What others pass to one worker: messages whose transaction it has, destinations that can't be reached, messages for
/// a peer whose connection it has, and gateways to be asked out of turn.
/// Any thread puts in, the owner takes out, nobody waits; when it is full, what comes is refused.
///
/// A bounded queue of places with a turn each (after D. Vyukov): a place whose turn is n may be filled as the n-th, one
/// whose turn is n + 1 may be emptied as the n-th, and emptying sets its turn to n + capacity.
final class Mailbox: @unchecked Sendable {
    /// What lies in a place.
    enum Kind: UInt8, BitwiseCopyable { case datagram, transportFailure, outgoing, probe, callNotice }

    /// The place's content beside the bytes: the source of the message, or the destination.
    struct Letter: BitwiseCopyable {
        let kind: Kind
        let address: TransportAddress
        let listener: ListenerNumber
        /// The worker that the kernel gave the datagram to.
        let origin: UInt8
        let count: Int
    }

    /// The largest datagram of UDP fits into a place; the kernel gives memory only to the pages that are used.
    private static let placeBytes = 65_536

    private let turns: UnsafeMutablePointer<Atomic<Int>>
    private let letters: UnsafeMutablePointer<Letter>
    private let bytes: UnsafeMutablePointer<UInt8>
    private let mask: Int
    private let tail = Atomic(0)
    /// Puts `head` into a cache line of its own.
    private let padding: (Int, Int, Int, Int, Int, Int, Int) = (0, 0, 0, 0, 0, 0, 0)
    private let head = Atomic(0)  // the owner alone writes it

    /// A mailbox with room for at least `capacity` letters.
    init(capacity: Int = 1024) {
        var size = 2
        while size < capacity { size *= 2 }
        mask = size - 1
        turns = .allocate(capacity: size)
        letters = .allocate(capacity: size)
        bytes = .allocate(capacity: size * Self.placeBytes)
        for index in 0..<size { (turns + index).initialize(to: Atomic(index)) }
    }

    deinit {
        turns.deinitialize(count: mask + 1)
        turns.deallocate()
        letters.deallocate()
        bytes.deallocate()
    }

    /// Copies a letter in. False: there is no room, or the datagram is too long for UDP.
    func put(
        _ kind: Kind, _ address: TransportAddress, _ listener: ListenerNumber, _ datagram: Span<UInt8>,
        origin: UInt8 = 0
    ) -> Bool {
        guard datagram.count <= Self.placeBytes else { return false }
        var number = tail.load(ordering: .relaxed)
        while true {
            let turn = turns[number & mask].load(ordering: .acquiring)
            if turn == number {
                let (exchanged, original) = tail.weakCompareExchange(
                    expected: number, desired: number &+ 1, ordering: .relaxed)
                if exchanged { break }
                number = original
            } else if turn &- number < 0 {
                return false
            } else {
                number = tail.load(ordering: .relaxed)
            }
        }
        let place = number & mask
        (letters + place).initialize(
            to: Letter(kind: kind, address: address, listener: listener, origin: origin, count: datagram.count))
        datagram.withUnsafeBufferPointer {
            guard let start = $0.baseAddress else { return }
            (bytes + place * Self.placeBytes).update(from: start, count: $0.count)
        }
        turns[place].store(number &+ 1, ordering: .releasing)
        return true
    }

    /// The owner's side: calls `body` with the next letter and its bytes, which are lent. False when there is none.
    func take(_ body: (Letter, Span<UInt8>) -> Void) -> Bool {
        let number = head.load(ordering: .relaxed)
        let place = number & mask
        guard turns[place].load(ordering: .acquiring) == number &+ 1 else { return false }
        let letter = letters[place]
        body(letter, Span(_unsafeStart: bytes + place * Self.placeBytes, count: letter.count))
        head.store(number &+ 1, ordering: .relaxed)
        turns[place].store(number &+ mask &+ 1, ordering: .releasing)
        return true
    }
}
