import Addressing
import ControlPlane
import Foundation
import HTTPAPI
import HTTPClient
import Logging
import NetworkManager
import Routing
import SIPTransaction
import SignallingCore
import SignallingIO
import Store
import Synchronization
import Time

/// What `tandem serve` was asked for.
struct ServerSettings: Sendable {
    let databasePath: String
    let api: HTTPSettings
    let proxies: [SIPAddress]
    let redirects: [SIPAddress]
    let advertise: IPAddress?
    let workerCount: Int?
    let workerPriority: WorkerPriority
    let adminTokenFile: String?
    let certificateFiles: CertificateFiles?
    /// How soon the good copy is renewed at the earliest; nil: none is kept.
    let goodCopyInterval: Duration?

    /// What is advertised is of one protocol, and means nothing on a listener of the other.
    func listener(
        _ role: SignallingSettings.Role, _ setting: SIPAddress
    ) -> DataPlaneSettings.Listener {
        let isSpoken = advertise?.family == setting.address.address.family
        return .init(
            role: role, address: setting.address, isAlsoOverTCP: setting.isAlsoOverTCP,
            advertised: isSpoken ? advertise : nil)
    }

    /// The line about a socket that can't be had, with the setting that asked for its address.
    func failure(_ error: SocketError) -> Failure {
        let wanted = error.address?.hostPort
        let isOfProxy = proxies.contains { $0.address.hostPort == wanted }
        let isOfRedirect = redirects.contains { $0.address.hostPort == wanted }
        return .setting("\(isOfProxy ? "--proxy " : isOfRedirect ? "--redirect " : "")\(error)")
    }
}

/// The running process: both planes, wired.
final class Server: Sendable {
    /// How long a drain waits for calls that still look for a gateway or ring.
    private static let drainLimit = Duration.seconds(10)

    private let log = Logger(label: "tandem")
    private let clock = SystemClock()
    private let store: Store
    private let controlPlane: ControlPlane
    private let dataPlane: DataPlane
    private let http: HTTPServer
    private let outgoing: HTTPClient
    private let reports: SightingReports
    private let sweeper: Sweeper
    private let goodCopies: GoodCopies?
    private let phase: Phase
    private let settings: ServerSettings

    /// Serves until SIGTERM or SIGINT, drains and returns.
    static func run(_ settings: ServerSettings) throws {
        let signals = Signals()  // before any thread begins, so that all of them leave signals to this one
        let server = try Server(settings)
        try server.start()
        signals.wait { server.reopen() }
        server.drain(signals)
        server.stop()
    }

    /// Opens and binds everything; nothing is answered before `start`.
    private init(_ settings: ServerSettings) throws {
        let log = self.log
        self.settings = settings
        let adminToken = try settings.adminTokenFile.map { (path) throws(Failure) in try AdminTokenFile.token(in: path)
        }
        let identity = try settings.certificateFiles.map { (files) throws(Failure) in try files.read() }
        do {
            store = try Store.open(path: settings.databasePath, node: "local", at: clock.wallTime)
            controlPlane = try ControlPlane(store: store, changeLog: nil, clock: clock)
            controlPlane.tokens.setFileToken(adminToken)
            let (networkManager, peers) = (controlPlane.networkManager, controlPlane.peers)
            networkManager.onChange { Self.write($0, to: log) }
            outgoing = HTTPClient(userAgent: "Tandem/\(Tandem.version)", clock: clock)
            reports = SightingReports(
                table: controlPlane.table, clock: clock, post: { [outgoing] in outgoing.post($0, whenDone: $1) },
                tell: { ApartLog.writeReports(isWell: $0, $1, to: log) })
            var signalling = DataPlaneSettings(
                listeners: settings.proxies.map { settings.listener(.proxy, $0) }
                    + settings.redirects.map { settings.listener(.redirect, $0) },
                routeSecret: try Self.routeSecret(of: store), serverName: "Tandem/\(Tandem.version)")
            signalling.workerCount = settings.workerCount
            signalling.isRealTime = settings.workerPriority == .realTime
            dataPlane = try DataPlane(
                settings: signalling, cell: controlPlane.snapshots, table: controlPlane.table, peers: peers,
                onTransitions: { [controlPlane, clock] in
                    networkManager.receive($0)
                    ApartLog.writeRedirectServers($0, of: controlPlane.snapshots, clock: clock, to: log)
                },
                onCalls: { [controlPlane] in
                    networkManager.callLog.keep(controlPlane.settings.callRecordLimitCount)
                    networkManager.callLog.receive($0)
                },
                onSightings: { [controlPlane, reports] in
                    reports.follow(controlPlane.settings.reportDirection)
                    reports.receive($0)
                },
                onFault: { log.critical("a worker can't go on", metadata: ["fault": "\($0)"]) })
        } catch let error as StoreError {
            throw Failure.setting("--database \(error.detail)")
        } catch let error as SocketError {
            throw settings.failure(error)
        }
        sweeper = Sweeper { [controlPlane, reports] in
            controlPlane.networkManager.sweep()
            reports.follow(controlPlane.settings.reportDirection)
        }
        if let interval = settings.goodCopyInterval, store.refusal == nil {
            goodCopies = GoodCopies(of: store, every: interval, clock: clock) { Self.write($0, to: log) }
        } else {
            goodCopies = nil
        }
        let phase = Phase()
        self.phase = phase
        var surroundings = HTTPSurroundings()
        surroundings.readiness = { phase.reasonsNotReady }
        surroundings.metrics = { [dataPlane, controlPlane, reports] in
            ProcessMetrics.write(of: dataPlane, into: &$0)
            ProcessMetrics.write(of: controlPlane, reports, into: &$0)
        }
        surroundings.probe = { [dataPlane] slot, tell in
            dataPlane.probe(slot) { tell(ProbeOutcome($0)) }
        }
        CallRecords.serve(controlPlane.networkManager.callLog, in: &surroundings)
        surroundings.log = { level, message, fields in Self.write(level, message, fields, to: log) }
        surroundings.isLogged = { Self.level(of: $0) >= log.logLevel }
        var api = settings.api
        api.tlsIdentity = identity
        http = HTTPServer(settings: api, controlPlane: controlPlane, clock: clock, surroundings: surroundings)
        if let identity { noteEnd(of: identity) }
    }

