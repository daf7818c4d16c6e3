// swift-tools-version: 6.2
import PackageDescription

// The house: one target a room, imports run down DESIGN's table and never back. Whether each file keeps to the
// dependencies that its target names here is checked by Tests/TidyTests, since SwiftPM lets an import slip through once
// another target has built the module.

/// Every target of ours: Swift 6 mode (strict concurrency) comes with the tools version.
let ours: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

let package = Package(
    name: "tandem",
    products: [
        .executable(name: "tandem", targets: ["tandem"])
    ],
    dependencies: [
        // SQLite: migrations, one writing connection and read-only readers, on the system's library.
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        // The command line: the help, the checks and the spelling of flags that users know.
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        // Structured logs behind the interface that every Swift server library speaks.
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        // SHA-256 of the change log's chain; HMAC and tokens follow it.
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
    ],
    targets: [
        // Values that both sides share: points in time (no clock), addresses (no socket).
        .target(name: "Time", swiftSettings: ours),
        .target(name: "Addressing", swiftSettings: ours),
        // JSON as a value: what stored objects, events and the API are written in.
        .target(name: "JSON", swiftSettings: ours),

        // Memory in large pieces, for the tables of Routing.
        .target(name: "CMemory"),

        // The protocol cores: no I/O, no clock, no thread, no random source of their own.
        .target(name: "SIPMessage", dependencies: ["Addressing"], swiftSettings: ours),
        .target(name: "Routing", dependencies: ["Time", "Addressing", "CMemory"], swiftSettings: ours),
        .target(name: "SIPTransaction", dependencies: ["SIPMessage", "Time"], swiftSettings: ours),
        .target(name: "Redirect", dependencies: ["SIPMessage", "Routing", "Time", "Addressing"], swiftSettings: ours),
        .target(
            name: "Proxy", dependencies: ["SIPMessage", "SIPTransaction", "Routing", "Time", "Addressing"],
            swiftSettings: ours),
        .target(
            name: "Probing", dependencies: ["SIPMessage", "SIPTransaction", "Routing", "Time", "Addressing"],
            swiftSettings: ours),
        .target(
            name: "SignallingCore",
            dependencies: [
                "SIPMessage", "SIPTransaction", "Routing", "Redirect", "Proxy", "Probing", "Time", "Addressing",
                "CMemory",
            ],
            swiftSettings: ours),

        // Where signalling touches the kernel.
        .target(name: "CSignalling"),
        .target(
            name: "SignallingIO",
            dependencies: [
                "SignallingCore", "SIPMessage", "SIPTransaction", "Probing", "Routing", "Time", "Addressing",
                "CSignalling", "CMemory",
            ], swiftSettings: ours),

        // Requests to other hosts: webhooks, status reports. Needs libcurl 7.87 or later.
        .systemLibrary(name: "CCurl", pkgConfig: "libcurl", providers: [.apt(["libcurl4-openssl-dev"])]),
        .target(name: "HTTPClient", dependencies: ["CCurl", "Time", "Addressing"], swiftSettings: ours),

        // The control plane.
        .target(
            name: "Store",
            dependencies: [
                "Routing", "JSON", "Time", .product(name: "GRDB", package: "GRDB.swift"),
                // SQLite itself, where GRDB's way to it costs more than what it does: the rows of a bulk.
                .product(name: "GRDBSQLite", package: "GRDB.swift"),
                .product(name: "Crypto", package: "swift-crypto"),
            ], swiftSettings: ours),
        .target(
            name: "NetworkManager",
            dependencies: [
                "Routing", "Store", "HTTPClient", "JSON", "Time", "Addressing",
                .product(name: "Crypto", package: "swift-crypto"),
            ], swiftSettings: ours),
        .target(
            name: "ControlPlane",
            dependencies: [
                "Routing", "Store", "NetworkManager", "HTTPClient", "SIPMessage", "JSON", "Time", "Addressing",
            ],
            swiftSettings: ours),
        .systemLibrary(
            name: "CMicrohttpd", pkgConfig: "libmicrohttpd", providers: [.apt(["libmicrohttpd-dev"])]),
        .target(
            name: "HTTPAPI",
            dependencies: [
                "ControlPlane", "Store", "NetworkManager", "Routing", "JSON", "CMicrohttpd", "Time", "Addressing",
            ],
            // The document that is served is the one that people read: a link into openapi/.
            resources: [.embedInCode("openapi/tandem.yaml"), .embedInCode("page/overview.html")], swiftSettings: ours),

        // The process, and the same cores in a world of our own making.
        .executableTarget(
            name: "tandem",
            dependencies: [
                "HTTPAPI", "ControlPlane", "NetworkManager", "HTTPClient", "Store", "SignallingIO", "SignallingCore",
                "SIPTransaction", "Simulation", "MethodSimulation", "Benchmark", "Routing", "JSON", "Time",
                "Addressing",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
            ], swiftSettings: ours),
        .target(
            name: "Simulation",
            dependencies: [
                "SignallingCore", "SIPTransaction", "SIPMessage", "Probing", "Routing", "Time", "Addressing",
            ], swiftSettings: ours),

        // The simulation with the real network manager in it, which is no protocol core.
        .target(
            name: "MethodSimulation", dependencies: ["Simulation", "NetworkManager", "Store", "Routing", "Time"],
            swiftSettings: ours),

        .target(name: "CInstruments"),
        .target(
            name: "Benchmark",
            dependencies: [
                "SignallingIO", "SignallingCore", "Probing", "SIPTransaction", "SIPMessage", "Routing", "JSON",
                "Time", "Addressing",
                // What a change costs is measured on a real database.
                "ControlPlane", "Store", .product(name: "GRDB", package: "GRDB.swift"),
                // What probing costs, with what looks at the table meanwhile.
                "NetworkManager",
                "CInstruments",
            ], swiftSettings: ours),

        // What the tests of several rooms stand on: a folder, a clock, seeded chance.
        .target(name: "Fixtures", dependencies: ["Routing", "Time"], path: "Tests/Fixtures", swiftSettings: ours),

        // What `deploy/fuzz` links with libFuzzer. Built with everything else, so that it never falls behind.
        .target(
            name: "Fuzzing",
            dependencies: [
                "Simulation", "SignallingCore", "Proxy", "Probing", "SIPTransaction", "SIPMessage", "Routing", "JSON",
                "Time", "Addressing",
            ], path: "Tests/Fuzzing", swiftSettings: ours),

        .testTarget(name: "JSONTests", dependencies: ["JSON"], swiftSettings: ours),
        .testTarget(name: "TimeTests", dependencies: ["Time", "Addressing"], swiftSettings: ours),
        .testTarget(
            name: "SIPMessageTests", dependencies: ["SIPMessage", "Addressing", "Fixtures"], swiftSettings: ours),
        .testTarget(
            name: "SIPTransactionTests", dependencies: ["SIPTransaction", "SIPMessage", "Time"], swiftSettings: ours),
        .testTarget(
            name: "HTTPClientTests", dependencies: ["HTTPClient", "Time", "Addressing", "Fixtures"],
            swiftSettings: ours),
        .testTarget(name: "ProxyTests", dependencies: ["Proxy", "Routing", "Time"], swiftSettings: ours),
        .testTarget(
            name: "RoutingTests", dependencies: ["Routing", "Time", "Addressing", "Fixtures"], swiftSettings: ours),
        .testTarget(
            name: "ProbingTests", dependencies: ["Probing", "Routing", "Time", "Addressing"], swiftSettings: ours),
        .testTarget(
            name: "SignallingCoreTests",
            dependencies: [
                "SignallingCore", "Simulation", "SIPMessage", "Probing", "SIPTransaction", "Routing", "Time",
                "Addressing", "Fixtures",
            ], swiftSettings: ours),
        .testTarget(
            name: "BenchmarkTests",
            dependencies: ["Benchmark", "SignallingIO", "SignallingCore", "JSON", "Time", "Fixtures"],
            swiftSettings: ours),
        .testTarget(
            name: "SignallingIOTests",
            dependencies: [
                "SignallingIO", "SignallingCore", "SIPTransaction", "Probing", "Routing", "Time", "Addressing",
                "CSignalling", "Fixtures",
            ], swiftSettings: ours),
        .testTarget(
            name: "ControlPlaneTests",
            dependencies: [
                "ControlPlane", "NetworkManager", "Store", "Routing", "JSON", "Time", "Addressing", "Fixtures",
            ],
            swiftSettings: ours),
        .testTarget(
            name: "StoreTests",
            dependencies: [
                "Store", "Routing", "JSON", "Time", "Fixtures", .product(name: "GRDB", package: "GRDB.swift"),
            ],
            swiftSettings: ours),
        .testTarget(
            name: "NetworkManagerTests",
            dependencies: [
                "NetworkManager", "HTTPClient", "Store", "Routing", "JSON", "Time", "Addressing", "Fixtures",
            ],
            swiftSettings: ours),
        .testTarget(
            name: "MethodSimulationTests", dependencies: ["MethodSimulation", "Simulation"], swiftSettings: ours),
        .testTarget(
            name: "HTTPAPITests",
            dependencies: [
                "HTTPAPI", "ControlPlane", "NetworkManager", "HTTPClient", "Store", "Routing", "JSON", "Time",
                "Addressing", "Fixtures",
            ],
            swiftSettings: ours),
        // The real binary on free ports, with the programs that users have: curl, sipp.
        .testTarget(name: "IntegrationTests", dependencies: ["tandem", "Fixtures"], swiftSettings: ours),
        // What the code base itself must keep to: import direction, banned words, lengths, documentation.
        .testTarget(name: "TidyTests", swiftSettings: ours),
    ]
)
