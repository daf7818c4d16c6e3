import ControlPlane
import Time

/// The body of one bulk while it is received: how much may come, and how slowly. On libmicrohttpd's thread only.
final class BulkReceiving {
    /// What became of a piece.
    enum Received {
        case taken
        /// Too much waits already: the connection is parked, and the piece comes again.
        case parked
        /// More has come than may.
        case tooLarge
    }

    /// Where the pieces go.
    let upload: BulkUpload
    private let service: HTTPService
    private let watch: ConnectionWatch?
    private let lateAnswer: [UInt8]
    private let startedAt: Instant
    private var receivedBytes = 0
    /// How long the client had to wait for us, and since when it does.
    private var parkedTime = Duration.zero
    private var parkedSince: Instant?

    init(_ upload: BulkUpload, _ service: HTTPService, _ watch: ConnectionWatch?, lateAnswer: [UInt8]) {
        (self.upload, self.service, self.watch, self.lateAnswer) = (upload, service, watch, lateAnswer)
        startedAt = service.clock.now
        service.registerUpload(upload.parking)
    }

    /// When all that is still to come is too late, unless more of it comes before.
    private var deadline: Instant {
        let seconds = Int64(receivedBytes) / max(1, service.settings.leastBytesPerSecond)
        return startedAt + service.settings.bodyTimeout + parkedTime + .seconds(seconds)
    }

    /// Takes the next piece.
    func receive(_ piece: UnsafeRawBufferPointer, _ connection: OpaquePointer) -> Received {
        let now = service.clock.now
        if let since = parkedSince {
            parkedTime += now - since
            parkedSince = nil
            watch?.expect(within: deadline - now, from: now, orElse: lateAnswer)
        }
        let (bytes, overflow) = receivedBytes.addingReportingOverflow(piece.count)
        guard !overflow, bytes <= service.settings.bulkLimitBytes else {
            upload.abandon()
            return .tooLarge
        }
        guard upload.receive(piece, connection) else {
            parkedSince = now
            watch?.expectNothing()
            return .parked
        }
        receivedBytes = bytes
        watch?.noteProgress(at: now, deadline: deadline)
        return .taken
    }

    /// The request is over. What was not whole is forgotten.
    func end() {
        upload.abandon()
        service.unregisterUpload(upload.parking)
    }
}
