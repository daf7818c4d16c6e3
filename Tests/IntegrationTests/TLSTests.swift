import Foundation
import Testing

extension IntegrationTests {
    /// The API over TLS, with certificates that openssl makes in the test's folder: API section 1.
    @Suite(.serialized, .enabled(if: ChildProcess.isInstalled("openssl"), "openssl is not installed"))
    struct TLSTests {
        /// A self-signed certificate of that name, and its key.
        private func makeCertificate(_ name: String, in folder: URL, days: Int = 2) throws -> (String, String) {
            let (certificate, key) = ("\(folder.path)/\(name).pem", "\(folder.path)/\(name).key")
            let made = try ChildProcess.run(
                "openssl",
                [
                    "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout",
                    key,
                    "-out", certificate, "-days", "\(days)", "-subj", "/CN=\(name)", "-addext",
                    "subjectAltName=DNS:localhost,IP:127.0.0.1",
                ])
            guard made.ending == .exit(0) else { throw HarnessError("openssl: \(made.output)") }
            try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: key)
            return (certificate, key)
        }

        private func ask(
            _ tandem: TandemProcess, _ path: String, trusting certificate: String, _ options: [String] = []
        ) throws -> CurlAnswer {
            try Curl.ask("https://localhost:\(tandem.apiPort)\(path)", ["--cacert", certificate] + options)
        }

        @Test func `over TLS 1.2 and 1.3, not below, not in the clear; long polls and streams too`() throws {
            try withTemporaryFolder { folder in
                let (certificate, key) = try makeCertificate("first", in: folder)
                try TandemProcess.serving(["--api-certificate", certificate, "--api-key", key]) { tandem in
                    for version in ["1.2", "1.3"] {
                        let options = ["--tlsv\(version)", "--tls-max", version]
                        #expect(try ask(tandem, "/livez", trusting: certificate, options).status == 200)
                    }
                    let old = try ChildProcess.run(
                        "curl",
                        [
                            "-s", "--cacert", certificate, "--tlsv1.0", "--tls-max", "1.1", "--ciphers",
                            "DEFAULT@SECLEVEL=0", "https://localhost:\(tandem.apiPort)/livez",
                        ])
                    #expect(old.ending != .exit(0))
                    let clear = try ChildProcess.run("curl", ["-s", "http://localhost:\(tandem.apiPort)/livez"])
                    #expect(clear.ending != .exit(0))
                    let put = try ask(
                        tandem, "/v1/gateways/gw1", trusting: certificate,
                        ["-X", "PUT", "-d", #"{"uri":"sip:192.0.2.10"}"#])
                    #expect(put.status == 201)
                    let poll = try ask(tandem, "/v1/events?after=0&wait_s=1", trusting: certificate)
                    #expect(poll.status == 200 && poll.body.contains("routing.changed"))
                    let stream = try ChildProcess.run(
                        "curl",
                        [
                            "-s", "-N", "--max-time", "2", "--cacert", certificate, "-H", "Accept: text/event-stream",
                            "https://localhost:\(tandem.apiPort)/v1/events?after=0",
                        ])
                    #expect(stream.output.contains("event: routing.changed"))
                    let metrics = try ask(tandem, "/metrics", trusting: certificate).body
                    #expect(metrics.contains("tandem_http_certificate_expiry_timestamp_seconds"))
                }
            }
        }

        @Test func `SIGHUP shows a new certificate to those who connect then; one that will not do changes nothing`()
            throws
        {
            try withTemporaryFolder { folder in
                let (certificate, key) = try makeCertificate("shown", in: folder)
                let (next, nextKey) = try makeCertificate("next", in: folder)
                try TandemProcess.serving(["--api-certificate", certificate, "--api-key", key]) { tandem in
                    #expect(try ask(tandem, "/livez", trusting: certificate).status == 200)
                    let first = "\(folder.path)/first.pem"
                    try FileManager.default.copyItem(atPath: certificate, toPath: first)
                    try Data(contentsOf: URL(fileURLWithPath: next)).write(to: URL(fileURLWithPath: certificate))
                    tandem.process.signal(SIGHUP)
                    #expect(eventually(within: 10) { tandem.process.output.contains("certificate stays as it was") })
                    #expect(try ask(tandem, "/livez", trusting: first).status == 200, "the key is another's")
                    try Data(contentsOf: URL(fileURLWithPath: nextKey)).write(to: URL(fileURLWithPath: key))
                    try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: key)
                    tandem.process.signal(SIGHUP)
                    #expect(eventually(within: 10) { tandem.process.output.contains("certificate is read again") })
                    #expect(try ask(tandem, "/livez", trusting: next).status == 200)
                }
            }
        }

        @Test func `files that will not do are one line each that names the file, and exit code 2`() throws {
            try withTemporaryFolder { folder in
                let (certificate, key) = try makeCertificate("a", in: folder)
                let (_, otherKey) = try makeCertificate("b", in: folder)
                let open = "\(folder.path)/open.key"
                try FileManager.default.copyItem(atPath: key, toPath: open)
                try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: open)
                for (chain, secret, says) in [
                    (certificate, otherKey, "not the key of the certificate"), (key, key, "no certificates in PEM"),
                    (certificate, open, "chmod 600"), (certificate, "\(folder.path)/none", "can't be read"),
                ] {
                    let arguments =
                        TandemProcess.arguments(database: "x.db") + ["--api-certificate", chain, "--api-key", secret]
                    let process = try TandemProcess.launch(arguments, in: folder, output: "refused")
                    defer { process.stop() }
                    #expect(try process.waitForEnd(seconds: 20) == .exit(2))
                    let lines = process.output.split(separator: "\n")
                    #expect(lines.count == 1 && lines[0].contains(says), "\(says): \(lines)")
                }
            }
        }
    }
}
