import Foundation
import Glibc
import Testing

extension IntegrationTests {
    /// Starting, refusing to start, ending: API section 1.
    @Suite(.serialized) struct LifecycleTests {
        /// The lines that a server says which does not come up, and how it ended.
        private func refused(_ arguments: [String], in folder: URL) throws -> (ending: Ending, lines: [String]) {
            let process = try TandemProcess.launch(arguments, in: folder, output: "refused-\(UUID().uuidString)")
            defer { process.stop() }
            let ending = try process.waitForEnd(seconds: 20)
            return (ending, process.output.split(separator: "\n").map(String.init))
        }

        @Test(arguments: [SIGTERM, SIGINT]) func `a signal to end drains, and the exit code is 0`(signal: Int32) throws
        {
            try TandemProcess.serving { tandem in
                try tandem.provision("gateways/gw1", #"{"uri":"sip:192.0.2.10"}"#)
                let stream = try EventStream(tandem, query: "?after=0", file: "stream")
                defer { stream.stop() }
                _ = try stream.wait(for: 1, seconds: 5)
                tandem.process.signal(signal)
                #expect(try tandem.process.waitForEnd(seconds: 20) == .exit(0), "an open stream holds nobody")
            }
        }

        @Test(arguments: ["api", "proxy", "redirect"]) func `an address in use is one line that names it`(role: String)
            throws
        {
            try TandemProcess.serving { tandem in
                let address = ["api": tandem.api, "proxy": tandem.proxy, "redirect": tandem.redirect][role] ?? ""
                var arguments = TandemProcess.arguments(database: "other.db", logFormat: "text")
                guard let flag = arguments.firstIndex(of: "--\(role)") else { throw HarnessError("no flag \(role)") }
                arguments[flag + 1] = role == "api" ? address : "udp:\(address)"
                let (ending, lines) = try refused(arguments, in: tandem.folder)
                #expect(ending == .exit(2))
                #expect(lines.count == 1, "\(lines)")
                #expect(lines.first?.contains(address) == true, "\(lines)")
                #expect(lines.first?.contains("--\(role) ") == true, "\(lines)")
                #expect(try tandem.get("/livez").status == 200, "the first goes on")
            }
        }

        @Test(
            .enabled(if: ChildProcess.isInstalled("sqlite3"), "sqlite3 is not installed"))
        func `a database of a newer version is one line, and is left as it is`() throws {
            try TandemProcess.serving { tandem in
                try tandem.provision("gateways/gw1", #"{"uri":"sip:192.0.2.10"}"#)
                tandem.process.signal(SIGTERM)
                #expect(try tandem.process.waitForEnd(seconds: 20) == .exit(0))
                let newer = "INSERT INTO grdb_migrations(identifier) VALUES ('9999'); PRAGMA wal_checkpoint(TRUNCATE);"
                #expect(try ChildProcess.run("sqlite3", [tandem.database, newer]).ending == .exit(0))
                let before = try Data(contentsOf: URL(fileURLWithPath: tandem.database))
                let arguments = TandemProcess.arguments(database: "test.db", logFormat: "text")
                let (ending, lines) = try refused(arguments, in: tandem.folder)
                #expect(ending != .exit(0))
                #expect(lines.count == 1, "\(lines)")
                #expect(lines.first?.contains("newer") == true, "\(lines)")
                #expect(lines.first?.contains("--database") == true, "\(lines)")
                #expect(lines.first?.contains("test.db") == true, "\(lines)")
                #expect(try Data(contentsOf: URL(fileURLWithPath: tandem.database)) == before)
            }
        }

        @Test func `a second server on one database is one line`() throws {
            try TandemProcess.serving { tandem in
                let arguments = TandemProcess.arguments(database: "test.db", logFormat: "text")
                let (ending, lines) = try refused(arguments, in: tandem.folder)
                #expect(ending != .exit(0))
                #expect(lines.count == 1, "\(lines)")
            }
        }

        @Test(arguments: [
            (["serve", "--no-such-flag"], "--no-such-flag"),
            (["serve", "--workers", "many"], "--workers"),
            (["serve", "--workers", "-1"], "--workers"),
            (["serve", "--worker-priority", "high"], "--worker-priority"),
            (["serve", "--api", "nonsense"], "--api"),
            (["serve", "--api", "0.0.0.0:0"], "--admin-token-file"),
            (["serve", "--proxy", "sctp:127.0.0.1:0"], "udp: or tcp: before them"),
            (["serve", "--redirect", "tls:127.0.0.1:0"], "tls is not built yet"),
            (["backup"], "--output"), (["restore", "--from", "none.db"], "none.db"), (["restore"], "--from"),
            (["backup", "--output", "x.db", "--api-certificate", "none.pem"], "none.pem"),
            (["serve", "--api-connections", "0"], "--api-connections"),
            (["serve", "--api-key", "x"], "--api-certificate and --api-key belong together"),
            (
                ["serve", "--api-certificate", "none.pem", "--api-key", "none.key"],
                "--api-certificate none.pem can't be read"
            ),
            (["serve", "--admin-token-file", "none.txt"], "--admin-token-file none.txt can't be read"),
            (["serve", "--api-name", "bad:80"], "--api-name"), (["serve", "--api-name", "bad name/"], "--api-name"),
            (["serve", "--api-name", "a..b"], "--api-name"), (["serve", "--api-name", ""], "--api-name"),
            (["serve", "--database", "none/tandem.db"], "--database"),
            (["serve", "--redirect", "udp:127.0.0.1"], "--redirect"),
            (["serve", "--log-format", "xml"], "--log-format"),
            (["serve", "--log-level", "loud"], "--log-level"),
            (["check", "--database", "none.db"], "none.db"),
        ])
        func `a wrong setting is named, and the exit code is 2`(arguments: [String], name: String) throws {
            try withTemporaryFolder { folder in
                let (ending, lines) = try refused(arguments, in: folder)
                #expect(ending == .exit(2))
                #expect(lines.count == 1 && lines.first?.contains(name) == true, "\(lines)")
                #expect(!FileManager.default.fileExists(atPath: folder.appendingPathComponent("tandem.db").path))
            }
        }

        @Test func `the version and the help are told`() throws {
            let version = try ChildProcess.run(try TandemProcess.binary(), ["--version"])
            #expect(version.ending == .exit(0))
            #expect(version.output.contains { $0.isNumber })
            let help = try ChildProcess.run(try TandemProcess.binary(), ["serve", "--help"])
            #expect(help.ending == .exit(0))
            for flag in ["--database", "--api", "--proxy", "--redirect", "--workers", "--log-format", "--log-level"] {
                #expect(help.output.contains(flag))
            }
        }

        @Test(.enabled(if: try mayBeRealTime(under: [])))
        func `workers of real-time priority are scheduled so, and no other thread is`() throws {
            try TandemProcess.serving(["--worker-priority", "real-time"]) { tandem in
                let policies = try Self.policies(of: tandem.process.pid)
                #expect(policies.contains { $0.name == "worker-0" } && policies.contains { $0.name == "worker-1" })
                #expect(policies.allSatisfy { ($0.policy == SCHED_RR) == $0.name.hasPrefix("worker-") }, "\(policies)")
            }
        }

        @Test(.enabled(if: try !mayBeRealTime(under: unprivileged)))
        func `who may not have real-time priority is told what is missing`() throws {
            try withTemporaryFolder { folder in
                let arguments = TandemProcess.arguments(database: "test.db", logFormat: "text")
                let process = try ChildProcess(
                    "/usr/bin/env",
                    Self.unprivileged + [try TandemProcess.binary()] + arguments + ["--worker-priority", "real-time"],
                    in: folder, output: "refused")
                defer { process.stop() }
                #expect(try process.waitForEnd(seconds: 20) == .exit(2))
                let lines = process.output.split(separator: "\n")
                #expect(lines.last?.contains("CAP_SYS_NICE") == true, "\(lines)")
            }
        }

        /// What takes the privilege from the program that follows.
        private static let unprivileged =
            ["prlimit", "--rtprio=0:0"] + (getuid() == 0 ? ["setpriv", "--bounding-set", "-sys_nice"] : [])

        private static func mayBeRealTime(under wrapper: [String]) throws -> Bool {
            try ChildProcess.run("/usr/bin/env", wrapper + ["chrt", "-r", "1", "true"]).ending == .exit(0)
        }

        /// The threads of a process, by proc(5): the policy is the 41st field of `stat`.
        private static func policies(of process: pid_t) throws -> [(name: String, policy: Int32)] {
            let tasks = "/proc/\(process)/task"
            return try FileManager.default.contentsOfDirectory(atPath: tasks).map { task in
                let line = try String(contentsOfFile: "\(tasks)/\(task)/stat", encoding: .utf8)
                let name = line.split(separator: "(", maxSplits: 1)[1].split(separator: ")")[0]
                let fields = line.split(separator: ")").last?.split(separator: " ") ?? []
                return (String(name), try #require(Int32(fields[38])))
            }
        }

        @Test func `a setting comes from the environment when there is no flag`() throws {
            try withTemporaryFolder { folder in
                let process = try ChildProcess(
                    try TandemProcess.binary(), ["serve", "--log-format", "json"], in: folder, output: "log",
                    environment: [
                        "TANDEM_API": "127.0.0.1:0", "TANDEM_PROXY": "udp:127.0.0.1:0",
                        "TANDEM_REDIRECT": "udp:127.0.0.1:0", "TANDEM_DATABASE": "other.db",
                    ])
                defer { process.stop() }
                let isUp = eventually(within: 20) {
                    process.output.components(separatedBy: "\"listening\"").count > 3 || process.ending != nil
                }
                #expect(isUp && process.ending == nil, "\(process.output)")
                #expect(FileManager.default.fileExists(atPath: folder.appendingPathComponent("other.db").path))
                process.signal(SIGTERM)
                #expect(try process.waitForEnd(seconds: 20) == .exit(0))
            }
        }
    }
}
