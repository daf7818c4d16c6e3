import Foundation
import Glibc
import Testing

extension IntegrationTests {
    /// What a newcomer sees of `deploy/run` when something around it is missing: one clear line each. Swift, Debian and
    /// the network are played by small scripts in a folder that is all of PATH.
    @Suite(.serialized) struct ScriptTests {
        /// Runs a script of ours with these programs before the system's, or instead of them.
        private func run(
            _ script: String, programs: [String: String], isAlone: Bool = false, arguments: [String] = []
        ) throws -> (ending: Ending, lines: [String]) {
            try withTemporaryFolder { folder in
                let tree = folder.appendingPathComponent("a clone")
                let bin = folder.appendingPathComponent("bin")
                for made in [tree, bin] {
                    try FileManager.default.createDirectory(at: made, withIntermediateDirectories: true)
                }
                try FileManager.default.copyItem(
                    at: TandemProcess.packageRoot.appendingPathComponent("deploy"),
                    to: tree.appendingPathComponent("deploy"))
                let path = isAlone ? bin.path : "\(bin.path):/usr/bin:/bin"
                if isAlone {
                    try FileManager.default.createSymbolicLink(
                        atPath: bin.appendingPathComponent("dirname").path, withDestinationPath: "/usr/bin/dirname")
                }
                for (name, text) in programs {
                    let file = bin.appendingPathComponent(name).path
                    try "#!/bin/bash\n\(text)\n".write(toFile: file, atomically: true, encoding: .utf8)
                    try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: file)
                }
                let words = ["\(tree.path)/deploy/\(script)"] + arguments
                let child = try ChildProcess(
                    "/bin/bash", words, in: folder, output: "said",
                    environment: ["PATH": path, "TMPDIR": folder.path])
                defer { child.stop() }
                let ending = try child.waitForEnd(seconds: 30)
                return (ending, child.output.split(separator: "\n").map(String.init))
            }
        }

        private let installed = "printf installed"
        private let swift = #"[ "$1" = --version ] && echo 'Swift version 6.3.1 (swift-6.3.1-RELEASE)' && exit 0"#

        @Test(arguments: ["run", "test"]) func `no toolchain is one line and 2`(script: String) throws {
            let (ending, lines) = try run(script, programs: [:], isAlone: true)
            #expect(ending == .exit(2))
            #expect(lines.count == 1 && lines[0].contains("no Swift toolchain"), "\(lines)")
        }

        @Test func `a toolchain that is too old is one line and 2`() throws {
            let old = "echo 'swift-driver version: 1.87\nSwift version 5.10.1 (swift-5.10.1-RELEASE)'"
            let (ending, lines) = try run("run", programs: ["swift": old])
            #expect(ending == .exit(2))
            #expect(lines.count == 1 && lines[0].contains("5.10 is too old"), "\(lines)")
        }

        @Test(.enabled(if: geteuid() == 0, "only root or sudo may install"))
        func `packages that Debian does not give are named, and the exit code is 2`() throws {
            let (ending, lines) = try run(
                "run",
                programs: [
                    "swift": swift, "dpkg-query": #"[ "$4" != libsqlite3-dev ] && printf installed"#,
                    "apt-get": "echo 'E: Unable to fetch some archives'; exit 100",
                ])
            #expect(ending == .exit(2))
            #expect(lines.first == "tandem: installing from Debian: libsqlite3-dev")
            #expect(lines.count == 2 && lines[1].contains("no network?"), "\(lines)")
        }

        @Test func `no network for the Swift packages is one line and 2`() throws {
            let offline = swift + "\necho 'error: Failed to clone repository https://example.net/x'; exit 1"
            let (ending, lines) = try run("run", programs: ["swift": offline, "dpkg-query": installed])
            #expect(ending == .exit(2))
            #expect(lines.count == 2 && lines[1].contains("no network?"), "\(lines)")
        }

        @Test func `what follows the command goes to the server, from any folder and a path with spaces`() throws {
            let build = #"mkdir -p .build/release; printf '#!/bin/bash\necho "served: $*"\n' >.build/release/tandem"#
            let (ending, lines) = try run(
                "run",
                programs: ["swift": "\(swift)\n\(build); chmod +x .build/release/tandem", "dpkg-query": installed],
                arguments: ["--api", "127.0.0.1:0", "--database", "a b.db"])
            #expect(ending == .exit(0))
            #expect(lines.last == "served: serve --api 127.0.0.1:0 --database a b.db", "\(lines)")
        }

        @Test func `a build that fails shows its end, and the exit code is 1`() throws {
            let broken = swift + "\necho 'a.swift:1:1: error: broken'; exit 1"
            let (ending, lines) = try run("run", programs: ["swift": broken, "dpkg-query": installed])
            #expect(ending == .exit(1))
            #expect(lines.contains("a.swift:1:1: error: broken"))
            #expect(lines.last?.contains("does not build") == true)
        }

        @Test(arguments: [["--nothing"], ["--calls", "many"], ["--binary", "/nowhere"], ["3pcc"]])
        func `the soak refuses what it does not know`(arguments: [String]) throws {
            let (ending, lines) = try run("soak", programs: ["dpkg-query": installed], arguments: arguments)
            #expect(ending == .exit(2))
            #expect(lines.count == 1 && arguments.contains { lines[0].contains($0) }, "\(lines)")
        }

        @Test(arguments: [["--nothing"], ["--rounds", "0"], ["--sustained"], ["--sipload", "/nowhere"]])
        func `the bench refuses what it does not know`(arguments: [String]) throws {
            let (ending, lines) = try run("bench", programs: ["dpkg-query": installed], arguments: arguments)
            #expect(ending == .exit(2))
            #expect(lines.count == 1 && arguments.contains { lines[0].contains($0) }, "\(lines)")
        }

        @Test(arguments: [["--nothing"], ["--binary"], ["--binary", "/nowhere"]])
        func `the demonstration refuses what it does not know`(arguments: [String]) throws {
            let (ending, lines) = try run("demo", programs: ["dpkg-query": installed], arguments: arguments)
            #expect(ending == .exit(2))
            #expect(lines.count == 1 && lines[0].contains(arguments.last ?? ""), "\(lines)")
        }
    }
}
