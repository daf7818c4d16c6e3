/// Reads CSV (RFC 4180) as it comes, record by record: cells in double quotes may hold commas, line ends and doubled
/// quotes; a record ends with CR LF or LF. Holds one record at most.
struct CSVRecords {
    /// A record is not longer.
    static let limitBytes = 65_536

    /// One cell of a record: where its bytes are, without its quotes.
    struct Cell {
        fileprivate(set) var start: Int
        fileprivate(set) var end: Int
        fileprivate(set) var isQuoted: Bool
        /// Quotes in it are doubled.
        fileprivate(set) var hasQuotes: Bool
    }

    /// What is wrong with a record.
    struct Malformed: Error {
        let reason: String
        let allowed: String
        /// The number of the cell, from 1 up.
        let column: Int
    }

    private var waiting: [UInt8] = []
    private var line: Int64 = 1
    private var isFirst = true
    private var cells: [Cell] = []

    /// Takes the next piece, and calls `body` with each record that is whole: its line, the bytes that its cells lie
    /// in, its cells; or what is wrong with it.
    ///
    /// - Parameter isLast: nothing comes behind the piece.
    mutating func take(
        _ piece: UnsafeRawBufferPointer, isLast: Bool,
        _ body: (_ line: Int64, UnsafeRawBufferPointer, Result<[Cell], Malformed>) throws -> Void
    ) rethrows {
        waiting.append(contentsOf: piece)
        // Without an end of a line in it the piece ends no record: whoever sends byte by byte costs no second look.
        guard isLast || piece.contains(UInt8(ascii: "\n")) || waiting.count > Self.limitBytes else { return }
        let bytes = waiting
        waiting = []
        try bytes.withUnsafeBytes { bytes in
            var start = 0
            if isFirst, bytes.starts(with: [0xEF, 0xBB, 0xBF]) { start = 3 }  // a byte order mark
            isFirst = isFirst && bytes.isEmpty
            while start < bytes.count {
                let record = read(bytes, from: start, isLast: isLast)
                guard let end = record.end else {
                    waiting = Array(bytes[start...])
                    return
                }
                if record.malformed != nil || !isBlank {
                    try body(line, bytes, record.malformed.map { .failure($0) } ?? .success(cells))
                }
                for byte in bytes[start..<end] where byte == UInt8(ascii: "\n") { line += 1 }
                start = end
            }
        }
    }

    private var isBlank: Bool { cells.count == 1 && !cells[0].isQuoted && cells[0].start == cells[0].end }

    /// Reads the record that begins at `start` into `cells`: where the next begins; nil when its end has not come.
    private mutating func read(
        _ bytes: UnsafeRawBufferPointer, from start: Int, isLast: Bool
    ) -> (end: Int?, malformed: Malformed?) {
        cells.removeAll(keepingCapacity: true)
        let limit = min(bytes.count, start + Self.limitBytes)
        var position = start
        while true {
            var cell = Cell(start: position, end: position, isQuoted: false, hasQuotes: false)
            if position < limit, bytes[position] == UInt8(ascii: "\"") {
                guard let end = Self.endOfQuoted(bytes, &cell, limit: limit) else {
                    return unended(bytes, from: start, isLast: isLast, "a cell in quotes does not end")
                }
                position = end
            } else {
                while position < limit {
                    let byte = bytes[position]
                    if byte == UInt8(ascii: ",") || byte == UInt8(ascii: "\n") { break }
                    if byte == UInt8(ascii: "\"") {
                        return malformed(bytes, at: position, "a quote in a cell that does not begin with one")
                    }
                    position += 1
                }
                cell.end = position
            }
            let isAtEnd = position == bytes.count && isLast
            guard position < limit || isAtEnd else {
                return unended(bytes, from: start, isLast: isLast, "the record is too long")
            }
            guard isAtEnd || bytes[position] == UInt8(ascii: "\n") else {
                if bytes[position] == UInt8(ascii: "\r"), cell.isQuoted {  // what follows decides
                    guard position + 1 < limit else {
                        return unended(bytes, from: start, isLast: isLast, "the record ends with a lone CR")
                    }
                    guard bytes[position + 1] == UInt8(ascii: "\n") else {
                        return malformed(bytes, at: position, "something stands behind the quote that ends a cell")
                    }
                    cells.append(cell)
                    return (position + 2, nil)
                }
                guard bytes[position] == UInt8(ascii: ",") else {
                    return malformed(bytes, at: position, "something stands behind the quote that ends a cell")
                }
                cells.append(cell)
                position += 1
                continue
            }
            if !cell.isQuoted, cell.end > cell.start, bytes[cell.end - 1] == UInt8(ascii: "\r") { cell.end -= 1 }
            cells.append(cell)
            return (min(position + 1, bytes.count), nil)
        }
    }

    /// The place behind the closing quote of a cell; nil when it has not come.
    private static func endOfQuoted(_ bytes: UnsafeRawBufferPointer, _ cell: inout Cell, limit: Int) -> Int? {
        cell.isQuoted = true
        cell.start += 1
        var position = cell.start
        while position < limit {
            guard bytes[position] == UInt8(ascii: "\"") else {
                position += 1
                continue
            }
            if position + 1 < limit, bytes[position + 1] == UInt8(ascii: "\"") {
                cell.hasQuotes = true
                position += 2
                continue
            }
            // At the end of what has come it may be the first of two.
            guard position + 1 < limit || position + 1 == bytes.count else { return nil }
            cell.end = position
            return position + 1
        }
        return nil
    }

    /// More is needed, unless there is no more, or no more is taken.
    private func unended(
        _ bytes: UnsafeRawBufferPointer, from start: Int, isLast: Bool, _ reason: String
    ) -> (end: Int?, malformed: Malformed?) {
        let isTooLong = bytes.count - start > Self.limitBytes
        guard isLast || isTooLong else { return (nil, nil) }
        return malformed(
            bytes, at: isTooLong ? start + Self.limitBytes : bytes.count,
            isTooLong ? "a record of more than \(Self.limitBytes) bytes" : reason)
    }

    /// Goes on behind the end of the line.
    private func malformed(
        _ bytes: UnsafeRawBufferPointer, at position: Int, _ reason: String
    ) -> (end: Int?, malformed: Malformed?) {
        let rest = bytes[min(position, bytes.count)...]
        let end = rest.firstIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? bytes.count
        return (
            end,
            Malformed(
                reason: reason, allowed: "records as RFC 4180 has them, of up to \(Self.limitBytes) bytes",
                column: cells.count + 1)
        )
    }
}

extension CSVRecords.Cell {
    /// True when nothing stands there, not even quotes.
    var isEmpty: Bool { !isQuoted && start == end }

    /// The bytes as they stand between the quotes.
    func raw(in bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: bytes[start..<end])
    }

    /// The text; nil when it is not UTF-8.
    func text(in bytes: UnsafeRawBufferPointer) -> String? {
        guard hasQuotes else { return String(validating: raw(in: bytes), as: UTF8.self) }
        var single: [UInt8] = []
        var isSecond = false
        for byte in raw(in: bytes) {
            isSecond = byte == UInt8(ascii: "\"") && !isSecond
            if byte != UInt8(ascii: "\"") || isSecond { single.append(byte) }
        }
        return String(validating: single, as: UTF8.self)
    }
}
