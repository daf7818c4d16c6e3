import Foundation
import Glibc
import Testing

extension IntegrationTests {
    /// A disk that is full, and one that has lost something (API sections 2 and 8).
    @Suite(.serialized) struct DiskTests {
        /// A small file system of its own; nil where it can't be made.
        private static let canMount: Bool = {
            guard geteuid() == 0 else { return false }
            let probe = FileManager.default.temporaryDirectory.appendingPathComponent("tandem-\(UUID().uuidString)")
                .path
            mkdir(probe, 0o700)
            defer { rmdir(probe) }
            guard mount("tmpfs", probe, "tmpfs", 0, "size=1m") == 0 else { return false }
            return umount(probe) == 0
        }()

        /// The answer to a call of the redirect role, which asks no gateway.
        private func redirect(_ tandem: TandemProcess) throws -> String {
            let (peer, port, callID) = (try UDPPeer(), tandem.redirectPort, UUID().uuidString)
            let invite = SIPText.invite("442071234567", to: port, from: peer.port, callID: callID)
            peer.send(invite, to: port)
            let answer = try #require(peer.receive(seconds: 5))
            peer.send(SIPText.acknowledgement(of: answer, "442071234567", to: port, callID: callID), to: port)
            return answer
        }

        /// A folder on a file system of its own, of so many MiB.
        private func withSmallDisk(megabytes: Int, _ body: (URL) throws -> Void) throws {
            try withTemporaryFolder { folder in
                guard mount("tmpfs", folder.path, "tmpfs", 0, "size=\(megabytes)m") == 0 else {
                    throw HarnessError("mount: \(String(cString: strerror(errno)))")
                }
                defer { umount2(folder.path, Int32(MNT_DETACH)) }
                try body(folder)
            }
        }

        @Test(.enabled(if: canMount, "no file system can be mounted here (it takes root)"))
        func `a full disk: changes are 503 read-only, calls and reads go on, and it recovers by itself`() throws {
            try withSmallDisk(megabytes: 6) { disk in
                try fill(disk)
            }
        }

        private func fill(_ disk: URL) throws {
            let database = disk.appendingPathComponent("test.db").path
            try TandemProcess.serving(["--database", database]) { tandem in
                try tandem.provisionTwoGateways(ports: (5080, 5081))
                let filler = disk.appendingPathComponent("filler").path
                let filled = try ChildProcess.run("sh", ["-c", "cat /dev/zero > '\(filler)'"])
                #expect(filled.ending != .exit(0), "the disk is full")
                var refused: CurlAnswer?
                for number in 0..<2000 where refused == nil {
                    let answer = try tandem.put("gateways/more-\(number)", #"{"uri":"sip:192.0.2.1"}"#)
                    if answer.status != 201 { refused = answer }
                }
                let answer = try #require(refused)
                #expect(answer.status == 503, "\(answer.body)")
                #expect(try answer.document["type"].string == "/problems/read-only")
                #expect(answer.headers["retry-after"] != nil)
                let ready = try tandem.get("/readyz")
                #expect(ready.status == 503 && ready.body.contains("read-only"), "\(ready.body)")
                #expect(try tandem.metric("tandem_read_only") == 1)
                #expect(try tandem.get("/v1/gateways/gw1").status == 200)
                #expect(try tandem.get("/v1/lookup?number=442071234567").document["outcome"].string == "targets")
                #expect(try redirect(tandem).hasPrefix("SIP/2.0 300 "))
                unlink(filler)
                let isWell = try eventually(within: 15) { try tandem.get("/readyz").status == 200 }
                #expect(isWell, "without any change being tried")
                #expect(try tandem.put("gateways/after", #"{"uri":"sip:192.0.2.1"}"#).status == 201)
            }
        }

        @Test func `a damaged file is kept aside, calls follow its last good copy, and readyz says why`() throws {
            try TandemProcess.serving(["--good-copy-s", "1"]) { tandem in
                try tandem.provisionTwoGateways(ports: (5080, 5081))
                let revision = try #require(try tandem.get("/v1/version").revision)
                let copy = tandem.folder.appendingPathComponent("test.db-good").path
                let isCopied = try eventually(within: 20) {
                    try ChildProcess.run(TandemProcess.binary(), ["check", "--database", copy]).output
                        .contains("revision \(revision):")
                }
                try #require(isCopied)
                tandem.process.signal(SIGTERM)
                #expect(try tandem.process.waitForEnd(seconds: 20) == .exit(0))
                let damaged = try damage(tandem.database)

                try tandem.restart()
                let ready = try tandem.get("/readyz")
                #expect(ready.status == 503 && ready.body.contains("was damaged and is kept as"), "\(ready.body)")
                let aside = try FileManager.default.contentsOfDirectory(atPath: tandem.folder.path)
                    .filter { $0.hasPrefix("test.db.damaged-") && $0.hasSuffix("Z") }
                let kept = tandem.folder.appendingPathComponent(aside.first ?? "none")
                #expect(try Data(contentsOf: kept) == damaged && aside.count == 1)
                #expect(try redirect(tandem).hasPrefix("SIP/2.0 300 "))
                #expect(try tandem.get("/v1/gateways/gw1").status == 200)
                for (path, body) in [
                    ("gateways/gw3", #"{"uri":"sip:192.0.2.1"}"#), ("tokens/t", #"{"role":"reader"}"#),
                ] {
                    let answer = try tandem.put(path, body)
                    #expect(try answer.status == 503 && answer.document["type"].string == "/problems/read-only")
                }
                tandem.process.signal(SIGTERM)
                #expect(try tandem.process.waitForEnd(seconds: 20) == .exit(0))
                let restore = ["restore", "--from", "test.db-good", "--database", "test.db"]
                let restored = try ChildProcess(
                    TandemProcess.binary(), restore, in: tandem.folder, output: "restore.log")
                #expect(try restored.waitForEnd(seconds: 30) == .exit(0), "\(restored.output)")
                try tandem.restart()
                #expect(try tandem.get("/readyz").status == 200)
                #expect(try tandem.put("gateways/gw3", #"{"uri":"sip:192.0.2.1"}"#).status == 201)
                #expect(try redirect(tandem).hasPrefix("SIP/2.0 300 "))
            }
        }

        /// Zeros in the midst of every page but the first; what the file is then.
        private func damage(_ path: String) throws -> Data {
            var bytes = try Data(contentsOf: URL(fileURLWithPath: path))
            for page in 1..<bytes.count / 4096 {
                bytes.replaceSubrange(page * 4096..<page * 4096 + 512, with: Data(count: 512))
            }
            try bytes.write(to: URL(fileURLWithPath: path))
            return bytes
        }
    }
}
