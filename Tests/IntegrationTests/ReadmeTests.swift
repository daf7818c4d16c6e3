import Foundation
import Testing

extension IntegrationTests {
    /// Whoever types what the README says gets what it promises.
    @Suite(.serialized) struct ReadmeTests {
        private let scripts = ["./deploy/run", "./deploy/test", "./deploy/demo", "./deploy/soak", "./deploy/bench"]

        /// The lines of the blocks marked `sh`, in order.
        private func commands() throws -> [String] {
            let file = TandemProcess.packageRoot.appendingPathComponent("README.md")
            let text = String(decoding: try Data(contentsOf: file), as: UTF8.self)
            return text.components(separatedBy: "\n```").enumerated().filter { $0.offset % 2 == 1 }.map(\.element)
                .filter { $0.hasPrefix("sh\n") }.flatMap { $0.split(separator: "\n").dropFirst().map(String.init) }
        }

        @Test func `every command is one that a test tries`() throws {
            let commands = try commands()
            #expect(commands.filter { $0.hasPrefix("curl -X PUT ") }.count == 7)
            for command in commands {
                let program = command.split(separator: " ").first.map(String.init) ?? ""
                #expect(["curl", "sipp"].contains(program) || scripts.contains(program), "\(command)")
                guard program.hasPrefix("./") else { continue }
                let path = TandemProcess.packageRoot.appendingPathComponent(String(program.dropFirst(2))).path
                #expect(FileManager.default.isExecutableFile(atPath: path), "\(program)")
            }
        }

        @Test(.enabled(if: Sipp.isInstalled, "sipp is not installed (Debian: sip-tester)"))
        func `curl and sipp as typed there do what is said, in that order`() throws {
            try TandemProcess.serving { tandem in
                var left: [ChildProcess] = []
                defer { left.forEach { $0.stop() } }
                let ports = ["5080": "\(try Sipp.freePort())", "5081": "\(try Sipp.freePort())"]
                for (index, command) in try commands().enumerated() where !command.hasPrefix("./") {
                    let child = try ChildProcess(
                        "bash", ["-c", try substituted(command, tandem: tandem, ports: ports)],
                        in: TandemProcess.packageRoot,
                        output: "\(tandem.folder.path)/readme-\(index)")
                    if command.hasSuffix("&") {
                        left.append(child)
                        try waitUntilReady(command, child: child, ports: ports)
                        continue
                    }
                    #expect(try child.waitForEnd(seconds: 30) == .exit(0), "\(command): \(child.output)")
                    if command.contains("/v1/lookup") {
                        let lookup = try Document(child.output)
                        let gateways = lookup["targets"].elements.map { $0["gateway"].string }
                        #expect(gateways == (left.isEmpty ? ["lon1", "lon2"] : ["lon2"]), "\(command)")
                    }
                }
                let status = try tandem.status(of: "lon1")
                #expect(status["status"].string == "out-of-service")
                #expect(status["cause"].string == "no-response")
                let stream = try #require(left.last)
                #expect(stream.output.components(separatedBy: "gateway.status.changed").count >= 2)
            }
        }

        /// The addresses of this test's server and gateways in place of the defaults. What is left running becomes the
        /// shell itself, so that it can be stopped; a curl that is answered a problem fails.
        private func substituted(_ command: String, tandem: TandemProcess, ports: [String: String]) throws -> String {
            var text = command.replacingOccurrences(of: "localhost:8080", with: tandem.api)
                .replacingOccurrences(of: "127.0.0.1:5060", with: tandem.proxy)
                .replacingOccurrences(of: "127.0.0.1:5070", with: tandem.redirect)
            for (usual, port) in ports {
                text = text.replacingOccurrences(of: "127.0.0.1:\(usual)", with: "127.0.0.1:\(port)")
                    .replacingOccurrences(of: "-p \(usual)", with: "-p \(port)")
            }
            if text.hasPrefix("curl ") { text = "curl -sS --fail-with-body" + text.dropFirst(4) }
            if text.hasPrefix("sipp "), !text.hasSuffix("&") { text += " -p \(try Sipp.freePort())" }
            return text.hasSuffix("&") ? "exec \(text.dropLast())" : text
        }

        private func waitUntilReady(_ command: String, child: ChildProcess, ports: [String: String]) throws {
            guard let usual = ports.keys.first(where: { command.contains("-p \($0)") }), let port = ports[usual] else {
                #expect(child.ending == nil, "\(command): \(child.output)")
                return
            }
            let entry = String(format: ":%04X ", Int(port) ?? 0)
            let isBound = eventually(within: 10) { Sipp.text(at: "/proc/net/udp").contains(entry) }
            #expect(isBound && child.ending == nil, "\(command): \(child.output)")
        }
    }
}
