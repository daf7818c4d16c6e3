import Foundation

extension Checks {
    static let columnLimit = 120
    static let fileLimit = 400
    static let functionLimit = 70

    /// Lines and files that are too long.
    static func lengths(of file: SourceFile) -> [Finding] {
        var findings = file.lines.enumerated().filter { $0.element.count > columnLimit }.map { index, line in
            file.finding(index, "\(line.count) columns, \(columnLimit) at most")
        }
        let count = file.lines.last?.isEmpty == true ? file.lines.count - 1 : file.lines.count
        if count > fileLimit {
            findings.append(
                Finding(file: file.path, line: 0, what: "\(count) lines, \(fileLimit) at most: one idea a file?"))
        }
        return findings
    }

    /// Functions that don't fit a screen.
    static func functionLengths(in file: SourceFile) -> [Finding] {
        file.code.indices.compactMap { index in
            guard declaresFunction(file.code[index]), let end = lastLine(ofFunctionAt: index, in: file.code) else {
                return nil
            }
            let length = end - index + 1
            guard length > functionLimit else { return nil }
            return file.finding(index, "a function of \(length) lines, \(functionLimit) at most")
        }
    }

    private static func declaresFunction(_ line: String) -> Bool {
        for word in ["func ", "init(", "init?(", "init<", "deinit ", "subscript("] {
            guard let range = line.range(of: word) else { continue }
            guard range.lowerBound > line.startIndex else { return true }
            if line[line.index(before: range.lowerBound)] == " " { return true }
        }
        return false
    }

    /// The line of the brace that closes the body; nil for a requirement, which has none.
    private static func lastLine(ofFunctionAt start: Int, in code: [String]) -> Int? {
        var (parentheses, braces) = (0, 0)
        for index in start..<code.count {
            if index > start, braces == 0, parentheses == 0, !continuesSignature(code[index]) { return nil }
            for byte in code[index].utf8 {
                switch byte {
                case UInt8(ascii: "("), UInt8(ascii: "["): parentheses += 1
                case UInt8(ascii: ")"), UInt8(ascii: "]"): parentheses -= 1
                case UInt8(ascii: "{") where parentheses == 0 || braces > 0: braces += 1
                case UInt8(ascii: "}") where braces > 0:
                    braces -= 1
                    if braces == 0 { return index }
                default: break
                }
            }
        }
        return nil
    }

    private static func continuesSignature(_ line: String) -> Bool {
        let text = line.drop { $0 == " " }
        return ["{", "->", "where ", "async", "throws", ")"].contains { text.hasPrefix($0) }
    }

    /// Declarations for other rooms that say nothing about themselves. What a protocol of the standard library asks for
    /// is told by the protocol.
    static func missingDocumentation(in file: SourceFile) -> [Finding] {
        guard !file.isTest else { return [] }
        return file.code.indices.filter {
            isForOtherRooms(file.code[$0]) && !isTold(file.code[$0]) && !isDocumented($0, in: file)
        }.map {
            file.finding($0, "no /// comment: \(file.lines[$0].drop { $0 == " " }.prefix(60))")
        }
    }

    private static func isForOtherRooms(_ line: String) -> Bool {
        var words = line.split(separator: " ")
        while let first = words.first, first.hasPrefix("@") { words.removeFirst() }
        guard let access = words.first, ["package", "public", "open"].contains(access), words.count > 1 else {
            return false
        }
        return words[1] != "import" && words[1] != "extension" && words[1] != "="
    }

    private static func isTold(_ line: String) -> Bool {
        ["static func < (", "static func == (", "var description: String", "func hash(into "].contains {
            line.contains($0)
        }
    }

    private static func isDocumented(_ index: Int, in file: SourceFile) -> Bool {
        for above in stride(from: index - 1, through: 0, by: -1) {
            let text = file.lines[above].drop { $0 == " " }
            if text.hasPrefix("///") { return true }
            guard text.hasPrefix("@") || text.hasPrefix("#if") || text.hasPrefix("// swift-format-ignore") else {
                return false
            }
        }
        return false
    }
}
