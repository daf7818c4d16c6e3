import Fixtures
import SIPMessage
import Testing

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
