import Foundation

/// The targets that Package.swift declares, read from its text: `swift package` can't be asked while tests hold its
/// lock.
struct TargetTable {
    /// What each target may import: targets of ours and products of others.
    var dependencies: [String: Set<String>] = [:]

    init(manifest: String) {
        for kind in [".target(", ".executableTarget(", ".testTarget(", ".systemLibrary("] {
            for block in Self.blocks(after: kind, in: manifest) {
                let names = Self.blocks(after: "dependencies: [", in: block)
                guard let name = Self.literals(in: block).first else { continue }
                dependencies[name] = Set(names.flatMap { Self.dependencyNames(in: $0) })
            }
        }
    }

    /// Everything between each occurrence of the opening text and the bracket that closes it.
    private static func blocks(after opening: String, in text: String) -> [String] {
        text.components(separatedBy: opening).dropFirst().map { rest in
            var depth = 1
            return String(
                rest.prefix { character in
                    if "([".contains(character) { depth += 1 }
                    if ")]".contains(character) { depth -= 1 }
                    return depth > 0
                })
        }
    }

    private static func literals(in text: String) -> [String] {
        text.components(separatedBy: "\"").enumerated().filter { $0.offset % 2 == 1 }.map(\.element)
    }

    /// `"Routing", .product(name: "GRDB", package: "GRDB.swift")` names Routing and GRDB.
    private static func dependencyNames(in list: String) -> [String] {
        let parts = list.components(separatedBy: ".product(")
        return literals(in: parts[0])
            + parts.dropFirst().flatMap { part -> [String] in
                let halves = part.split(separator: ")", maxSplits: 1, omittingEmptySubsequences: false)
                return literals(in: String(halves[0])).prefix(1)
                    + literals(in: halves.count > 1 ? String(halves[1]) : "")
            }
    }
}

extension Checks {
    /// The house: what each room may know of the others, the way that data flows. Package.swift may ask for less.
    static let house: [String: Set<String>] = {
        let values: Set = ["Time", "Addressing"]
        let cores: Set = ["SIPMessage", "SIPTransaction", "Routing", "Redirect", "Proxy", "Probing"]
        return [
            "Time": [], "Addressing": [], "JSON": [], "SIPMessage": values, "Routing": values.union(["CMemory"]),
            "SIPTransaction": values.union(["SIPMessage"]),
            "Redirect": values.union(["SIPMessage", "Routing"]),
            "Proxy": values.union(["SIPMessage", "SIPTransaction", "Routing", "Redirect"]),
            "Probing": values.union(["SIPMessage", "SIPTransaction", "Routing"]),
            "SignallingCore": values.union(cores).union(["CMemory"]),
            "CSignalling": [], "CMicrohttpd": [], "CCurl": [], "CInstruments": [], "CMemory": [],
            "HTTPClient": values.union(["CCurl"]),
            "SignallingIO": values.union(cores).union(["SignallingCore", "CSignalling", "CMemory"]),
            "Store": values.union(["Routing", "JSON", "GRDB", "GRDBSQLite", "Crypto"]),
            "NetworkManager": values.union(["Routing", "Store", "HTTPClient", "JSON", "Crypto"]),
            "ControlPlane": values.union([
                "Routing", "Store", "NetworkManager", "HTTPClient", "SIPMessage", "JSON",
            ]),
            // Of Routing, Store and NetworkManager the API shows values: a status, records, events.
            "HTTPAPI": values.union(["ControlPlane", "Routing", "Store", "NetworkManager", "JSON", "CMicrohttpd"]),
            "Simulation": values.union(cores).union(["SignallingCore"]),
            "MethodSimulation": values.union(["Simulation", "NetworkManager", "Store", "Routing"]),
            "Benchmark": values.union([
                "SIPMessage", "SIPTransaction", "Probing", "Routing", "SignallingCore", "SignallingIO", "JSON",
                "ControlPlane", "NetworkManager", "Store", "GRDB", "CInstruments",
            ]),
            "Fixtures": values.union(["Routing"]),
            "Fuzzing": values.union(cores).union(["SignallingCore", "Simulation", "JSON"]),
        ]
    }()
    /// Sees every room: settings, wiring, lifecycle.
    static let process = "tandem"

