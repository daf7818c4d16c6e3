import Foundation
import Testing

extension IntegrationTests {
    /// Who may use the API, with curl: API sections 1 and 2.
    @Suite(.serialized) struct AccessTests {
        private let admin = "0123456789abcdef0123456789abcdef"

        /// A file with the admin's token that only its owner can read.
        private func tokenFile(_ token: String, mode: Int = 0o600) throws -> String {
            let path = FileManager.default.temporaryDirectory.appendingPathComponent("token-\(UUID().uuidString)").path
            try Data((token + "\n").utf8).write(to: URL(fileURLWithPath: path))
            try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
            return path
        }

        private func bearer(_ token: String) -> [String] { ["-H", "Authorization: Bearer \(token)"] }

        @Test func `with a token file: 401 without a token, roles with one, revoked at once, and over a restart`()
            throws
        {
            let file = try tokenFile(admin)
            defer { unlink(file) }
            try TandemProcess.serving(["--admin-token-file", file]) { tandem in
                let bare = try tandem.get("/v1/gateways")
                #expect(bare.status == 401)
                #expect(bare.headers["www-authenticate"]?.hasPrefix("Bearer") == true)
                #expect(try bare.document["type"].string == "/problems/unauthorised")
                #expect(try tandem.get("/livez").status == 200)
                let made = try tandem.put(
                    "tokens/oss", #"{"role":"operator","expires_at":null,"description":"..."}"#, bearer(admin))
                #expect(made.status == 201)
                let token = try #require(try made.document["token"].string)
                let gateway = #"{"uri":"sip:192.0.2.10"}"#
                #expect(try tandem.put("gateways/gw1", gateway, bearer(token)).status == 201)
                #expect(try tandem.put("gateways/gw1", gateway).status == 401)
                #expect(try tandem.get("/v1/tokens", bearer(token)).status == 403)
                tandem.process.signal(SIGTERM)
                #expect(try tandem.process.waitForEnd(seconds: 20) == .exit(0))
                try tandem.restart()
                #expect(try tandem.get("/v1/gateways/gw1", bearer(token)).status == 200)
                let shown = try tandem.get("/v1/tokens/oss", bearer(admin)).document
                #expect(shown["last_used_at"].string != nil && shown["token"].string == nil)
                #expect(try tandem.delete("tokens/oss", bearer(admin)).status == 204)
                #expect(try tandem.get("/v1/gateways/gw1", bearer(token)).status == 401)
                let database = try Data(contentsOf: URL(fileURLWithPath: tandem.database))
                #expect(database.range(of: Data(token.utf8)) == nil, "the token is stored nowhere")
                #expect(!tandem.process.output.contains(token) && !tandem.process.output.contains(admin))
            }
        }

        @Test func `SIGHUP reads the admin's token again; a file that others can read changes nothing`() throws {
            let file = try tokenFile(admin)
            defer { unlink(file) }
            try TandemProcess.serving(["--admin-token-file", file]) { tandem in
                let next = "another-admin-token"
                try Data(next.utf8).write(to: URL(fileURLWithPath: file))
                try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: file)
                tandem.process.signal(SIGHUP)
                #expect(eventually(within: 10) { tandem.process.output.contains("stays as it was") })
                #expect(try tandem.get("/v1/gateways", bearer(admin)).status == 200)
                try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: file)
                tandem.process.signal(SIGHUP)
                #expect(try eventually(within: 10) { try tandem.get("/v1/gateways", bearer(next)).status == 200 })
                #expect(try tandem.get("/v1/gateways", bearer(admin)).status == 401)
            }
        }

        @Test(arguments: [
            ("short", 0o600, "12"), ("0123456789abcdef", 0o640, "chmod 600"), ("two words in it", 0o600, "one token"),
        ])
        func `a token file that will not do is one line that says why, and exit code 2`(
            token: String, mode: Int, says: String
        ) throws {
            let file = try tokenFile(token, mode: mode)
            defer { unlink(file) }
            try withTemporaryFolder { folder in
                let arguments = TandemProcess.arguments(database: "x.db") + ["--admin-token-file", file]
                let process = try TandemProcess.launch(arguments, in: folder)
                defer { process.stop() }
                #expect(try process.waitForEnd(seconds: 20) == .exit(2))
                let lines = process.output.split(separator: "\n")
                #expect(lines.count == 1 && lines[0].contains(file) && lines[0].contains(says), "\(lines)")
                #expect(!process.output.contains(token))
            }
        }

        @Test func `an API for all addresses starts with a token file, and without TLS it warns`() throws {
            let file = try tokenFile(admin)
            defer { unlink(file) }
            try withTemporaryFolder { folder in
                let arguments =
                    TandemProcess.arguments(database: "x.db", api: "0.0.0.0:0") + ["--admin-token-file", file]
                let process = try TandemProcess.launch(arguments, in: folder)
                defer { process.stop() }
                #expect(eventually(within: 20) { process.output.contains("\"serving\"") })
                #expect(process.output.contains("without TLS"))
                process.signal(SIGTERM)
                #expect(try process.waitForEnd(seconds: 20) == .exit(0))
            }
        }
    }
}
