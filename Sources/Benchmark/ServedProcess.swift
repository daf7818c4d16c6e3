import Foundation
import Glibc
import JSON
import Synchronization

/// A server of its own process, with a database in a folder, on free ports of the loopback address.
final class ServedProcess: Sendable {
    /// Where its API listens.
    let apiPort: UInt16
    /// Where its redirect server listens, over UDP.
    let redirectPort: UInt16
    private let child: Mutex<Process>
    private let identifier: Int32

    private static let startLimitSeconds = 60.0

    /// Starts `program serve` and waits until it listens.
    init(_ program: String, in folder: String) throws(BenchmarkFailure) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = [
            "serve", "--database", folder + "/tandem.db", "--api", "127.0.0.1:0", "--proxy", "udp:127.0.0.1:0",
            "--redirect", "udp:127.0.0.1:0", "--log-format", "json",
        ]
        let log = folder + "/log"
        do {
            try Data().write(to: URL(fileURLWithPath: log))
            process.standardError = try FileHandle(forWritingTo: URL(fileURLWithPath: log))
            process.standardOutput = FileHandle.nullDevice
            try process.run()
        } catch {
            throw BenchmarkFailure(detail: "\(program) can't be started: \(error)")
        }
        let ports = Self.ports(in: log, of: process)
        guard let api = ports["api"], let redirect = ports["redirect"] else {
            process.terminate()
            let said = Self.text(at: log).split(separator: "\n").last ?? "nothing"
            throw BenchmarkFailure(detail: "\(program) does not listen; the last that it said: \(said)")
        }
        (apiPort, redirectPort, identifier) = (api, redirect, process.processIdentifier)
        child = Mutex(process)
    }

    private static func ports(in log: String, of process: Process) -> [String: UInt16] {
        var ports: [String: UInt16] = [:]
        let end = Foundation.ProcessInfo.processInfo.systemUptime + startLimitSeconds
        while ports.count < 3, process.isRunning, Foundation.ProcessInfo.processInfo.systemUptime < end {
            usleep(20_000)
            for line in text(at: log).split(separator: "\n") where line.contains("\"listening\"") {
                guard case .success(let entry) = Result(catching: { try JSONValue(parsing: Array(line.utf8)) }),
                    let role = entry["role"]?.text, let port = entry["address"]?.text?.split(separator: ":").last
                else { continue }
                ports[role] = UInt16(port)
            }
        }
        return ports
    }

    /// Lets it finish.
    func stop() {
        child.withLock { child in
            guard child.isRunning else { return }
            child.terminate()
            child.waitUntilExit()
        }
    }

    /// How much memory it has, and the most that it had since `forgetPeak`, bytes.
    var memory: (present: Int, peak: Int) {
        func value(_ name: String, _ text: String) -> Int {
            let line = text.split(separator: "\n").first { $0.hasPrefix(name) }
            let kibibytes = line?.split(whereSeparator: { " \t:".contains($0) }).dropFirst().first.flatMap { Int($0) }
            return (kibibytes ?? 0) * 1024
        }
        let text = Self.text(at: "/proc/\(identifier)/status")
        return (value("VmRSS", text), value("VmHWM", text))
    }

    /// The most that it has had is what it has now.
    func forgetPeak() {
        let descriptor = open("/proc/\(identifier)/clear_refs", O_WRONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        _ = write(descriptor, "5", 1)
        close(descriptor)
    }

    private static func text(at path: String) -> String {
        let data = FileManager.default.contents(atPath: path) ?? Data()
        return String(decoding: data, as: UTF8.self)
    }
}
