import Testing

@testable import ControlPlane

@Suite struct CSVRecordsTests {
    /// Each record as its line and its cells, or what is wrong with it.
    private func read(_ text: String, pieceBytes: Int = .max) -> [String] {
        var records = CSVRecords()
        var found: [String] = []
        let bytes = Array(text.utf8)
        var start = 0
        repeat {
            let end = pieceBytes < bytes.count - start ? start + pieceBytes : bytes.count
            bytes[start..<end].withUnsafeBytes { piece in
                records.take(piece, isLast: end == bytes.count) { line, bytes, record in
                    switch record {
                    case .success(let cells):
                        let texts = cells.map { $0.isEmpty ? "-" : "<\($0.text(in: bytes) ?? "?")>" }
                        found.append("\(line) " + texts.joined(separator: " "))
                    case .failure(let malformed): found.append("\(line):\(malformed.column) \(malformed.reason)")
                    }
                }
            }
            start = end
        } while start < bytes.count
        return found
    }

    @Test(arguments: [
        ("a,b\r\n1,2\r\n", ["1 <a> <b>", "2 <1> <2>"]),
        ("a,b\n1,2", ["1 <a> <b>", "2 <1> <2>"]),
        ("\u{FEFF}a\n", ["1 <a>"]),
        ("a,,\"\"\n,", ["1 <a> - <>", "2 - -"]),
        ("\"a\"\"b\",\"c,d\"\r\n", ["1 <a\"b> <c,d>"]),
        ("\"two\r\nlines\",x\ny,z\n", ["1 <two\r\nlines> <x>", "3 <y> <z>"]),
        ("a\n\n\r\nb\n", ["1 <a>", "4 <b>"]),
        ("\"\"\"\"\n", ["1 <\">"]),
        ("\"\"\"\"\"\"\n", ["1 <\"\">"]),
        ("a b , c\n", ["1 <a b > < c>"]),
        ("é,ü\n", ["1 <é> <ü>"]),
        ("\"a\"", ["1 <a>"]),
        ("", []),
    ]) func `records as RFC 4180 has them`(text: String, records: [String]) {
        for pieceBytes in 1...(text.utf8.count + 1) { #expect(read(text, pieceBytes: pieceBytes) == records) }
    }

    @Test(arguments: [
        ("a,b\"c\nd\n", ["1:2 a quote in a cell that does not begin with one", "2 <d>"]),
        ("\"a\"b,c\nd\n", ["1:1 something stands behind the quote that ends a cell", "2 <d>"]),
        ("x\n\"a\r,c\n", ["1 <x>", "2:1 a cell in quotes does not end"]),
        ("\"a\"\rb\nd\n", ["1:1 something stands behind the quote that ends a cell", "2 <d>"]),
    ]) func `what is malformed is told with its line and cell, and the next line is read`(
        text: String, records: [String]
    ) {
        for pieceBytes in 1...(text.utf8.count + 1) { #expect(read(text, pieceBytes: pieceBytes) == records) }
    }

    @Test func `a record has a limit, whatever its pieces`() {
        let long = String(repeating: "x", count: CSVRecords.limitBytes)
        for pieceBytes in [1000, 65_536, .max] {
            #expect(read("a\n\(long.dropLast())\nb\n", pieceBytes: pieceBytes).count == 3)
            let found = read("a\n\(long)yz\nb\n", pieceBytes: pieceBytes)
            #expect(found.first == "1 <a>" && found.last == "3 <b>")
            #expect(found.contains("2:1 a record of more than 65536 bytes"))
        }
    }

    @Test func `what is not UTF-8 is no text`() {
        var records = CSVRecords()
        var texts: [String?] = []
        [UInt8]([0xFF, 0x2C, 0x61]).withUnsafeBytes { piece in
            records.take(piece, isLast: true) { _, bytes, record in
                if case .success(let cells) = record { texts = cells.map { $0.text(in: bytes) } }
            }
        }
        #expect(texts == [nil, "a"])
    }
}
