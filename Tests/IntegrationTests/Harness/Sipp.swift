import Foundation
import Glibc

/// The sipp of the demonstration, with its scenarios.
enum Sipp {
    static let isInstalled = ChildProcess.isInstalled("sipp")

    static func scenario(_ name: String) -> String {
        TandemProcess.packageRoot.appendingPathComponent("deploy/sipp/\(name).xml").path
    }

    /// Places calls one after another or at a rate, to the end of all.
    static func call(
        _ address: String, in folder: URL, count: Int, rate: Int = 20, scenario name: String = "caller",
        number: String = "442071234567", transport: String = "u1"
    ) throws -> SippCalls {
        let log = "caller-\(UUID().uuidString)"
        let messages = folder.appendingPathComponent("\(log).messages").path
        let caller = try ChildProcess(
            "sipp",
            [
                address, "-sf", scenario(name), "-i", "127.0.0.1", "-p", "\(try freePort())", "-s", number,
                "-m", "\(count)", "-r", "\(rate)", "-nostdin", "-timeout", "30", "-trace_msg", "-message_file",
                messages, "-t", transport, "-max_socket", "500",
            ], in: folder, output: log)
        let ending = try caller.waitForEnd(seconds: 45)
        return SippCalls(ending: ending, messages: text(at: messages))
    }

    /// A port that was free a moment ago, for UDP and for TCP.
    static func freePort() throws -> UInt16 {
        for _ in 0..<100 {
            let port = try UDPPeer().port
            if isFreeForTCP(port) { return port }
        }
        throw HarnessError("no port is free for both UDP and TCP")
    }

    static func text(at path: String) -> String {
        String(decoding: FileManager.default.contents(atPath: path) ?? Data(), as: UTF8.self)
    }
}

/// What came of calls.
struct SippCalls {
    let ending: Ending
    /// Everything sent and received.
    let messages: String

    /// The received messages that begin so.
    func received(_ beginning: String) -> [String] {
        messages.components(separatedBy: "-----------------------------------------------").filter {
            $0.contains("message received")
        }.compactMap { block in
            guard let start = block.range(of: "bytes :\n\n") else { return nil }
            return String(block[start.upperBound...])
        }.filter { $0.hasPrefix(beginning) }
    }
}

/// A gateway that sipp plays, on a port of its own choice or a given one.
final class SippGateway {
    let port: UInt16
    private let process: ChildProcess
    private let messagesPath: String

    init(_ name: String = "gateway", in folder: URL, port: UInt16? = nil, isOverTCP: Bool = false) throws {
        self.port = try port ?? Sipp.freePort()
        let log = "\(name)-\(UUID().uuidString)"
        messagesPath = folder.appendingPathComponent("\(log).messages").path
        let silence = name == "silent" ? ["-nd", "-pause_msg_ign"] : []
        process = try ChildProcess(
            "sipp",
            [
                "-sf", Sipp.scenario(name), "-i", "127.0.0.1", "-p", "\(self.port)", "-bind_local", "-nostdin",
                "-trace_msg", "-message_file", messagesPath, "-t", isOverTCP ? "t1" : "u1",
            ] + silence, in: folder, output: log)
        let entry = String(format: ":%04X ", self.port)
        guard eventually(within: 10, { Sipp.text(at: "/proc/net/\(isOverTCP ? "tcp" : "udp")").contains(entry) }),
            process.ending == nil
        else {
            process.stop()
            throw HarnessError("sipp did not start: \(process.output.suffix(500))")
        }
    }

    /// The Call-IDs of the INVITEs that it heard.
    var callIDs: Set<String> { callIDs(of: "INVITE") }

    /// The Call-IDs of all requests of that method.
    func callIDs(of method: String) -> Set<String> {
        let requests = SippCalls(ending: .exit(0), messages: Sipp.text(at: messagesPath)).received("\(method) ")
        return Set(requests.compactMap { SIPText.field("Call-ID", in: $0).first })
    }

    func stop() { process.stop() }
}
