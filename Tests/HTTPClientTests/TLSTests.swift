import Addressing
import Fixtures
import Foundation
import Testing
import Time

@testable import HTTPClient

/// Certificates are verified, and for the name that was asked for.
struct TLSTests {
    private static let areThere = ["openssl", "python3"].allSatisfy { program in
        (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
            .contains { FileManager.default.isExecutableFile(atPath: "\($0)/\(program)") }
    }

    private static let server = """
        import http.server, ssl, sys
        class Receiver(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                self.send_response(204)
                self.end_headers()
            def log_message(self, *arguments):
                pass
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain("certificate.pem", "key.pem")
        server.socket = context.wrap_socket(server.socket, server_side=True)
        print(server.server_address[1], flush=True)
        server.serve_forever()
        """

    private func process(_ words: [String], in folder: TemporaryFolder) throws -> (Process, Pipe) {
        let (process, pipe) = (Process(), Pipe())
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = words
        process.currentDirectoryURL = URL(fileURLWithPath: folder.path)
        (process.standardOutput, process.standardError) = (pipe, FileHandle.nullDevice)
        try process.run()
        return (process, pipe)
    }

    private func send(_ client: HTTPClient, _ url: String) async throws -> HTTPPostResult.Outcome {
        let post = HTTPPost(to: try WebURL(url), rule: .anywhere)
        return await withCheckedContinuation { continuation in
            client.post(post) { continuation.resume(returning: $0.outcome) }
        }
    }

    private func isTLSFailure(_ outcome: HTTPPostResult.Outcome) -> Bool {
        guard case .failure(let failure) = outcome else { return false }
        return failure.reason == .tls
    }

    @Test(.enabled(if: areThere, "openssl and python3 are not both installed"))
    func `a certificate that nobody vouches for, or that is another name's, is refused`() async throws {
        let folder = try TemporaryFolder()
        let made = try process(
            [
                "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days",
                "2", "-subj", "/CN=test", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "key.pem", "-out",
                "certificate.pem",
            ], in: folder
        ).0
        made.waitUntilExit()
        #expect(made.terminationStatus == 0)
        let (server, output) = try process(["python3", "-c", Self.server], in: folder)
        defer { server.terminate() }
        let said = String(decoding: output.fileHandleForReading.availableData, as: UTF8.self)
        let port = try #require(UInt16(said.trimmingCharacters(in: .whitespacesAndNewlines)))

        let wary = HTTPClient(userAgent: "Tandem/test", clock: MachineClock())
        let trusting = HTTPClient(
            userAgent: "Tandem/test", certificates: folder.file("certificate.pem"), clock: MachineClock())
        for client in [wary, trusting] { client.start() }
        defer { for client in [wary, trusting] { client.stop() } }
        #expect(isTLSFailure(try await send(wary, "https://127.0.0.1:\(port)/")))
        #expect(isTLSFailure(try await send(trusting, "https://localhost:\(port)/")))
        #expect(try await send(trusting, "https://127.0.0.1:\(port)/") == .response(status: 204, retryAfter: nil))
    }
}
