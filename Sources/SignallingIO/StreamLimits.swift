/// What bounds the streams of a process, so that neither many peers nor slow ones cost it more than it has.
package struct StreamLimits: Sendable {
    /// Connections in the whole process, each worker its share; 1 or more. Those that we open for requests within
    /// dialogs are a quarter at most.
    package var connectionCount = 16_384
    /// Connections from one address that one worker keeps.
    package var connectionPerSourceCount = 2048
    /// Connections that one worker is opening and that are not made yet; for a request within a dialog half as many.
    package var connectingCount = 256
    /// How long a connection of ours may take to be made.
    package var connectTime: Duration = .seconds(4)
    /// How long a message may take from its first byte to its last, and what we sent until the peer takes it.
    package var messageTime: Duration = .seconds(30)
    /// How long nothing at all, not even a keep-alive, may come.
    package var idleTime: Duration = .seconds(600)
    /// How long a peer that sends no more still gets the answers that he waits for (RFC 3261 section 17: 64 times T1).
    package var halfClosedTime: Duration = .seconds(32)
    /// How much waits for one peer to take it, in bytes; up to 1 MiB.
    package var backlogBytes = 262_144

    /// The defaults.
    package init() {}

    /// What one of so many workers keeps.
    func share(of workerCount: Int) -> StreamLimits {
        var share = self
        share.connectionCount = min(max(1, connectionCount / max(1, workerCount)), StreamTag.slotLimitCount)
        return share
    }
}

/// What comes back with an event of epoll: a listening socket, or a connection with the generation of its place, so
/// that an event of a connection that has gone meanwhile finds nothing. Datagram sockets have the tags below.
///
///     connection: 1 | generation: 11 bits | slot: 20 bits          listening: 256 + listener's number
enum StreamTag {
    static let slotLimitCount = (1 << 20) - 1  // the last one would look like the tag of a worker's wake-up
    private static let first: UInt32 = 256

    static func isStream(_ tag: UInt32) -> Bool { tag >= first }

    static func listening(_ listener: Int) -> UInt32 { first + UInt32(truncatingIfNeeded: listener) }

    static func connection(_ slot: Int, _ generation: UInt32) -> UInt32 {
        1 << 31 | (generation & 0x7FF) << 20 | UInt32(truncatingIfNeeded: slot)
    }

    /// The listener's number; nil: a connection.
    static func listener(of tag: UInt32) -> Int? { tag >> 31 == 0 ? Int(tag - first) : nil }

    static func slot(of tag: UInt32) -> Int { Int(tag & 0xF_FFFF) }
}
