import Addressing
import ArgumentParser
import Logging

/// `tandem serve`.
struct ServeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve", abstract: "Serve the API, the SIP proxy and the SIP redirect server until SIGTERM.")

    @Option(help: "The database file; made when it is missing.")
    var database = "tandem.db"
    @Option(help: ArgumentHelp("Where the API listens.", valueName: "address:port"))
    var api = APIAddress.standard
    @Option(
        help: ArgumentHelp("Where the proxy listens; may be given several times.", valueName: "udp:address:port"),
        transform: SIPAddress.parse)
    var proxy: [SIPAddress] = []
    @Option(
        help: ArgumentHelp(
            "Where the redirect server listens; may be given several times.", valueName: "udp:address:port"),
        transform: SIPAddress.parse)
    var redirect: [SIPAddress] = []
    @Option(help: "The IP address that stands in our Via and Record-Route; the bound one by default.")
    var advertise: AdvertisedAddress?
    @Option(help: "How many signalling workers, 1...64; one a processor by default.")
    var workers: Int?
    @Option(help: "trace, debug, info, notice, warning, error or critical.")
    var logLevel = LogLevel(level: .info)
    @Option(help: "text or json.")
    var logFormat = LogFormat.text

    func validate() throws {
        if let workers, !(1...64).contains(workers) {
            throw ValidationError("--workers \(workers): 1...64 are possible")
        }
        guard api.address.address.isLoopback else {
            throw ValidationError(
                "--api \(api.address.hostPort): an API that others can reach needs --admin-token-file, which is "
                    + "not built yet in this version; use a loopback address")
        }
    }

    func run() throws {
        LineLogHandler.bootstrap(level: logLevel.level, format: logFormat)
        let settings = ServerSettings(
            databasePath: database, api: api.address,
            proxies: proxy.isEmpty ? [.standardProxy] : proxy.map(\.address),
            redirects: redirect.isEmpty ? [.standardRedirect] : redirect.map(\.address),
            advertise: advertise?.address, workerCount: workers)
        try Server.run(settings)
    }
}

/// `127.0.0.1:8080`, `[::1]:8080`, `localhost:8080`; port 0 means any free one.
struct APIAddress: ExpressibleByArgument {
    let address: TransportAddress

    static let standard = APIAddress(TransportAddress(.tcp, IPAddress(ipv4: 0x7F00_0001), port: 8080))

    private init(_ address: TransportAddress) { self.address = address }

    init?(argument: String) {
        let text = argument.hasPrefix("localhost:") ? "127.0.0.1" + argument.dropFirst(9) : argument
        guard let address = TransportAddress(.tcp, hostPort: text) else { return nil }
        self.init(address)
    }

    var defaultValueDescription: String { address.hostPort }
}

/// `udp:127.0.0.1:5060`, `udp:[::1]:5060`; port 0 means any free one.
struct SIPAddress {
    let address: TransportAddress

    @Sendable
    static func parse(_ argument: String) throws -> SIPAddress {
        let parts = argument.split(separator: ":", maxSplits: 1)
        if let transport = parts.first, ["tcp", "tls", "ws", "wss", "sctp"].contains(transport) {
            throw ValidationError("\(argument): \(transport) is not built yet in this version; use udp:ADDRESS:PORT")
        }
        guard parts.count == 2, parts[0] == "udp", let address = TransportAddress(.udp, hostPort: String(parts[1]))
        else {
            throw ValidationError("\(argument): needed is udp:ADDRESS:PORT, such as udp:127.0.0.1:5060")
        }
        return SIPAddress(address: address)
    }
}

extension TransportAddress {
    fileprivate static let standardProxy = TransportAddress(.udp, IPAddress(ipv4: 0x7F00_0001), port: 5060)
    fileprivate static let standardRedirect = TransportAddress(.udp, IPAddress(ipv4: 0x7F00_0001), port: 5070)

    /// Reads `192.0.2.10:5060` and `[2001:db8::1]:5060`.
    fileprivate init?(_ transport: Transport, hostPort text: String) {
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]) else {
            return nil
        }
        var host = text[..<colon]
        let isBracketed = host.hasPrefix("[") && host.hasSuffix("]") && host.count > 2
        if isBracketed { host = host.dropFirst().dropLast() }
        guard let address = IPAddress(host), isBracketed == (address.family == .ipv6) else { return nil }
        self.init(transport, address, port: port)
    }
}

/// An IP address that peers can reach.
struct AdvertisedAddress: ExpressibleByArgument {
    let address: IPAddress

    init?(argument: String) {
        guard let address = IPAddress(argument), !address.isUnspecified else { return nil }
        self.address = address
    }
}

/// A level of the log.
struct LogLevel: ExpressibleByArgument {
    let level: Logger.Level

    init(level: Logger.Level) { self.level = level }

    init?(argument: String) {
        guard let level = Logger.Level(rawValue: argument) else { return nil }
        self.init(level: level)
    }

    var defaultValueDescription: String { level.rawValue }
    static var allValueStrings: [String] { Logger.Level.allCases.map(\.rawValue) }
}

/// How a line of the log looks.
enum LogFormat: String, ExpressibleByArgument, CaseIterable { case text, json }
