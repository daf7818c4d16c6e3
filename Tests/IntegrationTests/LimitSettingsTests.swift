import Foundation
import Testing

extension IntegrationTests {
    /// The limits of API section 9 as settings: flags and the environment.
    @Suite(.serialized) struct LimitSettingsTests {
        private let flags = [
            "--api-header-limit-bytes", "--api-body-limit-bytes", "--api-headers-timeout-s", "--api-body-timeout-s",
            "--api-connections", "--api-connections-per-address", "--api-event-streams",
        ]

        private func expect(
            _ answer: CurlAnswer, _ status: Int, names flag: String, sourceLocation: SourceLocation = #_sourceLocation
        ) throws {
            #expect(answer.status == status, "\(answer.body)", sourceLocation: sourceLocation)
            #expect(
                try answer.document["detail"].string?.contains(flag) == true, "\(answer.body)",
                sourceLocation: sourceLocation)
        }

        @Test func `each limit is in force, and the refusal names its setting`() throws {
            let arguments = [
                "--api-header-limit-bytes", "2048", "--api-body-limit-bytes", "2000", "--api-headers-timeout-s", "1",
                "--api-body-timeout-s", "1", "--api-event-streams", "1",
            ]
            try TandemProcess.serving(arguments) { tandem in
                let long = String(repeating: "x", count: 3000)
                try expect(
                    try tandem.get("/v1/gateways", ["-H", "X-Long: \(long)"]), 431, names: "--api-header-limit-bytes")
                try expect(try tandem.put("gateways/a", long), 413, names: "--api-body-limit-bytes")
                // curl announces more than it sends, and waits.
                let slow = try Curl.ask(
                    "http://\(tandem.api)/v1/gateways/a",
                    ["-X", "PUT", "-H", "Content-Length: 100", "-d", "{", "--max-time", "14"])
                try expect(slow, 408, names: "--api-body-timeout-s")
                let stream = try EventStream(tandem, query: "?after=0", file: "stream")
                defer { stream.stop() }
                _ = try stream.wait(for: 1, seconds: 10)
                try expect(
                    try tandem.get("/v1/events", ["-H", "Accept: text/event-stream"]), 429,
                    names: "--api-event-streams")
                let silent = try HTTPConnection(port: tandem.apiPort)
                try expect(try silent.answer(), 408, names: "--api-headers-timeout-s")
            }
        }

        @Test(arguments: ["--api-connections", "--api-connections-per-address"])
        func `more connections than there may be are refused`(flag: String) throws {
            try TandemProcess.serving([flag, "2"]) { tandem in
                let streams = try (0..<2).map { try EventStream(tandem, query: "?after=0", file: "stream\($0)") }
                defer { streams.forEach { $0.stop() } }
                for stream in streams { _ = try stream.wait(for: 1, seconds: 10) }
                try expect(try HTTPConnection(port: tandem.apiPort).answer(), 429, names: "(\(flag))")
            }
        }

        @Test func `every limit can stand in the environment, and the help names it`() throws {
            let help = try ChildProcess.run(try TandemProcess.binary(), ["serve", "--help"]).output
            for flag in flags {
                #expect(help.contains(flag), "\(flag)")
                let variable = "TANDEM_" + flag.dropFirst(2).uppercased().replacingOccurrences(of: "-", with: "_")
                try withTemporaryFolder { folder in
                    let process = try ChildProcess(
                        try TandemProcess.binary(), ["serve", "--database", "x.db"], in: folder, output: "log",
                        environment: [variable: "none"])
                    defer { process.stop() }
                    #expect(try process.waitForEnd(seconds: 20) == .exit(2))
                    #expect(process.output.contains(flag), "\(variable): \(process.output)")
                }
            }
        }
    }
}