    private static func write(_ change: StatusChange, to log: Logger) {
        var metadata: Logger.Metadata = [
            "gateway": "\(change.gateway)", "status": "\(change.to.rawValue)", "cause": "\(change.cause.name)",
            "reporter": "\(change.reporter)",
        ]
        if let time = change.timeValue { metadata["time_value"] = "\(time.rfc3339)" }
        if let status = change.sipStatus { metadata["sip_status"] = "\(status)" }
        if let callID = change.callID { metadata["call_id"] = "\(callID)" }
        log.log(level: change.to == .outOfService ? .warning : .notice, "gateway status changed", metadata: metadata)
    }

    private static func write(_ outcome: GoodCopies.Outcome, to log: Logger) {
        switch outcome {
        case .renewed(let revision):
            log.debug("the good copy of the database is renewed", metadata: ["revision": "\(revision)"])
        case .failed(let reason):
            log.warning("the good copy of the database is not renewed", metadata: ["reason": "\(reason)"])
        }
    }

    private static func level(of level: HTTPLogLevel) -> Logger.Level {
        switch level {
        case .debug: .debug
        case .info: .info
        case .warning: .warning
        case .error: .error
        }
    }

    private static func write(
        _ level: HTTPLogLevel, _ message: String, _ fields: [(name: String, value: String)], to log: Logger
    ) {
        let level = Self.level(of: level)
        guard level >= log.logLevel else { return }
        var metadata = Logger.Metadata()
        for field in fields { metadata[field.name] = "\(field.value)" }
        log.log(level: level, "\(message)", metadata: metadata)
    }

    /// The API first, since a port in use is found there; it answers 503 to `/readyz` until calls are taken.
    private func start() throws {
        do {
            try http.start()
            try dataPlane.start()
        } catch let error as HTTPServerError {
            store.close()
            throw Failure.setting("--api \(error.description)")
        } catch let error as SocketError {
            throw settings.failure(error)
        }
        controlPlane.start(version: Tandem.version)
        outgoing.start()
        let proxy = dataPlane.listeners.first { $0.role == .proxy }
        reports.start(as: proxy?.advertised.hostPort ?? controlPlane.node)
        if let refusal = store.refusal {
            // What webhooks are sent can't be noted either: they would get it again and again.
            log.critical("the database is damaged; no change is taken", metadata: ["reason": "\(refusal)"])
        } else {
            controlPlane.beginDeliveries(
                post: { [outgoing] in outgoing.post($0, whenDone: $1) },
                fault: { [log] in log.error("events for webhooks can't be read", metadata: ["reason": "\($0)"]) })
        }
        sweeper.start()
        goodCopies?.start()
        phase.set(.serving)
        let api = http.boundAddress.map(\.hostPort) ?? ""
        log.info("listening", metadata: ["role": "api", "address": "\(api)"])
        for listener in dataPlane.listeners {
            log.info("listening", metadata: ["role": "\(listener.role.rawValue)", "address": "\(listener.bound)"])
        }
        if !settings.api.address.isLoopback, settings.certificateFiles == nil {
            log.warning("the API is served without TLS: tokens can be read on the way", metadata: ["address": "\(api)"])
        }
        if settings.adminTokenFile == nil {
            log.notice(
                "no token is asked for on this loopback address: all who can log in here can change routing",
                metadata: ["address": "\(api)"])
        }
        log.info(
            "serving",
            metadata: [
                "version": "\(Tandem.version)", "revision": "\(controlPlane.revision)",
                "workers": "\(dataPlane.workerCount)",
            ])
    }

