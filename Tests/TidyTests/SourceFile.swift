import Foundation

// How this room works: `SourceTree` reads the package's files once; the checks (`Checks+*.swift`) are pure functions
// from a file, or from the package's table of targets, to findings; `TidyTests` runs them over the tree, `PlantedTests`
// over texts with a violation planted in them, so that a check that has gone blind is found out.

/// One thing that breaks a rule, where it stands.
struct Finding: Equatable, CustomStringConvertible {
    let file: String
    /// From 1; 0 where the file as a whole is meant.
    let line: Int
    let what: String

    var description: String { line == 0 ? "\(file): \(what)" : "\(file):\(line): \(what)" }
}

/// One text file of the package, as it is and with comments and literals blanked.
struct SourceFile {
    /// From the package's root.
    let path: String
    let lines: [Substring]
    /// The same lines with every character of a comment or a string literal replaced by a space.
    let code: [String]

    init(path: String, text: String) {
        self.path = path
        lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        var blanker = Blanker(text)
        code = path.hasSuffix(".swift") ? blanker.blanked().components(separatedBy: "\n") : lines.map(String.init)
    }

    /// `Sources/Routing/Prefix.swift` is of the target `Routing`; nil outside targets.
    var target: String? {
        let parts = path.split(separator: "/")
        guard parts.count > 2, parts[0] == "Sources" || parts[0] == "Tests" else { return nil }
        return String(parts[1])
    }

    var isTest: Bool { path.hasPrefix("Tests/") }

    func finding(_ index: Int, _ what: String) -> Finding { Finding(file: path, line: index + 1, what: what) }
}

/// What lies in the package's folder.
struct SourceTree {
    let root: URL
    let swiftFiles: [SourceFile]
    /// Every other text that is part of the project: scripts, documents, the manifest.
    let otherFiles: [SourceFile]

    /// The tree that this file is part of, read once.
    static let package = SourceTree(
        root: URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent())

    init(root: URL) {
        self.root = root
        let paths =
            ["Sources", "Tests", "deploy", "openapi", ".ci"].flatMap { folder in
                (FileManager.default.enumerator(atPath: root.appendingPathComponent(folder).path) ?? .init())
                    .compactMap { $0 as? String }.map { "\(folder)/\($0)" }
            } + ["Package.swift", "README.md", ".swift-format"]
        let files = paths.sorted().compactMap { path -> SourceFile? in
            guard let bytes = FileManager.default.contents(atPath: root.appendingPathComponent(path).path) else {
                return nil
            }
            return SourceFile(path: path, text: String(decoding: bytes, as: UTF8.self))
        }
        swiftFiles = files.filter { $0.path.hasSuffix(".swift") && $0.target != nil }
        otherFiles = files.filter { !$0.path.hasSuffix(".swift") || $0.target == nil }
    }
}

/// Blanks the comments and string literals of Swift text, and nothing else.
struct Blanker {
    private var bytes: [UInt8]
    private var at = 0

    init(_ text: String) { bytes = Array(text.utf8) }

    mutating func blanked() -> String {
        while at < bytes.count {
            if matches("//") {
                blank { $0.bytes[$0.at] == UInt8(ascii: "\n") }
            } else if matches("/*") {
                blankBlockComment()
            } else if !blankString() {
                at += 1
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private func matches(_ text: StaticString, from start: Int? = nil) -> Bool {
        let start = start ?? at
        guard start + text.utf8CodeUnitCount <= bytes.count else { return false }
        return text.withUTF8Buffer { $0.elementsEqual(bytes[start..<start + $0.count]) }
    }

    private mutating func blankOne() {
        guard at < bytes.count else { return }
        if bytes[at] != UInt8(ascii: "\n") { bytes[at] = UInt8(ascii: " ") }
        at += 1
    }

    private mutating func blank(until isEnd: (borrowing Blanker) -> Bool) {
        while at < bytes.count, !isEnd(self) { blankOne() }
    }

    private mutating func blankBlockComment() {
        var depth = 0
        repeat {
            if matches("/*") { depth += 1 } else if matches("*/") { depth -= 1 } else { blankOne(); continue }
            blankOne()
            blankOne()
        } while depth > 0 && at < bytes.count
    }

    /// Blanks the literal that begins here, `#`s and interpolations included; false when none does.
    private mutating func blankString() -> Bool {
        var hashes = 0
        while at + hashes < bytes.count, bytes[at + hashes] == UInt8(ascii: "#") { hashes += 1 }
        guard matches("\"", from: at + hashes) else { return false }
        let quotes = matches("\"\"\"", from: at + hashes) ? 3 : 1
        for _ in 0..<hashes + quotes { blankOne() }
        while at < bytes.count {
            if isDelimiter(quotes: quotes, hashes: hashes) {
                for _ in 0..<quotes + hashes { blankOne() }
                return true
            }
            guard bytes[at] == UInt8(ascii: "\\"), isRun(of: "#", count: hashes, from: at + 1) else {
                blankOne()
                continue
            }
            for _ in 0...hashes { blankOne() }
            if matches("(") { blankInterpolation() } else { blankOne() }
        }
        return true
    }

    private func isRun(of character: Unicode.Scalar, count: Int, from start: Int) -> Bool {
        start + count <= bytes.count && bytes[start..<start + count].allSatisfy { $0 == UInt8(ascii: character) }
    }

    private func isDelimiter(quotes: Int, hashes: Int) -> Bool {
        isRun(of: "\"", count: quotes, from: at) && isRun(of: "#", count: hashes, from: at + quotes)
    }

    private mutating func blankInterpolation() {
        var depth = 0
        repeat {
            if matches("(") { depth += 1 } else if matches(")") { depth -= 1 } else if blankString() { continue }
            blankOne()
        } while depth > 0 && at < bytes.count
    }
}
