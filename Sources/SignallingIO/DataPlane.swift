import Addressing
import CSignalling
package import Routing
package import SignallingCore
import Synchronization

// How this room works. `DataPlane` binds every socket, one a listener and worker, before any thread runs; the kernel
// spreads datagrams and connections over the sockets of one address by their source and port (SO_REUSEPORT). Each
// `Worker` is one thread with a `SignallingCore`, a timer wheel, connections and buffers of its own (`WorkerLoop`): it
// waits, pins one routing snapshot for the batch, receives up to 64 datagrams a socket or what one connection has,
// fires due timers and sends what came of it. What is for another worker goes through that one's `Mailbox`; status
// changes go through the worker's `TransitionRing` to the one observer thread; counts are published ten times a second.
// Which worker has which connection stands in the `StreamDirectory`. Nothing else is shared, and no worker ever waits
// for anything but its sockets.

/// The signalling of a process: its workers, their sockets, and the way of what they see to the rest.
package final class DataPlane: Sendable {
    /// What was really bound, in the order of the settings, each transport for itself; ports that were left open are
    /// filled in.
    package let listeners: [SignallingSettings.Listener]
    /// How many workers there are.
    package var workerCount: Int { workers.count }

    private enum Phase: Sendable {
        case bound
        case running(workers: [SignallingThread], observer: SignallingThread)
        case stopped
    }

    private let workers: [Worker]
    private let isRealTime: Bool
    private let observer: Observer
    private let onFault: @Sendable (String) -> Void
    private let phase = Mutex(Phase.bound)

    /// Binds everything; no thread runs yet, and what arrives waits in the sockets.
    ///
    /// - Parameter peers: counts the calls of ingress peers.
    /// - Parameter onTransitions: gets status changes, each of which is in the table already, on a thread of its own.
    /// - Parameter onCalls: gets what came of calls, on the same thread.
    /// - Parameter onSightings: gets what attempts showed of gateways that are provisioned elsewhere, on that thread.
    /// - Parameter onFault: gets a line about a worker that can't go on.
    package init(
        settings: DataPlaneSettings, cell: SnapshotCell, table: GatewayInformationTable, peers: PeerTable = PeerTable(),
        onTransitions: @escaping @Sendable ([StatusTransition]) -> Void,
        onCalls: @escaping @Sendable (CallNews) -> Void = { _ in },
        onSightings: @escaping @Sendable ([GatewaySighting]) -> Void = { _ in },
        onFault: @escaping @Sendable (String) -> Void
    ) throws(SocketError) {
        let addressCount = settings.listeners.reduce(0) { $0 + ($1.isAlsoOverTCP ? 2 : 1) }
        guard (1...255).contains(addressCount) else {
            throw SocketError(nil, reason: "\(addressCount) addresses to listen on; 1 to 255 can be")
        }
        let count = settings.effectiveWorkerCount
        var listeners: [SignallingSettings.Listener] = []
        var sockets = Array(repeating: [ListenerSocket](), count: count)
        for listener in settings.listeners {
            try Self.check(listener)
            for first in try ListenerSocket.bind(listener) {
                sockets[0].append(first)
                for worker in 1..<max(1, count) { sockets[worker].append(try first.further()) }
                let (bound, advertised) = (first.bound, listener.advertised ?? first.bound.address)
                listeners.append(
                    .init(
                        role: listener.role, bound: bound,
                        advertised: TransportAddress(bound.transport, advertised, port: bound.port)))
            }
        }
        // A connection is a descriptor, and the usual first limit on those is far below ours on connections. Where the
        // system allows no more, connections past what it allows are refused and counted.
        if listeners.contains(where: { $0.bound.transport == .tcp }) { csig_raise_descriptor_limit() }
        let streamLimits = settings.streams.share(of: count)
        let hasStreams = sockets.contains { $0.contains(where: \.isStream) }
        let directory =
            count > 1 && hasStreams ? StreamDirectory(connectionCount: streamLimits.connectionCount * count) : nil
        var workers: [Worker] = []
        for (number, sockets) in sockets.enumerated() {
            let settings = settings.worker(number, of: count, listeners)
            workers.append(
                try Worker(
                    settings: settings, cell: cell, table: table, peers: peers, sockets: sockets,
                    streamLimits: streamLimits, directory: directory))
        }
        (self.listeners, self.workers, self.onFault) = (listeners, workers, onFault)
        isRealTime = settings.isRealTime
        observer = try Observer(onTransitions, onCalls, onSightings)
    }

    deinit { stop() }

    private static func check(_ listener: DataPlaneSettings.Listener) throws(SocketError) {
        let address = listener.address
        guard !address.address.isUnspecified || listener.advertised.map({ !$0.isUnspecified }) ?? false else {
            throw SocketError(
                address, reason: "every interface is bound, so --advertise must name the address that others reach")
        }
    }

    /// Starts the threads. To be called once; later calls change nothing.
    package func start() throws(SocketError) {
        try phase.withLock { phase throws(SocketError) in
            guard case .bound = phase else { return }
            let (workers, observer, onFault) = (workers, observer, onFault)
            let watching = try SignallingThread(name: "observer") { observer.run(workers) }
            var threads: [SignallingThread] = []
            do throws(SocketError) {
                for worker in workers {
                    threads.append(
                        try SignallingThread(name: "worker-\(worker.settings.worker)", isRealTime: isRealTime) {
                            worker.run(neighbours: workers, observer: observer, onFault: onFault)
                        })
                }
            } catch {
                Self.end(workers, threads, observer, watching)
                phase = .stopped
                throw error
            }
            phase = .running(workers: threads, observer: watching)
        }
    }

    /// From now on new calls are answered 503; what is under way goes on.
    package func beginDraining() {
        for worker in workers {
            worker.isDraining.store(true, ordering: .releasing)
            worker.wakeUp.signal()
        }
    }

    /// True when every worker has heard `beginDraining` and none has a call that looks for a gateway or rings, up to
    /// 100 ms ago.
    package var isDrained: Bool {
        workers.allSatisfy { worker in
            let numbers = worker.published.withLock { $0 }
            return numbers.isDraining && numbers.callCount == 0
        }
    }

    /// How many calls look for a gateway or ring, up to 100 ms ago.
    package var callCount: Int {
        workers.reduce(0) { $0 + $1.published.withLock { $0.callCount } }
    }

    /// How many calls were answered and are not over, up to 100 ms ago.
    package var liveCallCount: Int {
        workers.reduce(0) { $0 + $1.published.withLock { $0.liveCallCount } }
    }

    /// How many transactions and response contexts are alive, probes among them, up to 100 ms ago.
    package var transactionCount: Int {
        workers.reduce(0) { $0 + $1.published.withLock { $0.transactionCount } }
    }

    /// How many connections are open or being opened, up to 100 ms ago.
    package var connectionCount: Int {
        workers.reduce(0) { $0 + $1.published.withLock { $0.connectionCount } }
    }

    /// How many status changes and call records wait for the observer, about.
    package var observationCounts: (transitions: Int, callRecords: Int) {
        workers.reduce((0, 0)) { ($0.0 + $1.transitions.count, $0.1 + $1.calls.count) }
    }

    /// The counts of all workers together, up to 100 ms ago.
    package func counters() -> (signalling: SignallingCounters, io: SignallingIOCounters) {
        var (signalling, io) = (SignallingCounters(), SignallingIOCounters())
        for worker in workers {
            let numbers = worker.published.withLock { $0 }
            signalling.add(numbers.signalling)
            io.add(numbers.io)
        }
        return (signalling, io)
    }

    /// Asks a gateway out of turn; its answer counts as any other. `completion` is called once, from any thread, and
    /// must not block: with the answer, after the predetermined wait of the gateway at the latest, or with `notAsked`
    /// when the gateway has gone or no worker asks any more.
    package func probe(_ slot: GatewaySlot, completion: @escaping @Sendable (ProbeAnswer) -> Void) {
        let isRunning = phase.withLock { phase in
            if case .running = phase { true } else { false }
        }
        guard isRunning, let asker = workers.first, let ticket = observer.desk.open(completion) else {
            completion(ProbeAnswer(ticket: 0, outcome: .notAsked))
            return
        }
        let letter = ProbeLetter(slot: slot, ticket: ticket).bytes
        let nowhere = TransportAddress(.udp, IPAddress(ipv4: 0), port: 0)
        if asker.mailbox.put(.probe, nowhere, ListenerNumber(0), letter.span) {
            asker.wakeUp.signal()
        } else {
            observer.desk.close(ticket)
        }
    }

    /// Ends all threads and returns when they have ended; status changes that were seen are delivered before. The
    /// sockets close when the data plane is let go. Not to be called from `onTransitions` or `onFault`.
    package func stop() {
        phase.withLock { phase in
            if case .running(let threads, let watching) = phase { Self.end(workers, threads, observer, watching) }
            phase = .stopped
        }
    }

    private static func end(
        _ workers: [Worker], _ threads: [SignallingThread], _ observer: Observer, _ watching: SignallingThread
    ) {
        for worker in workers {
            worker.isStopping.store(true, ordering: .releasing)
            worker.wakeUp.signal()
        }
        for thread in threads { thread.join() }
        observer.stop()
        watching.join()
        observer.desk.close()
    }
}
