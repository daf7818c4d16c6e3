import Foundation
import Testing

extension IntegrationTests {
    /// sipp's own scenarios and ours at both ends of the proxy, as `deploy/soak` plays them; many calls of each at a
    /// stretch are for a person who has the time.
    @Suite(.serialized, .enabled(if: Sipp.isInstalled, "sipp is not installed (Debian: sip-tester)"))
    struct ScenarioTests {
        private let names = ["uac", "regexp", "branch", "dialog", "cancel", "early-media"]

        @Test func `every call of every scenario succeeds, with nothing unexpected at either end`() throws {
            try withTemporaryFolder { folder in
                let script = TandemProcess.packageRoot.appendingPathComponent("deploy/soak").path
                let binary = try TandemProcess.binary()
                let runs = try names.map { name in
                    try ChildProcess(
                        script, ["--calls", "50", "--rate", "50", "--binary", binary, name], in: folder, output: name)
                }
                defer { runs.forEach { $0.stop() } }
                for (name, run) in zip(names, runs) {
                    #expect(try run.waitForEnd(seconds: 60) == .exit(0), "\(name): \(run.output)")
                    let words = run.output.split(separator: "\n").first { $0.hasPrefix("\(name) ") }?.split(
                        separator: " ")
                    // calls, succeeded, heard by the gateway, failed, unexpected, timeouts
                    #expect(words?.dropFirst().prefix(6) == ["50", "50", "50", "0", "0", "0"], "\(run.output)")
                }
            }
        }
    }
}
