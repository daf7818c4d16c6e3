import CCurl
import Foundation
import Synchronization
package import Time

// How this room works. `post` puts a request into a bounded queue, from any thread. The one thread of the room hands it
// to libcurl, which looks up the name on a thread of its own, and asks us (`Transfer`) with each address before it
// opens a socket, and once more before the request leaves on a connection, new or kept: what was checked is what is
// talked to, so a name that answers differently the second time gains nothing. `whenDone` is called on the room's
// thread.

/// Sends requests to other hosts: bounded in time, size and number, checked by address, without redirects or proxies.
package final class HTTPClient: Sendable {
    private struct Waiting: Sendable {
        let post: HTTPPost
        let whenDone: @Sendable (HTTPPostResult) -> Void
    }

    private enum Phase { case notStarted, running, stopping, ended }

    private struct State {
        var phase = Phase.notStarted
        var waiting: [Waiting] = []
    }

    /// libcurl's handle of all transfers; the one call that other threads make of it is its wake-up.
    private struct Transfers: @unchecked Sendable { let handle: UnsafeMutableRawPointer }

    /// Requests that wait for a free place; more are refused.
    package static let queueLimitCount = 1024
    /// Requests under way at once.
    package static let concurrencyLimitCount = 128

    private let userAgent: String
    private let certificates: String?
    private let clock: any TimeSource
    private let transfers: Transfers?
    private let state = Mutex(State())
    private let ended = DispatchSemaphore(value: 0)

    private static let isReady = curl_global_init(Int(CURL_GLOBAL_DEFAULT)) == CURLE_OK

    /// A client that works from `start` on.
    ///
    /// - Parameters:
    ///   - userAgent: `Tandem/1.0`.
    ///   - certificates: a file of certificates to trust instead of the system's.
    package init(userAgent: String, certificates: String? = nil, clock: any TimeSource) {
        (self.userAgent, self.certificates, self.clock) = (userAgent, certificates, clock)
        transfers = Self.isReady ? curl_multi_init().map { Transfers(handle: $0) } : nil
        if let transfers { tandem_curl_keep_connections(transfers.handle, Self.concurrencyLimitCount) }
    }

    deinit {
        if let transfers { curl_multi_cleanup(transfers.handle) }
    }

    /// Starts the thread; a second call does nothing.
    package func start() {
        let isFirst = state.withLock { state in
            guard state.phase == .notStarted else { return false }
            state.phase = .running
            return true
        }
        guard isFirst else { return }
        let thread = Thread { [self] in
            run()
            ended.signal()
        }
        thread.name = "tandem-http-out"
        thread.start()
    }

    /// Gives up what is under way, answers it, and returns when the thread has ended. No request is taken from then on.
    package func stop() {
        let (wasRunning, left) = state.withLock { state in
            let wasRunning = state.phase == .running
            state.phase = wasRunning ? .stopping : .ended
            defer { if !wasRunning { state.waiting = [] } }
            return (wasRunning, wasRunning ? [] : state.waiting)
        }
        for waiting in left { waiting.whenDone(Self.stopped) }
        guard wasRunning else { return }
        wake()
        ended.wait()
    }

    /// Sends a request. `whenDone` is called once, on the client's thread or the caller's, and must not block.
    package func post(_ post: HTTPPost, whenDone: @escaping @Sendable (HTTPPostResult) -> Void) {
        let refusal = state.withLock { state -> HTTPPostResult? in
            guard transfers != nil, state.phase == .running || state.phase == .notStarted else { return Self.stopped }
            guard state.waiting.count < Self.queueLimitCount else {
                let detail = "\(Self.queueLimitCount) requests wait already"
                return HTTPPostResult(.failure(HTTPPostFailure(.tooMany, detail)), duration: .zero)
            }
            state.waiting.append(Waiting(post: post, whenDone: whenDone))
            return nil
        }
        guard let refusal else { return wake() }
        whenDone(refusal)
    }

    private static let stopped = HTTPPostResult(
        .failure(HTTPPostFailure(.stopped, "the server is stopping")), duration: .zero)

    private func wake() {
        if let transfers { curl_multi_wakeup(transfers.handle) }
    }

    // MARK: the thread

    private func run() {
        guard let all = transfers?.handle else { return }
        var open: [UnsafeMutableRawPointer: Transfer] = [:]
        while true {
            let (taken, isStopping) = take(limitCount: Self.concurrencyLimitCount - open.count)
            for waiting in taken { begin(waiting, all, &open) }
            if isStopping { break }
            var runningCount: Int32 = 0
            curl_multi_perform(all, &runningCount)
            while endNext(all, &open) {}
            let hasRoom = state.withLock { !$0.waiting.isEmpty } && open.count < Self.concurrencyLimitCount
            if !hasRoom { curl_multi_poll(all, nil, 0, 1000, nil) }
        }
        for (handle, transfer) in open {
            curl_multi_remove_handle(all, handle)
            transfer.end(HTTPPostFailure(.stopped, "the server is stopping"), at: clock.now)
        }
    }

    /// What may begin. When the client stops, all that waits, which is answered at once.
    private func take(limitCount: Int) -> (taken: [Waiting], isStopping: Bool) {
        state.withLock { state in
            let isStopping = state.phase == .stopping
            let taken = Array(state.waiting.prefix(isStopping ? state.waiting.count : max(0, limitCount)))
            state.waiting.removeFirst(taken.count)
            if isStopping { state.phase = .ended }
            return (taken, isStopping)
        }
    }

    private func begin(
        _ waiting: Waiting, _ all: UnsafeMutableRawPointer, _ open: inout [UnsafeMutableRawPointer: Transfer]
    ) {
        let transfer = Transfer(
            waiting.post, userAgent: userAgent, certificates: certificates, at: clock.now, whenDone: waiting.whenDone)
        guard let transfer, curl_multi_add_handle(all, transfer.handle) == CURLM_OK else {
            let failure = HTTPPostFailure(.broken, "libcurl can't send it (it must be 7.87 or later)")
            return waiting.whenDone(HTTPPostResult(.failure(failure), duration: .zero))
        }
        open[transfer.handle] = transfer
    }

    /// Ends the next transfer that libcurl is through with; false when there is none.
    private func endNext(
        _ all: UnsafeMutableRawPointer, _ open: inout [UnsafeMutableRawPointer: Transfer]
    ) -> Bool {
        let end = tandem_curl_next_end(all)
        guard let handle = end.transfer else { return false }
        curl_multi_remove_handle(all, handle)
        open.removeValue(forKey: handle)?.end(end.code, at: clock.now)
        return true
    }
}
