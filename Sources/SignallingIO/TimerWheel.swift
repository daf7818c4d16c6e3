internal import CMemory
package import SignallingCore
package import Time

/// The timers of one worker: a hierarchical wheel with ticks of 1 ms, five wheels, which together span all of time, so
/// that nothing is too far away.
///
///     wheel  slots  a slot spans  a turn spans
///       0    1024         1 ms         1 s       nothing but what is due at that tick lies in a slot
///       1     512       512 ms       262 s       Timers A to M, and C
///       2     512       262 s         37 h
///       3     512        37 h        2.2 years
///       4     512       2.2 years   1115 years
///
/// A timer lies on the lowest wheel that it is less than a turn away on. When a slot's time begins, what is in it moves
/// down. Of wheel 1 it has done so by then: wheel 0 is as long as two of its slots, and while the time of one goes by,
/// what is in the next moves down little by little. Moved at once, the timers of half a second are a pause that every
/// thousandth call met.
///
/// Arming is O(1), firing O(wheels) a timer; timers are never cancelled. The timers of a slot lie in a list of blocks,
/// of which the first alone may have room: a worker with a million of them finds seven in two cache lines, not one.
/// Blocks lie in chunks that never move and are used again, and the caller says how many timers may be touched at once,
/// so that such a worker never stops for them.
package struct TimerWheel: ~Copyable {
    private struct Entry: BitwiseCopyable {
        let tick: UInt64
        let token: TimerToken
    }

    private struct Block {
        static let limitCount = 7

        var next: UnsafeMutablePointer<Block>?
        /// 1...7 in a slot.
        var count = 0
        var entries = InlineArray<7, Entry>(repeating: Entry(tick: 0, token: TimerToken(bits: 0)))
    }

    private static let wheelCount = 5
    private static let slotBits = 9
    private static let slotCount = 1 << slotBits
    /// Slots of wheel 0: it holds the ticks of two slots of wheel 1.
    private static let tickCount = slotCount * 2
    private static let allSlotCount = tickCount + (wheelCount - 1) * slotCount
    private static let blocksPerChunk = 256

    private var chunks: [UnsafeMutablePointer<Block>] = []
    /// Blocks of the last chunk that were used.
    private var usedInChunk = Self.blocksPerChunk
    private var firstFree: UnsafeMutablePointer<Block>?
    /// The slots of all wheels, one wheel behind the other.
    private let heads: UnsafeMutablePointer<UnsafeMutablePointer<Block>?>
    /// A bit for each slot that is not empty.
    private let occupied: UnsafeMutablePointer<UInt64>
    /// How many timers lie in each slot of wheel 1.
    private let counts: UnsafeMutablePointer<UInt32>
    /// Everything up to this tick has fired or is due at once.
    private var current: UInt64
    /// When timers were last moved down ahead of their time.
    private var movedAhead: UInt64

    /// How many timers wait.
    package private(set) var count = 0

    /// A wheel without a timer.
    package init(now: Instant) {
        current = Self.tick(before: now)
        movedAhead = current
        heads = .allocate(capacity: Self.allSlotCount)
        heads.initialize(repeating: nil, count: Self.allSlotCount)
        occupied = .allocate(capacity: Self.allSlotCount / 64)
        occupied.initialize(repeating: 0, count: Self.allSlotCount / 64)
        counts = .allocate(capacity: Self.slotCount)
        counts.initialize(repeating: 0, count: Self.slotCount)
    }

    deinit {
        for chunk in chunks { chunk.deallocate() }
        heads.deallocate()
        occupied.deallocate()
        counts.deallocate()
    }

    /// Starts a timer. One of the past fires at the next tick.
    package mutating func arm(at instant: Instant, _ token: TimerToken) {
        let tick = max(Self.tick(after: instant), current + 1)
        count += 1
        place(Entry(tick: tick, token: token))
    }

    /// Takes the next timer that is due at `now`, in the order of their milliseconds. Nil: none is left.
    package mutating func takeDue(at now: Instant) -> TimerToken? {
        var steps = Int.max
        return takeDue(at: now, steps: &steps)
    }

    /// The same, while there are steps left: taking a timer is one, and so is moving one down.
    ///
    /// - Parameter steps: 0 afterwards: there may be more that is due.
    package mutating func takeDue(at now: Instant, steps: inout Int) -> TimerToken? {
        let target = max(Self.tick(before: now), current)
        while steps > 0 {
            let index = Int(truncatingIfNeeded: current) & (Self.tickCount - 1)
            if let entry = takeEntry(of: index) {
                steps -= 1
                count -= 1
                return entry.token
            }
            guard let (wheel, index, tick) = next(), tick <= target else {
                current = target
                moveAhead(&steps)
                return nil
            }
            current = tick
            if wheel > 0 { moveDown(wheel, index, &steps) }
        }
        return nil
    }

    /// When to ask next: not later than the next timer is due, sometimes a little earlier. Nil without a timer.
    package var nextDue: Instant? {
        guard let (_, _, tick) = next() else { return nil }
        let (nanoseconds, overflow) = Int64(clamping: tick).multipliedReportingOverflow(by: 1_000_000)
        return Instant(nanoseconds: overflow ? .max : nanoseconds)
    }

    /// The slot whose time begins next, and when. Where two begin at once, the one of the higher wheel: what is in it
    /// may be due at once.
    private func next() -> (wheel: Int, index: Int, tick: UInt64)? {
        guard count > 0 else { return nil }
        var first: (wheel: Int, index: Int, tick: UInt64)?
        for wheel in 0..<Self.wheelCount {
            let shift = UInt64(wheel * Self.slotBits)
            let slots = Self.slots(of: wheel)
            let position = Int(truncatingIfNeeded: current >> shift) & (slots.count - 1)
            guard let distance = distance(on: slots, from: position) else { continue }
            let tick = (current >> shift + UInt64(distance)) << shift
            if first.map({ tick <= $0.tick }) ?? true {
                first = (wheel, slots.lowerBound + (position + distance) & (slots.count - 1), tick)
            }
        }
        return first
    }

    /// Where the slots of a wheel lie among all.
    private static func slots(of wheel: Int) -> Range<Int> {
        wheel == 0 ? 0..<tickCount : tickCount + (wheel - 1) * slotCount..<tickCount + wheel * slotCount
    }

    /// How many slots on from a position the first of a wheel lies that is not empty.
    private func distance(on slots: Range<Int>, from position: Int) -> Int? {
        let (words, wordCount) = (occupied + slots.lowerBound / 64, slots.count / 64)
        var word = position / 64
        var bits = words[word] & UInt64.max << UInt64(position % 64)
        for _ in 0...wordCount {  // the word of the position comes last once more, for what is before it
            if bits != 0 { return (word * 64 + bits.trailingZeroBitCount - position) & (slots.count - 1) }
            word = (word + 1) & (wordCount - 1)
            bits = words[word]
        }
        return nil
    }

    /// Takes one timer out of a slot.
    private mutating func takeEntry(of index: Int) -> Entry? {
        guard let block = heads[index] else { return nil }
        let rest = block.pointee.count - 1
        let entry = block.pointee.entries[rest]
        if rest > 0 {
            block.pointee.count = rest
            return entry
        }
        let next = block.pointee.next
        heads[index] = next
        if let next { Self.prefetch(next.pointee.next) } else { occupied[index / 64] &= ~(1 << UInt64(index % 64)) }
        block.pointee.next = firstFree
        firstFree = block
        return entry
    }

    /// Has a block fetched that follows the one at hand.
    private static func prefetch(_ block: UnsafeMutablePointer<Block>?) {
        guard let start = UnsafeRawPointer(block) else { return }
        cmem_prefetch(start)
        cmem_prefetch(start + 64)
    }

    private mutating func moveDown(_ wheel: Int, _ index: Int, _ steps: inout Int) {
        while steps > 0, let entry = takeEntry(of: index) {
            steps -= 1
            if wheel == 1 { counts[index - Self.tickCount] -= 1 }
            place(entry)
        }
    }

    /// Moves as much of wheel 1's next slot down as the time that has passed is of the time until it begins.
    private mutating func moveAhead(_ steps: inout Int) {
        guard current > movedAhead else { return }
        let elapsed = current - movedAhead
        movedAhead = current
        let slot = Int(truncatingIfNeeded: current >> UInt64(Self.slotBits) + 1) & (Self.slotCount - 1)
        guard counts[slot] > 0 else { return }
        let left = UInt64(Self.slotCount) - current & UInt64(Self.slotCount - 1)
        var share = Int(clamping: UInt64(counts[slot]) * min(elapsed, left) / left + 1)
        share = min(share, steps - 1)  // one is left: nothing is due
        steps -= share
        moveDown(1, Self.tickCount + slot, &share)
        steps += share
    }

    private mutating func place(_ entry: Entry) {
        let tick = entry.tick
        var (wheel, shift) = (0, UInt64(Self.slotBits))
        if tick >> shift - current >> shift > 1 {  // else within the two slots of wheel 1 that wheel 0 holds
            wheel = 1
            // Ends: no tick is 2**45 or more, and the last wheel's turn is as long.
            while wheel < Self.wheelCount - 1, tick >> shift - current >> shift >= UInt64(Self.slotCount) {
                (wheel, shift) = (wheel + 1, shift + UInt64(Self.slotBits))
            }
        }
        let slots = Self.slots(of: wheel)
        let position = Int(truncatingIfNeeded: tick >> (wheel == 0 ? 0 : shift)) & (slots.count - 1)
        let index = slots.lowerBound + position
        if wheel == 1 { counts[position] += 1 }
        if let block = heads[index], block.pointee.count < Block.limitCount {
            block.pointee.entries[block.pointee.count] = entry
            block.pointee.count += 1
            return
        }
        let block = takeBlock()
        block.pointee.next = heads[index]
        block.pointee.count = 1
        block.pointee.entries[0] = entry
        heads[index] = block
        occupied[index / 64] |= 1 << UInt64(index % 64)
    }

    private mutating func takeBlock() -> UnsafeMutablePointer<Block> {
        if let block = firstFree {
            firstFree = block.pointee.next
            return block
        }
        if usedInChunk == Self.blocksPerChunk {
            let chunk = UnsafeMutablePointer<Block>.allocate(capacity: Self.blocksPerChunk)
            chunk.initialize(repeating: Block(), count: Self.blocksPerChunk)
            chunks.append(chunk)
            usedInChunk = 0
        }
        usedInChunk += 1
        return chunks[chunks.count - 1] + (usedInChunk - 1)
    }

    /// The last tick that has begun by `now`.
    private static func tick(before now: Instant) -> UInt64 { UInt64(clamping: now.nanoseconds) / 1_000_000 }

    /// The first tick that begins at `instant` or after it: no timer fires early.
    private static func tick(after instant: Instant) -> UInt64 {
        let nanoseconds = UInt64(clamping: instant.nanoseconds)
        return nanoseconds / 1_000_000 + (nanoseconds % 1_000_000 == 0 ? 0 : 1)
    }
}