    /// SIGHUP: reads again what may have been replaced. What can't be read stays as it was.
    private func reopen() {
        log.notice("nothing to reopen of the log: it goes to standard error")
        if let path = settings.adminTokenFile {
            do throws(Failure) {
                controlPlane.tokens.setFileToken(try AdminTokenFile.token(in: path))
                log.notice("the admin's token is read again", metadata: ["file": "\(path)"])
            } catch {
                log.error("the admin's token stays as it was", metadata: ["reason": "\(error.line)"])
            }
        }
        guard let files = settings.certificateFiles else { return }
        do throws(Failure) {
            let identity = try files.read()
            http.show(identity)
            log.notice("the certificate is read again", metadata: ["file": "\(files.certificate)"])
            noteEnd(of: identity)
        } catch {
            log.error("the certificate stays as it was", metadata: ["reason": "\(error.line)"])
        }
    }

    private func noteEnd(of identity: TLSIdentity) {
        let isPast = identity.expiresAt <= clock.wallTime
        log.log(
            level: isPast ? .error : .info,
            isPast ? "the API's certificate has ended: clients refuse it" : "the API is served over TLS",
            metadata: ["certificate_ends": "\(identity.expiresAt.rfc3339)"])
    }

    /// Takes no new calls and waits for those that still look for a gateway or ring, for `drainLimit` or until told
    /// again to end.
    private func drain(_ signals: Signals) {
        log.info("draining", metadata: ["calls": "\(dataPlane.callCount)"])
        phase.set(.draining)
        dataPlane.beginDraining()
        let end = clock.now + Self.drainLimit
        // A quarter of a second at least: what was received before the signal is counted by then.
        var wasTold = signals.cameWithin(milliseconds: 250)
        while !wasTold, !dataPlane.isDrained, clock.now < end { wasTold = signals.cameWithin(milliseconds: 50) }
        if dataPlane.callCount > 0 {
            log.warning("calls are given up at the end of the drain", metadata: ["calls": "\(dataPlane.callCount)"])
        }
    }

    /// Ends everything, those that feed others first, so that the last status change is stored too.
    private func stop() {
        dataPlane.stop()
        sweeper.stop()
        goodCopies?.stop()
        http.stop()
        controlPlane.endDeliveries()
        reports.stop()
        outgoing.stop()
        controlPlane.stop()
        store.close()
        log.info("ended", metadata: ["revision": "\(controlPlane.revision)"])
    }

    /// The key of the marks in our Record-Route, so that dialogs outlive a restart.
    private static func routeSecret(of store: Store) throws -> KeyedHash.Key {
        let bytes = try store.secret(named: "route", byteCount: 16)
        func word(_ bytes: some Sequence<UInt8>) -> UInt64 { bytes.reduce(0) { $0 << 8 | UInt64($1) } }
        return KeyedHash.Key(word(bytes.prefix(8)), word(bytes.dropFirst(8)))
    }
}

extension ProbeOutcome {
    /// Nil: no question was asked.
    fileprivate init?(_ answer: ProbeAnswer) {
        var (sipStatus, isTransportError): (Int?, Bool) = (nil, false)
        switch answer.outcome {
        case .answered(let status): sipStatus = status
        case .noResponse: break
        case .transportError: isTransportError = true
        case .notAsked: return nil
        }
        self.init(
            sipStatus: sipStatus, isTransportError: isTransportError, roundTrip: answer.roundTrip,
            isAcknowledged: answer.isAcknowledged, isChange: answer.change != nil)
    }
}
