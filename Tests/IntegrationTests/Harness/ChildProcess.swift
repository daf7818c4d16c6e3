import Foundation
import Glibc
import Synchronization

// How this room works: every test starts the real binary (`TandemProcess`) in a folder of its own on free ports, and
// meets it as a user does: through curl (`Curl`), sipp (`Sipp`), hand-made datagrams (`UDPPeer`) and a bare HTTP
// connection (`HTTPConnection`). Each of these is stopped when its scope ends, also when a test throws. All waits are
// bounded. The suites run one after another (`IntegrationTests` is serialized), since they share the same few cores.

/// Why a test could not go on: what was expected of which program, and what it said.
struct HarnessError: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

/// How a program ended.
enum Ending: Equatable {
    case exit(Int32)
    case signal(Int32)
}

/// A program that we started: its output goes to a file, its end is found by asking, so that no wait is unbounded.
final class ChildProcess: Sendable {
    let pid: pid_t
    /// What it writes to both its outputs: in the folder, unless the name is a whole path.
    let outputPath: String
    private let ended = Mutex<Ending?>(nil)

    /// Starts a program (searched on PATH unless the name holds a slash) in a folder.
    init(
        _ program: String, _ arguments: [String], in folder: URL, output: String, environment: [String: String] = [:]
    ) throws {
        outputPath = output.hasPrefix("/") ? output : folder.appendingPathComponent(output).path
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, outputPath, O_WRONLY | O_CREAT | O_TRUNC, 0o644)
        posix_spawn_file_actions_adddup2(&actions, 1, 2)
        let inherited = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        // The threads that run tests block signals, and a child inherits that: it gets a clean slate.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var (none, all) = (sigset_t(), sigset_t())
        sigemptyset(&none)
        sigfillset(&all)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setsigdefault(&attributes, &all)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
        // Glibc's call that starts a program in another folder is not visible from Swift; env's flag for it is.
        var argv = (["env", "-C", folder.path, program] + arguments).map { strdup($0) } + [nil]
        var envp = inherited.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { (argv + envp).forEach { free($0) } }
        var child: pid_t = 0
        let code = posix_spawnp(&child, "env", &actions, &attributes, &argv, &envp)
        guard code == 0 else { throw HarnessError("\(program) can't be started: \(String(cString: strerror(code)))") }
        pid = child
    }

    deinit { stop() }

    /// How it ended; nil while it runs.
    var ending: Ending? {
        ended.withLock { ended in
            if ended == nil {
                var status: Int32 = 0
                if waitpid(pid, &status, WNOHANG) == pid {
                    ended = status & 0x7F == 0 ? .exit((status >> 8) & 0xFF) : .signal(status & 0x7F)
                }
            }
            return ended
        }
    }

    /// All that it has written so far.
    var output: String {
        String(decoding: FileManager.default.contents(atPath: outputPath) ?? Data(), as: UTF8.self)
    }

    func signal(_ number: Int32) {
        if ending == nil { kill(pid, number) }
    }

    /// Ends it for certain.
    func stop() {
        signal(SIGKILL)
        while ending == nil { usleep(2000) }
    }

    /// Waits until it has ended by itself; past the bound it is killed, and that is an error.
    func waitForEnd(seconds: Double) throws -> Ending {
        _ = eventually(within: seconds) { ending != nil }
        guard let ending else {
            stop()
            throw HarnessError("process \(pid) had not ended after \(seconds) s; it said: \(output.suffix(2000))")
        }
        return ending
    }

    /// Runs a program to its end.
    static func run(_ program: String, _ arguments: [String], seconds: Double = 20) throws -> (
        ending: Ending, output: String
    ) {
        try withTemporaryFolder { folder in
            let child = try ChildProcess(program, arguments, in: folder, output: "output")
            let ending = try child.waitForEnd(seconds: seconds)
            return (ending, child.output)
        }
    }

    /// Whether a program of this name is on PATH.
    static func isInstalled(_ program: String) -> Bool {
        (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
            .contains { FileManager.default.isExecutableFile(atPath: "\($0)/\(program)") }
    }
}

/// Asks every 5 ms until it is so; false when the time is over.
func eventually(within seconds: Double, _ isSo: () throws -> Bool) rethrows -> Bool {
    let end = ContinuousClock.now + .seconds(seconds)
    while try !isSo() {
        guard ContinuousClock.now < end else { return false }
        usleep(5000)
    }
    return true
}

/// A folder that is gone afterwards.
func withTemporaryFolder<Result>(_ body: (URL) throws -> Result) throws -> Result {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("tandem-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer {
        do { try FileManager.default.removeItem(at: folder) } catch { print("left behind: \(folder.path), \(error)") }
    }
    return try body(folder)
}
