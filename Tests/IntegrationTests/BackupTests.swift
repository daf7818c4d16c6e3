import Foundation
import Testing

extension IntegrationTests {
    /// `tandem backup` and `tandem restore`: API section 1.
    @Suite(.serialized) struct BackupTests {
        private func run(_ arguments: [String], in folder: URL) throws -> (ending: Ending, output: String) {
            let process = try ChildProcess(
                try TandemProcess.binary(), arguments, in: folder, output: "command-\(UUID().uuidString)")
            defer { process.stop() }
            return (try process.waitForEnd(seconds: 60), process.output)
        }

        @Test func `a backup of a running server is whole; restored, calls follow it, and the old file is kept`() throws
        {
            let folder = FileManager.default.temporaryDirectory
            let token = folder.appendingPathComponent("token-\(UUID().uuidString)").path
            try Data("0123456789abcdef\n".utf8).write(to: URL(fileURLWithPath: token))
            try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: token)
            defer { unlink(token) }
            let bearer = ["-H", "Authorization: Bearer 0123456789abcdef"]
            try TandemProcess.serving(["--admin-token-file", token]) { tandem in
                #expect(try tandem.put("gateways/gw1", #"{"uri":"sip:192.0.2.10"}"#, bearer).status == 201)
                let backup = ["backup", "--api", tandem.api, "--output", "copy.db"]
                let refused = try run(backup, in: tandem.folder)
                #expect(refused.ending == .exit(1) && refused.output.contains("401"), "\(refused.output)")
                let done = try run(backup + ["--admin-token-file", token], in: tandem.folder)
                #expect(done.ending == .exit(0) && done.output.contains("verified"), "\(done.output)")
                let copy = tandem.folder.appendingPathComponent("copy.db")
                let mode = try FileManager.default.attributesOfItem(atPath: copy.path)[.posixPermissions] as? Int
                #expect(mode == 0o600)
                let again = try run(backup + ["--admin-token-file", token], in: tandem.folder)
                #expect(again.ending == .exit(2) && again.output.contains("exists"))
                #expect(try tandem.put("gateways/gw2", #"{"uri":"sip:192.0.2.11"}"#, bearer).status == 201)
                let restore = ["restore", "--from", "copy.db", "--database", "test.db"]
                let inUse = try run(restore, in: tandem.folder)
                #expect(inUse.ending == .exit(2) && inUse.output.contains("in use"), "\(inUse.output)")
                tandem.process.signal(SIGTERM)
                #expect(try tandem.process.waitForEnd(seconds: 20) == .exit(0))
                try damage(copy, as: "bad.db")
                let damaged = try run(["restore", "--from", "bad.db", "--database", "test.db"], in: tandem.folder)
                #expect(damaged.ending == .exit(1) && damaged.output.contains("bad.db is damaged"), "\(damaged.output)")
                let restored = try run(restore, in: tandem.folder)
                #expect(restored.ending == .exit(0) && restored.output.contains("epoch 2"), "\(restored.output)")
                let aside = try FileManager.default.contentsOfDirectory(atPath: tandem.folder.path)
                    .filter { $0.hasPrefix("test.db.before-restore-") && $0.hasSuffix("Z") }
                #expect(aside.count == 1)
                let kept = try run(["check", "--database", aside.first ?? ""], in: tandem.folder)
                #expect(kept.ending == .exit(0), "\(kept.output)")
                try tandem.restart()
                #expect(try tandem.get("/v1/gateways/gw1", bearer).status == 200)
                #expect(try tandem.get("/v1/gateways/gw2", bearer).status == 404)
                let check = try run(["check", "--database", "test.db"], in: tandem.folder)
                #expect(check.ending == .exit(0), "\(check.output)")
            }
        }

        /// Zeros in the midst of the file.
        private func damage(_ copy: URL, as name: String) throws {
            var bytes = try Data(contentsOf: copy)
            for page in 2..<bytes.count / 4096 {
                bytes.replaceSubrange(page * 4096..<page * 4096 + 512, with: Data(count: 512))
            }
            try bytes.write(to: copy.deletingLastPathComponent().appendingPathComponent(name))
        }
    }
}
