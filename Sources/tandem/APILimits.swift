import ArgumentParser
import HTTPAPI

/// The limits of API section 9, each a setting of `tandem serve`.
struct APILimits: ParsableArguments {
    /// The names, for the environment.
    static let flags = [
        "api-header-limit-bytes", "api-body-limit-bytes", "api-bulk-limit-bytes", "api-headers-timeout-s",
        "api-body-timeout-s", "api-least-bytes-per-s",
        "api-connections", "api-connections-per-address", "api-event-streams",
    ]

    @Option(help: Self.help("How long request line and header fields may be: 431.", "bytes", 1024...65536))
    var apiHeaderLimitBytes = 16 * 1024
    @Option(help: Self.help("How long a body may be that is no bulk: 413.", "bytes", 1024...(64 << 20)))
    var apiBodyLimitBytes = 1024 * 1024
    @Option(help: Self.help("How long the body of a bulk may be: 413.", "bytes", 1024...(64 << 30)))
    var apiBulkLimitBytes = 2 << 30
    @Option(help: Self.help("How soon header fields must have come: 408.", "seconds", 1...600))
    var apiHeadersTimeoutS = 10
    @Option(help: Self.help("How soon a body must have come and an answer been read: 408.", "seconds", 1...3600))
    var apiBodyTimeoutS = 60
    @Option(
        help: Self.help(
            "How fast a bulk must come and a large answer be read, beyond that time: 408.", "bytes", 1...(1 << 30)))
    var apiLeastBytesPerS = 1024
    @Option(help: Self.help("How many connections there may be.", "number", 1...10_000))
    var apiConnections = 256
    @Option(help: Self.help("How many connections there may be from one address.", "number", 1...10_000))
    var apiConnectionsPerAddress = 64
    @Option(help: Self.help("How many event streams there may be: 429.", "number", 0...10_000))
    var apiEventStreams = 64

    func validate() throws {
        try check("--api-header-limit-bytes", apiHeaderLimitBytes, 1024...65536)
        try check("--api-body-limit-bytes", apiBodyLimitBytes, 1024...(64 << 20))
        try check("--api-bulk-limit-bytes", apiBulkLimitBytes, 1024...(64 << 30))
        try check("--api-least-bytes-per-s", apiLeastBytesPerS, 1...(1 << 30))
        try check("--api-headers-timeout-s", apiHeadersTimeoutS, 1...600)
        try check("--api-body-timeout-s", apiBodyTimeoutS, 1...3600)
        try check("--api-connections", apiConnections, 1...10_000)
        try check("--api-connections-per-address", apiConnectionsPerAddress, 1...10_000)
        try check("--api-event-streams", apiEventStreams, 0...10_000)
    }

    /// Puts the limits into force.
    func apply(to settings: inout HTTPSettings) {
        settings.headerLimitBytes = apiHeaderLimitBytes
        settings.bodyLimitBytes = apiBodyLimitBytes
        settings.bulkLimitBytes = apiBulkLimitBytes
        settings.leastBytesPerSecond = Int64(apiLeastBytesPerS)
        settings.headersTimeoutSeconds = UInt32(clamping: apiHeadersTimeoutS)
        settings.bodyTimeout = .seconds(apiBodyTimeoutS)
        settings.connectionLimitCount = UInt32(clamping: apiConnections)
        settings.connectionsPerAddressLimitCount = UInt32(clamping: apiConnectionsPerAddress)
        settings.eventStreamLimitCount = apiEventStreams
    }

    private func check(_ flag: String, _ value: Int, _ range: ClosedRange<Int>) throws(ValidationError) {
        guard range.contains(value) else {
            throw ValidationError("\(flag) \(value): a whole number of \(range) is accepted")
        }
    }

    private static func help(_ text: String, _ value: String, _ range: ClosedRange<Int>) -> ArgumentHelp {
        ArgumentHelp("\(text) \(range.lowerBound)...\(range.upperBound).", valueName: value)
    }
}
