import CMicrohttpd
import ControlPlane
import Dispatch
import Synchronization
import Time

/// An answer's body that is made page by page while it is sent: the next one is made while one is on its way, and no
/// more, so that a slow client costs two pages.
///
///     make --wake--> libmicrohttpd's thread --read--> socket; nothing made yet: park
final class PagedBody: Sendable {
    /// Makes the next page; an empty one is behind the last. Called from one thread at a time.
    typealias Make = @Sendable () throws(Refusal) -> [UInt8]

    private struct State {
        var page = OutgoingBytes([])
        var next: Result<[UInt8], Refusal>?
    }

    /// Where the connection waits.
    let parking = Parking()
    /// The media type.
    let type: String
    private let make: Make
    private let queue = DispatchQueue(label: "tandem-http-pages")
    private let state = Mutex(State())

    init(type: String, _ make: @escaping Make) { (self.type, self.make) = (type, make) }

    /// Begins to make the first page.
    func begin() {
        queue.async { [self] in
            let page = Result { () throws(Refusal) in try make() }
            state.withLock { $0.next = page }
            parking.wake()
        }
    }

    /// The request is over.
    func finish() { parking.end() }

    /// Puts the next bytes at `buffer`: how many; 0 when the connection is parked; nil at the end. Throws when there is
    /// no next page: the client sees that by the end that does not come.
    func read(
        _ connection: OpaquePointer, into buffer: UnsafeMutablePointer<CChar>, limitBytes: Int
    ) throws(Refusal) -> Int? {
        while true {
            let count = state.withLock { $0.page.copy(into: buffer, limitBytes: limitBytes) }
            guard count == 0 else { return count }
            parking.look()
            let next = state.withLock { state in
                defer { state.next = nil }
                return state.next
            }
            guard let next else {
                if parking.park(connection) { return 0 }
                continue
            }
            let page = try next.get()
            guard !page.isEmpty else { return nil }
            state.withLock { $0.page = OutgoingBytes(page) }
            begin()
        }
    }
}
