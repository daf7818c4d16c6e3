import Addressing
import ArgumentParser
import HTTPAPI
import Logging
import SignallingIO

/// `tandem serve`.
struct ServeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve", abstract: "Serve the API, the SIP proxy and the SIP redirect server until SIGTERM.",
        discussion: """
            Every setting can also stand in the environment: --log-level is TANDEM_LOG_LEVEL. A flag wins. \
            TANDEM_PROXY, TANDEM_REDIRECT and TANDEM_API_NAME may hold several with commas between. Port 0 is any free \
            port: the lines 'listening' of the log name what was bound. SIGTERM lets calls under way find their \
            gateway, then ends.
            """)

    @Option(help: "The database file; made when it is missing.")
    var database = "tandem.db"
    @Option(
        help: ArgumentHelp(
            "Where the API listens. (default: \(APIAddress.standard))", valueName: "address:port"),
        transform: APIAddress.init(setting:))
    var api = APIAddress.standard
    @Option(
        help: ArgumentHelp(
            "Where the proxy listens, over UDP and TCP; udp: or tcp: before it: over that alone. May be given several "
                + "times. (default: \(SIPAddress.standardProxy))",
            valueName: "address:port"), transform: SIPAddress.init(setting:))
    var proxy: [SIPAddress] = []
    @Option(
        help: ArgumentHelp(
            "Where the redirect server listens, as the proxy. (default: \(SIPAddress.standardRedirect))",
            valueName: "address:port"), transform: SIPAddress.init(setting:))
    var redirect: [SIPAddress] = []
    @Option(
        help: ArgumentHelp(
            "The IP address that stands in our Via and Record-Route; the bound one by default.", valueName: "address"),
        transform: AdvertisedAddress.init(setting:))
    var advertise: AdvertisedAddress?
    @Option(
        help: ArgumentHelp("How many signalling workers, 1...64; one a processor by default.", valueName: "number"),
        transform: ServeCommand.workerCount(setting:))
    var workers: Int?
    @Option(
        help: ArgumentHelp(
            "real-time: calls come before all else on a processor, reads of the API too. It needs CAP_SYS_NICE or a "
                + "limit RLIMIT_RTPRIO of 1 or more. Workers that never rest leave the API what the kernel keeps back "
                + "from real-time threads, 5 % usually.", valueName: "priority"))
    var workerPriority = WorkerPriority.normal
    @Option(
        help: ArgumentHelp(
            "A file that holds the admin's token and that only its owner can read: requests then need a token. Without "
                + "it the API listens on loopback addresses only, and needs none.", valueName: "file"))
    var adminTokenFile: String?
    @Option(
        help: ArgumentHelp(
            "PEM: the API's certificate, then those that issued it. It is then served over TLS alone. Read again at "
                + "SIGHUP.", valueName: "file"))
    var apiCertificate: String?
    @Option(
        help: ArgumentHelp(
            "PEM: the certificate's key, without a password, in a file that only its owner can read.", valueName: "file"
        ))
    var apiKey: String?
    @Option(
        help: ArgumentHelp(
            "A further name by which clients reach the API, without a port: requests whose Host is none of ours are "
                + "refused. May be given several times.", valueName: "host"))
    var apiName: [String] = []
    @Option(
        help: ArgumentHelp(
            "How soon after a change the copy beside the database (FILE-good) is renewed, 0...86400; 0: none is kept. "
                + "Calls and reads go on from it when the database is found damaged at start.",
            valueName: "seconds"))
    var goodCopyS = 60
    @OptionGroup(title: "Limits of the API")
    var limits: APILimits
    @Option(
        help: ArgumentHelp("The least that is logged: \(logLevels). (default: info)", valueName: "level"),
        transform: ServeCommand.logLevel(setting:))
    var logLevel = Logger.Level.info
    @Option(help: ArgumentHelp("How the log is written, on standard error.", valueName: "format"))
    var logFormat = LogFormat.text

    func validate() throws {
        guard (apiCertificate == nil) == (apiKey == nil) else {
            throw ValidationError("--api-certificate and --api-key belong together: give both or none")
        }
        guard (0...86_400).contains(goodCopyS) else {
            throw ValidationError("--good-copy-s \(goodCopyS): a whole number of 0...86400 is accepted")
        }
        if let name = apiName.first(where: { !Self.isHost($0) }) {
            throw ValidationError(
                "--api-name \(name.debugDescription): a host name or an IP address is accepted, without a port")
        }
        guard api.address.address.isLoopback || adminTokenFile != nil else {
            throw ValidationError(
                "--api \(api): an API that others can reach needs --admin-token-file; or use a loopback address")
        }
    }

    /// Both files or none.
    private var certificateFiles: CertificateFiles? {
        guard let apiCertificate, let apiKey else { return nil }
        return CertificateFiles(certificate: apiCertificate, key: apiKey)
    }

    func run() throws {
        LineLogHandler.bootstrap(level: logLevel, format: logFormat)
        var http = HTTPSettings(address: api.address.address, port: api.address.port)
        http.version = Tandem.version
        http.hostNames = Set(apiName.map { $0.lowercased() })
        http.needsToken = adminTokenFile != nil
        limits.apply(to: &http)
        let settings = ServerSettings(
            databasePath: database, api: http,
            proxies: proxy.isEmpty ? [.standardProxy] : proxy,
            redirects: redirect.isEmpty ? [.standardRedirect] : redirect,
            advertise: advertise?.address, workerCount: workers,
            workerPriority: workerPriority, adminTokenFile: adminTokenFile, certificateFiles: certificateFiles,
            goodCopyInterval: goodCopyS == 0 ? nil : .seconds(goodCopyS))
        try Server.run(settings)
    }

    /// True for what can stand in `Host` before the port: labels of letters, digits, `-` and `_` with dots between.
    private static func isHost(_ name: String) -> Bool {
        if IPAddress(name) != nil { return true }
        let labels = name.split(separator: ".", omittingEmptySubsequences: false)
        return name.utf8.count <= 253
            && labels.allSatisfy { label in
                (1...63).contains(label.utf8.count)
                    && label.unicodeScalars.allSatisfy { scalar in
                        scalar.isASCII
                            && (scalar.properties.isAlphabetic || ("0"..."9").contains(scalar)
                                || scalar == "-" || scalar == "_")
                    }
            }
    }

    private static func workerCount(setting text: String) throws(ValidationError) -> Int {
        let possible = 1...DataPlaneSettings.workerLimitCount
        guard let count = Int(text), possible.contains(count) else {
            throw ValidationError("a whole number of \(possible) is accepted")
        }
        return count
    }

    private static let logLevels = Logger.Level.allCases.map(\.rawValue).joined(separator: ", ")

    private static func logLevel(setting text: String) throws(ValidationError) -> Logger.Level {
        guard let level = Logger.Level(rawValue: text) else {
            throw ValidationError("one of \(logLevels) is accepted")
        }
        return level
    }
}

/// Who comes first on a processor that a worker shares with other threads.
enum WorkerPriority: String, ExpressibleByArgument, CaseIterable { case normal, realTime = "real-time" }

/// How a line of the log looks.
enum LogFormat: String, ExpressibleByArgument, CaseIterable { case text, json }
