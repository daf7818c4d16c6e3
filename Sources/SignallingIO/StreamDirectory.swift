import Synchronization

/// Which worker has a connection with which peer, for the worker that has none: a request within a dialog comes to any
/// of them, and many user agents can be reached by the connection alone that they have opened.
///
/// The lock is taken when a connection begins or ends, and when a message has no connection of its own worker; never
/// for a message that has one.
final class StreamDirectory: Sendable {
    private let owners = Mutex<[StreamConnection.Key: UInt8]>([:])

    /// The worker has a connection with this peer; the latest one counts.
    func enter(_ key: StreamConnection.Key, of worker: UInt8) { owners.withLock { $0[key] = worker } }

    /// The worker's connection with this peer is of no more use for requests.
    func leave(_ key: StreamConnection.Key, of worker: UInt8) {
        owners.withLock { if $0[key] == worker { $0[key] = nil } }
    }

    /// Who has a connection with this peer.
    func owner(of key: StreamConnection.Key) -> UInt8? { owners.withLock { $0[key] } }
}
