import ArgumentParser
import Foundation
import HTTPClient
import JSON
import Routing
import SignallingIO
import Store
import Time

/// `tandem backup`.
struct BackupCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "backup",
        abstract: "Ask a running server for a consistent copy of its database, and verify it.",
        discussion: """
            The server goes on taking calls and changes. The copy holds everything, secrets too: keep it as you keep \
            the database. Every flag can also stand in the environment: --admin-token-file is TANDEM_ADMIN_TOKEN_FILE.
            """)

    @Option(
        help: ArgumentHelp("Where the server's API is: http://127.0.0.1:8080, or without the scheme.", valueName: "url")
    )
    var api = "http://127.0.0.1:8080"
    @Option(help: ArgumentHelp("The file to write; it must not exist.", valueName: "file"))
    var output: String
    @Option(
        help: ArgumentHelp("A file that holds an admin's token, where the server asks for one.", valueName: "file"))
    var adminTokenFile: String?
    @Option(
        help: ArgumentHelp(
            "PEM: certificates to trust instead of the system's, the server's own one for example.", valueName: "file"))
    var apiCertificate: String?

    func run() throws {
        let token = try adminTokenFile.map { (path) throws(Failure) in try AdminTokenFile.token(in: path) }
        if let apiCertificate { _ = try PrivateFile.readPublic(apiCertificate, of: "--api-certificate") }
        guard access(output, F_OK) != 0 else { throw Failure.setting("--output \(output): the file exists") }
        let part = output + ".part"
        let descriptor = open(part, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else {
            throw Failure.setting("--output \(output): \(part) can't be made: \(String(cString: strerror(errno)))")
        }
        defer { close(descriptor) }
        do {
            try fetch(into: descriptor, token)
            let report = try verify(part)
            guard fsync(descriptor) == 0, link(part, output) == 0 else {
                throw Failure.work("\(output) can't be written: \(String(cString: strerror(errno)))")
            }
            unlink(part)
            print(
                "\(output): revision \(report.position.revision.number), \(report.objectCount) objects, "
                    + "\(report.routeCount) routes; verified")
        } catch {
            unlink(part)
            throw error
        }
    }

    private func fetch(into descriptor: Int32, _ token: String?) throws(Failure) {
        let base = api.contains("://") ? api : "http://\(api)"
        let url = (base.hasSuffix("/") ? String(base.dropLast()) : base) + "/v1/backup"
        let status: Int
        do {
            status = try HTTPDownload.get(
                url, headers: token.map { ["Authorization: Bearer \($0)"] } ?? [], certificates: apiCertificate,
                userAgent: "Tandem/\(Tandem.version)", into: descriptor)
        } catch {
            throw .work("\(url): \(error.detail)")
        }
        guard status == 200 else { throw .work("\(url): \(status): \(Self.reason(in: descriptor))") }
    }

    /// What the server said of it.
    private static func reason(in descriptor: Int32) -> String {
        var buffer = [UInt8](repeating: 0, count: 65536)
        let count = pread(descriptor, &buffer, buffer.count, 0)
        do {
            return try JSONValue(parsing: Array(buffer.prefix(max(0, count))))["detail"]?.text ?? "no reason is given"
        } catch {
            return "this is no answer of Tandem's"
        }
    }

    private func verify(_ path: String) throws(Failure) -> StoreReport {
        let report: StoreReport
        do { report = try Store.check(path: path) } catch {
            throw .work("the copy that came can't be used: \(error.detail)")
        }
        guard let finding = report.findings.first else { return report }
        throw .work("the copy that came is damaged: \(finding)")
    }
}

/// `tandem restore`.
struct RestoreCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restore",
        abstract: "Put a backup in the place of a database that no server uses; the old one is kept aside.",
        discussion: "A damaged copy is refused, and so is a database in use: nothing is touched then.")

    @Option(help: ArgumentHelp("The backup.", valueName: "file"))
    var from: String
    @Option(help: ArgumentHelp("The database to put it in the place of.", valueName: "file"))
    var database = "tandem.db"

    func run() throws {
        let restored: Store.Restored
        do {
            restored = try Store.restore(from: from, to: database, at: SystemClock().wallTime)
        } catch {
            throw error.reason == .damaged ? Failure.work(error.detail) : Failure.setting(error.detail)
        }
        print(
            "\(database): revision \(restored.position.revision.number), epoch \(restored.position.epoch), "
                + "restored from \(from)")
        if let aside = restored.keptAside { print("the database that was there before: \(aside)") }
    }
}
