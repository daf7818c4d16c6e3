import Foundation
import Glibc
import Testing

extension IntegrationTests {
    /// Webhooks of the real program, to a receiver in Python that misbehaves.
    @Suite(.serialized) struct WebhookTests {
        /// `deploy/webhooks/receiver.py`, running.
        private final class Receiver {
            static let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
            /// The Python of `deploy/test`, which has the package that checks signatures; else the system's.
            static let python: String = {
                let own = TandemProcess.packageRoot.path + "/.build/python/bin/python3"
                return FileManager.default.isExecutableFile(atPath: own) ? own : "python3"
            }()
            static let isThere = python.hasPrefix("/") || ChildProcess.isInstalled("python3")
            static let checksSignatures: Bool = {
                do {
                    return try ChildProcess.run(python, ["-c", "import standardwebhooks.webhooks"]).ending == .exit(0)
                } catch {
                    return false
                }
            }()

            let port: Int
            private let process: ChildProcess

            init(in folder: URL, _ behaviours: [String]) throws {
                let script = TandemProcess.packageRoot.path + "/deploy/webhooks/receiver.py"
                let process = try ChildProcess(
                    Self.python, [script, "0", Self.secret] + behaviours, in: folder, output: "receiver.log")
                self.process = process
                _ = eventually(within: 20) { process.output.contains("\n") || process.ending != nil }
                guard let port = try Document(process.output.prefix { $0 != "\n" })["port"].integer else {
                    throw HarnessError("the receiver did not come up: \(process.output)")
                }
                self.port = port
            }

            /// What came so far, in order.
            var requests: [Document] {
                get throws {
                    // The last line may not be whole yet.
                    let text = process.output
                    let whole = text.prefix(upTo: text.lastIndex(of: "\n") ?? text.startIndex)
                    return try whole.split(separator: "\n").dropFirst().map { try Document($0) }
                }
            }

            /// The numbers of the events that it has taken, in order.
            var taken: [Int] {
                get throws {
                    let taken = try requests.filter { $0["behaviour"].string == "ok" }
                    return taken.compactMap { $0["id"].string.flatMap { Int($0) } }
                }
            }
        }

        private func provision(_ tandem: TandemProcess, _ receiver: Receiver) throws {
            guard try tandem.patch("settings", #"{"webhook_networks":["127.0.0.0/8"]}"#).status == 200 else {
                throw HarnessError("the settings were not taken")
            }
            try tandem.provision(
                "webhooks/oss", #"{"url":"http://127.0.0.1:\#(receiver.port)/in","secret":"\#(Receiver.secret)"}"#)
        }

        private func newest(_ tandem: TandemProcess) throws -> Int {
            try tandem.get("/v1/events?after=0&limit=1000").document["items"].elements.last?["id"].string
                .flatMap { Int($0) } ?? 0
        }

        @Test(.enabled(if: Receiver.isThere, "python3 is not installed"))
        func `fails, resets, tears, hangs and recovers, with kill -9 while it hangs: everything arrives, in order`()
            throws
        {
            // A proxy of the environment, at a port where nobody listens, is not asked.
            let proxy = "http://127.0.0.1:9"
            let environment = ["http_proxy": proxy, "https_proxy": proxy, "all_proxy": proxy]
            try TandemProcess.serving(environment: environment) { tandem in
                let receiver = try Receiver(
                    in: tandem.folder, ["ok", "fail", "reset", "torn", "redirect", "ok", "hang"])
                let before = try newest(tandem) + 1  // the settings' change comes before the webhook
                try provision(tandem, receiver)
                for number in 1...20 { try tandem.provision("gateways/gw\(number)", #"{"uri":"sip:192.0.2.1"}"#) }
                #expect(try eventually(within: 60) { try receiver.requests.last?["behaviour"].string == "hang" })
                tandem.process.signal(SIGKILL)
                #expect(try tandem.process.waitForEnd(seconds: 5) == .signal(SIGKILL))
                try tandem.restart()
                try tandem.provision("gateways/last", #"{"uri":"sip:192.0.2.1"}"#)
                let last = try newest(tandem)
                #expect(try eventually(within: 60) { try receiver.taken.last == last })
                let taken = try receiver.taken
                var seen: [Int] = []
                for number in taken where number > seen.last ?? 0 { seen.append(number) }
                #expect(seen == Array(before + 1...last), "\(taken)")
                // At least once: what had been taken shortly before the kill may come a second time, in order too.
                #expect(taken.count <= seen.count + 2, "\(taken)")
                #expect(try receiver.requests.allSatisfy { $0["signature"] != .bool(false) })
                let log = tandem.process.output
                #expect(!log.contains("whsec_") && !log.contains("MfKQ9r8G"))
            }
        }

        @Test(
            .enabled(
                if: Receiver.isThere && Receiver.checksSignatures,
                "the Python package standardwebhooks is not installed (deploy/test does that)"))
        func `the package standardwebhooks takes our signature, and that of the secret before for a day`() throws {
            try TandemProcess.serving { tandem in
                let receiver = try Receiver(in: tandem.folder, [])
                try provision(tandem, receiver)
                let first = try Curl.ask("http://\(tandem.api)/v1/webhooks/oss/test", ["-X", "POST"])
                #expect(try first.status == 200 && first.document["outcome"].string == "delivered")
                let other = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
                #expect(try tandem.patch("webhooks/oss", #"{"secret":"\#(other)"}"#).status == 200)
                _ = try Curl.ask("http://\(tandem.api)/v1/webhooks/oss/test", ["-X", "POST"])
                #expect(try eventually(within: 10) { try receiver.requests.count >= 2 })
                #expect(try receiver.requests.allSatisfy { $0["signature"] == .bool(true) })
            }
        }
    }
}
