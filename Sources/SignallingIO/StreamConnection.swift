import Addressing
import SIPMessage
import SignallingCore
import Time

/// One connection of one worker, as `StreamTable` keeps it.
///
///     connecting --made--> open --peer sends no more, answers owed--> halfClosed --answered--> free
///     open --end of its use, told to the peer--> ending --peer ends, or time--> free
///     any --error, time, bound--> free
struct StreamConnection: BitwiseCopyable {
    enum Phase: BitwiseCopyable {
        case free
        /// We are opening it; what is sent waits.
        case connecting
        case open
        /// The peer sends no more, but waits for answers (RFC 3261 section 18.2.2).
        case halfClosed
        /// Nothing that comes is read any more; what waits is still sent. Closed at once, the answer that says why
        /// might be lost with what the peer had sent behind (RFC 9293 section 3.10.4).
        case ending
    }

    /// Which connection a peer has with one listener of ours.
    struct Key: Hashable, BitwiseCopyable {
        let listener: ListenerNumber
        let peer: TransportAddress
    }

    var phase = Phase.free
    /// 11 bits, as in its tag.
    var generation: UInt32 = 0
    var descriptor: Int32 = -1
    var key: Key
    /// True: it counts for its source's limit.
    var isAccepted = false
    /// True: it was opened for a request within a dialog.
    var isForDialog = false
    /// True: messages of other workers went by it, who have to know when it goes.
    var servesOthers = false
    var framing = StreamFraming()
    /// The beginning of a message.
    var received = StreamBuffer()
    /// What the kernel had no room for.
    var waiting = StreamBuffer()
    /// Requests that came by it and have no final response yet; a response that is sent again counts once more, so that
    /// it is an estimate from below.
    var owedCount = 0
    /// Since when the message that has begun, or since when nothing.
    var receivedAt: Instant
    /// Since when the kernel has taken nothing of what waits.
    var sentAt: Instant

    init(nobody: Key, now: Instant) { (key, receivedAt, sentAt) = (nobody, now, now) }

    var wantsReading: Bool { phase != .halfClosed }
    var wantsWriting: Bool { phase == .connecting || !waiting.isEmpty }

    /// True when nobody waits for anything that could go over it any more.
    var isDone: Bool { phase == .halfClosed && owedCount <= 0 && waiting.isEmpty }

    /// Why it has to go at this time; nil: it stays.
    func overdue(_ now: Instant, _ limits: StreamLimits) -> StreamTable.Ending? {
        if phase != .connecting, !waiting.isEmpty, now >= sentAt + limits.messageTime { return .slowReader }
        switch phase {
        case .free: return nil
        case .connecting: return now >= receivedAt + limits.connectTime ? .failed : nil
        case .open:
            let isWithin = framing.isWithinMessage
            guard now >= receivedAt + (isWithin ? limits.messageTime : limits.idleTime) else { return nil }
            return isWithin ? .slowSender : .idle
        case .halfClosed: return now >= receivedAt + limits.halfClosedTime ? .byPeer : nil
        case .ending: return now >= receivedAt + StreamTable.endingTime ? .unframed : nil
        }
    }
}
