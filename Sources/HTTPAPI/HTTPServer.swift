package import Addressing
import CMicrohttpd
package import ControlPlane
import Glibc
import Store
import Synchronization
package import Time

// How this room works.
//
//     socket -> libmicrohttpd's thread -> HTTPExchange -> Endpoint -> ControlPlane -> HTTPAnswer -> socket
//
// One thread of libmicrohttpd waits for all connections and runs every handler; reads are answered on it at once. A
// change parks its connection (`Parking`), and whoever finishes the change wakes it: no HTTP thread waits for the disk.
// Event streams and long polls park in the same way and are woken by the network manager or by `Timekeeper`, the room's
// one other thread. C pointers stay in `HTTPDaemon` and `Parking`.

/// The HTTP side of Tandem (API sections 2 to 9).
package final class HTTPServer: Sendable {
    private struct Running: @unchecked Sendable {
        let daemon: OpaquePointer
        let socket: ListeningSocket
    }

    private let service: HTTPService
    private let running = Mutex<Running?>(nil)

    /// A server that does not listen yet.
    package init(
        settings: HTTPSettings, controlPlane: ControlPlane, clock: any TimeSource,
        surroundings: HTTPSurroundings = HTTPSurroundings()
    ) {
        service = HTTPService(settings, surroundings, controlPlane, clock)
    }

    deinit { stop() }

    /// Binds and serves on threads of its own. Throws one line that names the address.
    package func start() throws(HTTPServerError) {
        let settings = service.settings
        let socket = try ListeningSocket(settings.address, port: settings.port, backlogCount: 1024)
        if let identity = settings.tlsIdentity {
            TLSIdentities.show(identity, port: socket.address.port, at: service.clock.now)
        }
        guard let daemon = HTTPDaemon.start(service, listeningSocket: socket.descriptor) else {
            TLSIdentities.forget(port: socket.address.port)
            close(socket.descriptor)
            throw HTTPServerError("\(socket.address.hostPort): libmicrohttpd can't start")
        }
        running.withLock { $0 = Running(daemon: daemon, socket: socket) }
        let service = self.service
        _ = service.timekeeper.schedule(after: .seconds(1), every: .seconds(1)) { [weak service] in
            guard let service else { return }
            service.connections.check(service.clock.now)
        }
        service.controlPlane.tokens.onRevoke { [weak service] in service?.wakeAll() }
        _ = service.timekeeper.schedule(after: .seconds(60), every: .seconds(60)) { [weak service] in
            guard let service else { return }
            service.controlPlane.tokens.storeUse { [weak service] error in
                service?.log(.error, "when tokens were used can't be stored", [("reason", error.detail)])
            }
        }
        service.timekeeper.start()
    }

    /// What the server is bound to; nil while it does not listen.
    package var boundAddress: TransportAddress? { running.withLock { $0?.socket.address } }

    /// Shows another certificate to those who connect from now on; connections that are open stay as they are. Only for
    /// a server that was started with one.
    package func show(_ identity: TLSIdentity) {
        guard service.settings.tlsIdentity != nil, let port = boundAddress?.port else { return }
        TLSIdentities.show(identity, port: port, at: service.clock.now)
        service.shownIdentity.withLock { $0 = identity }
    }

    /// Takes no more connections, ends streams, waits for changes that are under way, at most `stopTimeout`, and ends
    /// the threads. To be called before the control plane stops. A server that has stopped can't be started again.
    package func stop() {
        guard
            let running = running.withLock({ running in
                defer { running = nil }
                return running
            })
        else { return }
        MHD_quiesce_daemon(running.daemon)
        service.beginStopping()
        wait(atMost: service.settings.stopTimeout) { service.waitingCount == 0 }
        service.force()
        wait(atMost: .seconds(1)) { service.waitingCount == 0 }
        service.timekeeper.stop()
        guard !service.hasParked else {
            service.log(.error, "a request could not be ended; the server's thread is left behind", [])
            return
        }
        MHD_stop_daemon(running.daemon)
        TLSIdentities.forget(port: running.socket.address.port)
        close(running.socket.descriptor)
    }

    private func wait(atMost limit: Duration, until isDone: () -> Bool) {
        let deadline = service.clock.now + limit
        while !isDone(), service.clock.now < deadline { usleep(1000) }
    }
}
