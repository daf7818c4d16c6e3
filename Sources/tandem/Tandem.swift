import ArgumentParser
import Foundation

// How this room works. `Tandem` reads the command line, after `EnvironmentSettings` has put in what stands in the
// environment; `ServeCommand` makes `Server` of it, which wires the rooms together, waits for signals and takes them
// apart again in the right order. Nothing here decides anything about calls or data.

/// The command line (API section 1).
@main
struct Tandem: ParsableCommand {
    /// The version that `--version`, `Server` and `User-Agent` say.
    static let version = "0.1.0"

    static let configuration = CommandConfiguration(
        commandName: "tandem",
        abstract: "A REST-managed routing control plane for telephone calls, with its SIP proxy and redirect server.",
        version: version,
        subcommands: [
            ServeCommand.self, CheckCommand.self, BackupCommand.self, RestoreCommand.self, SimulateCommand.self,
            BenchCommand.self,
        ])

    /// Exit codes: 0 when all went well, 1 when the work failed, 2 when a setting is wrong.
    static func main() {
        do {
            let arguments = EnvironmentSettings.merged(
                Array(CommandLine.arguments.dropFirst()), environment: ProcessInfo.processInfo.environment)
            var command = try parseAsRoot(arguments)
            try command.run()
        } catch let failure as Failure {
            end("tandem: \(failure.line)", code: failure.code)
        } catch {
            guard exitCode(for: error) != .success else {
                print(fullMessage(for: error))  // help, version
                Foundation.exit(0)
            }
            let line = message(for: error).split(whereSeparator: \.isNewline).joined(separator: " ")
            end("tandem: \(line)", code: 2)
        }
    }

    private static func end(_ line: String, code: Int32) -> Never {
        FileHandle.standardError.write(Data((line + "\n").utf8))
        Foundation.exit(code)
    }
}

/// What ends the process before its work is done: one line for a person, and the exit code.
struct Failure: Error {
    let line: String
    let code: Int32

    /// A setting is wrong; the line names it.
    static func setting(_ line: String) -> Failure { Failure(line: line, code: 2) }
    /// The settings are right, but the work can't be done.
    static func work(_ line: String) -> Failure { Failure(line: line, code: 1) }
}
