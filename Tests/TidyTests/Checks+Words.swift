import Foundation

/// The checks, by name. Each takes what it judges and gives its findings in the order of lines.
enum Checks {
    /// What must touch neither kernel, clock nor thread: the protocol cores, what they share, and `Routing`.
    static let cores: Set<String> = [
        "Time", "Addressing", "SIPMessage", "SIPTransaction", "Routing", "Redirect", "Proxy", "Probing",
        "SignallingCore", "RASMessage", "Gatekeeper",
    ]

    /// Words that no code of ours may use, and why.
    private static let everywhere = [
        "try!": "throw, or handle it", "as!": "use as? and a guard",
        "fatalError(": "refuse, or precondition with a reason",
        "preconditionFailure()": "a trap owes a reason",
    ]
    private static let inSources = [
        "Date()": "the wall clock comes in as a value", "try?": "an error may not vanish",
        "catch {}": "an error may not vanish", "catch { }": "an error may not vanish",
    ]
    private static let inCores = [
        "ContinuousClock": "time comes in as now", "SuspendingClock": "time comes in as now",
        "Task {": "no thread of its own", "Task(": "no thread of its own", "Task.": "no thread of its own",
        "SystemRandomNumberGenerator": "random numbers come in", ".random(in": "random numbers come in",
    ]
    private static let unfinished = ["TO" + "DO", "FIX" + "ME", "X" + "XX"]

    /// Banned words: in code outside comments and literals; notes to ourselves, in comments too.
    static func bannedWords(in file: SourceFile) -> [Finding] {
        var words = everywhere
        if !file.isTest { words.merge(inSources) { first, _ in first } }
        if !file.isTest, let target = file.target, cores.contains(target) { words.merge(inCores) { first, _ in first } }
        let all = file.code.joined(separator: "\n")
        words = words.filter { all.contains($0.key) }
        var findings: [Finding] = []
        for (index, line) in file.code.enumerated() {
            for (word, remedy) in words.sorted(by: { $0.key < $1.key }) where holds(line, word) {
                findings.append(file.finding(index, "\(word) is banned: \(remedy)"))
            }
        }
        return findings + unfinishedNotes(in: file)
    }

    static func unfinishedNotes(in file: SourceFile) -> [Finding] {
        file.lines.enumerated().flatMap { index, line in
            unfinished.filter { line.contains($0) }.map {
                file.finding(index, "\($0): file an issue, or do it")
            }
        }
    }

    /// Whether the word stands there on its own and is not the tail of a longer one (`Date()` in `validDate()`).
    private static func holds(_ line: String, _ word: String) -> Bool {
        var rest = line[...]
        while let range = rest.range(of: word) {
            let before = range.lowerBound > line.startIndex ? line[line.index(before: range.lowerBound)] : " "
            let isTail = word.first?.isLetter == true && (before.isLetter || before.isNumber || before == "_")
            if !isTail { return true }
            rest = rest[range.upperBound...]
        }
        return false
    }

    /// Paths that exist on one machine only.
    static func machinePaths(in file: SourceFile) -> [Finding] {
        let roots = ["home", "root", "work", "farm"].map { "/\($0)/" }
        return file.lines.enumerated().flatMap { index, line in
            roots.filter { root in
                guard let range = line.range(of: root) else { return false }
                guard range.lowerBound > line.startIndex else { return true }
                let before = line[line.index(before: range.lowerBound)]
                return !(before.isLetter || before.isNumber || "_.-})".contains(before))
            }.map { file.finding(index, "\($0)... is a path of one machine") }
        }
    }

    /// Names that say nothing: of files, folders and types.
    static func emptyNames(in file: SourceFile) -> [Finding] {
        let empty = ["Utils", "Utilities", "Helpers", "Common", "Manager"]
        let say = { (name: String) in
            empty.first { name.replacingOccurrences(of: "NetworkManager", with: "").contains($0) }
        }
        var findings: [Finding] = []
        for part in file.path.split(separator: "/") {
            if let word = say(String(part)) {
                findings.append(Finding(file: file.path, line: 0, what: "\(part): \(word) is no name of the field"))
            }
        }
        for (index, line) in file.code.enumerated() {
            let words = line.split { !($0.isLetter || $0.isNumber || $0 == "_") }
            for (keyword, name) in zip(words, words.dropFirst())
            where ["struct", "class", "enum", "actor", "protocol", "typealias"].contains(keyword) {
                guard let word = say(String(name)) else { continue }
                findings.append(file.finding(index, "\(name): \(word) is no name of the field"))
            }
        }
        return findings
    }

    /// A placeholder that stayed after its folder got something to hold.
    static func leftPlaceholders(among files: [SourceFile]) -> [Finding] {
        files.filter { $0.path.hasSuffix("/Placeholder.swift") }.filter { file in
            files.contains { $0.target == file.target && $0.isTest == file.isTest && $0.path != file.path }
        }.map { Finding(file: $0.path, line: 0, what: "the folder holds something: delete the placeholder") }
    }
}