    /// What comes with the toolchain; a core may have only the last two.
    private static let toolchain: Set<String> = [
        "Foundation", "FoundationEssentials", "FoundationNetworking", "Dispatch", "Glibc", "Testing", "Synchronization",
        "Swift",
    ]
    private static let toolchainForCores: Set<String> = ["Synchronization", "Swift"]

    /// Dependencies in the manifest that run back up the house, rooms that the house doesn't have, and cycles.
    static func dependencyDirection(in table: TargetTable) -> [Finding] {
        var findings: [Finding] = []
        let report = { Finding(file: "Package.swift", line: 0, what: $0) }
        for (target, dependencies) in table.dependencies.sorted(by: { $0.key < $1.key }) {
            if !target.hasSuffix("Tests"), target != process {
                guard let allowed = house[target] else {
                    findings.append(report("\(target) is no room of the house: give it a place in the table"))
                    continue
                }
                let wrong = dependencies.subtracting(allowed).sorted()
                findings += wrong.map { report("\(target) may not depend on \($0)") }
            }
            var reached: Set<String> = []
            var open = Array(dependencies)
            while let next = open.popLast() {
                if reached.insert(next).inserted { open += table.dependencies[next] ?? [] }
            }
            if reached.contains(target) { findings.append(report("\(target) depends on itself, through others")) }
        }
        return findings
    }

    /// Dependencies that no file of their target imports. An executable is built for a test, never imported.
    static func unusedDependencies(in table: TargetTable, files: [SourceFile]) -> [Finding] {
        var imported: [String: Set<String>] = [:]
        for file in files {
            guard let target = file.target else { continue }
            imported[target, default: []].formUnion(file.code.compactMap(importedModule))
        }
        return table.dependencies.sorted { $0.key < $1.key }.flatMap { target, dependencies in
            dependencies.subtracting(imported[target] ?? []).subtracting([process]).sorted().map {
                Finding(file: "Package.swift", line: 0, what: "no file of \(target) imports \($0)")
            }
        }
    }

    /// Imports that the file's target does not declare; in a core, whatever reaches outside the process.
    static func imports(in file: SourceFile, table: TargetTable) -> [Finding] {
        guard let target = file.target, let declared = table.dependencies[target] else { return [] }
        let allowed = declared.union(!file.isTest && cores.contains(target) ? toolchainForCores : toolchain)
        return file.code.enumerated().compactMap { index, line in
            guard let module = importedModule(line), !allowed.contains(module) else { return nil }
            return file.finding(index, "\(target) may not import \(module)")
        }
    }

    /// `@testable package import struct A.B` imports A.
    static func importedModule(_ line: String) -> String? {
        guard line.contains("import ") else { return nil }
        var words = line.split(separator: " ")[...]
        while let first = words.first, first.hasPrefix("@") || accessWords.contains(first) { words.removeFirst() }
        guard words.popFirst() == "import" else { return nil }
        if let first = words.first, importKinds.contains(first) { words.removeFirst() }
        return words.first?.split(separator: ".").first.map(String.init)
    }

    private static let accessWords: Set<Substring> = ["public", "package", "internal", "fileprivate", "private"]
    private static let importKinds: Set<Substring> = [
        "struct", "class", "enum", "protocol", "func", "var", "let", "typealias",
    ]

    /// Rooms without a folder, and folders that no target claims.
    static func folders(_ existing: Set<String>, table: TargetTable) -> [Finding] {
        let declared = Set(table.dependencies.keys)
        return declared.subtracting(existing).sorted().map {
            Finding(file: "Package.swift", line: 0, what: "\($0) has no folder")
        }
            + existing.subtracting(declared).sorted().map {
                Finding(file: "Package.swift", line: 0, what: "the folder \($0) is no target")
            }
    }
}
