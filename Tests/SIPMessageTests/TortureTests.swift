import Glibc
import SIPMessage
import Testing

/// Messages of RFC 4475, RFC 5118 and RFC 3665 from a folder beside the repository, where it is there.
enum TortureFolder {
    /// `sip-torture` in a folder `shared` beside one of the folders above this file; nil where it isn't there.
    static let path: String? = {
        var folder = "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        for _ in 0..<4 {
            let candidate = folder + "/../shared/sip-torture"
            if access(candidate + "/expected.tsv", R_OK) == 0 { return candidate }
            folder += "/.."
        }
        return nil
    }()

    static func bytes(of name: String) -> [UInt8]? {
        guard let path, let file = fopen(path + "/" + name, "rb") else { return nil }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = fread(&buffer, 1, buffer.count, file)
            if count == 0 { return bytes }
            bytes += buffer[..<count]
        }
    }

    /// The rows of a table under its head line.
    static func rows(of name: String) -> [[String]] {
        guard let bytes = bytes(of: name) else { return [] }
        return String(decoding: bytes, as: UTF8.self).split(separator: "\n").dropFirst()
            .map { $0.split(separator: "\t", omittingEmptySubsequences: false).map { String($0) } }
    }
}

@Suite(.enabled(if: TortureFolder.path != nil, "the folder sip-torture is not there"))
struct TortureTests {
    @Test func `every message of RFC 3665's call flows is read`() throws {
        let rows = TortureFolder.rows(of: "flows/rfc3665/flows.tsv")
        #expect(rows.count > 150)
        for row in rows {
            let bytes = try #require(TortureFolder.bytes(of: "flows/rfc3665/" + row[0]))
            var message = Message()
            do {
                try message.parse(bytes.span)
            } catch {
                Issue.record("\(row[0]): \(error)")
                continue
            }
            let viaCount = message.fields.filter { $0.name == .via }.count
            #expect(String(viaCount) == row[9], "\(row[0])")
            #expect(message.isRequest == !row[7].hasPrefix("SIP/2.0"), "\(row[0])")
            #expect(String(message.body.count) == row[12], "\(row[0])")
        }
    }

    @Test func `valid messages are read, invalid ones are refused as the table says`() throws {
        let rows = TortureFolder.rows(of: "expected.tsv")
        #expect(rows.count > 30)
        for row in rows {
            let bytes = try #require(TortureFolder.bytes(of: row[0]), "\(row[0])")
            let outcomes = row[8].split(separator: "|").map { String($0) }
            var message = Message()
            var outcome = "process"
            do {
                try message.parse(bytes.span)
            } catch {
                outcome = message.isAnswerable ? String(error.status) : "drop"
            }
            // Routing policy may answer with other codes, and a response that is read may still be dropped.
            let isFine =
                outcomes.contains(outcome)
                || (outcome == "process"
                    && (row[3] == "response" || outcomes.contains("416") || outcomes.contains("process")))
            #expect(isFine, "\(row[0]): \(outcome), expected \(row[8])")
        }
    }
}
