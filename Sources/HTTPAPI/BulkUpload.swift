import CMicrohttpd
import ControlPlane
import Synchronization

/// The body of a bulk on its way in: pieces go on to whoever reads them, and the connection is parked while too many of
/// them wait, so that a client that is faster than we are is held back by its own connection.
final class BulkUpload: Sendable {
    /// Who reads the body.
    struct Reader: Sendable {
        /// Takes a piece; calls back once that is done.
        let receive: @Sendable ([UInt8], @escaping @Sendable () -> Void) -> Void
        /// All pieces came: carries out what they ask for.
        let finish: @Sendable (@escaping PendingChange.Answering) -> Void
        /// No more comes, and nothing is carried out.
        let abandon: @Sendable () -> Void
    }

    /// More bytes than these don't wait.
    private static let waitingLimitBytes = 256 * 1024

    /// Where the connection waits while too much does.
    let parking = Parking()
    private let reader: Reader
    private let waitingBytes = Mutex(0)
    private let hasEnded = Atomic(false)

    init(_ reader: Reader) { self.reader = reader }

    /// Takes a piece of the body, or parks the connection because too much waits: false.
    func receive(_ piece: UnsafeRawBufferPointer, _ connection: OpaquePointer) -> Bool {
        parking.look()
        while waitingBytes.withLock({ $0 }) >= Self.waitingLimitBytes {
            if parking.park(connection) { return false }
            parking.look()
        }
        waitingBytes.withLock { $0 += piece.count }
        let count = piece.count
        reader.receive(Array(piece)) { [self] in
            let isDrained = waitingBytes.withLock { bytes in
                bytes -= count
                return bytes <= Self.waitingLimitBytes / 2
            }
            if isDrained { parking.wake() }
        }
        return true
    }

    /// The body is whole: the request waits for what comes of it.
    func finish() -> PendingChange {
        parking.end()
        return PendingChange { [self] _, whenDone in
            guard !hasEnded.exchange(true, ordering: .acquiringAndReleasing) else { return }
            reader.finish(whenDone)
        }
    }

    /// The request ended before its body did, or is refused. A second call does nothing, nor does one behind `finish`.
    func abandon() {
        parking.end()
        guard !hasEnded.exchange(true, ordering: .acquiringAndReleasing) else { return }
        reader.abandon()
    }
}
