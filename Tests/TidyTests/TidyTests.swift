import Foundation
import Testing

/// The rules of the house over the tree as it is. A failure lists every finding as file:line.
@Suite struct TidyTests {
    let tree = SourceTree.package

    private func expectNone(_ findings: [Finding], sourceLocation: SourceLocation = #_sourceLocation) {
        guard !findings.isEmpty else { return }
        let lines = findings.map(\.description).joined(separator: "\n")
        Issue.record("\(findings.count) findings:\n\(lines)", sourceLocation: sourceLocation)
    }

    private func table() throws -> TargetTable {
        TargetTable(
            manifest: try String(contentsOf: tree.root.appendingPathComponent("Package.swift"), encoding: .utf8))
    }

    @Test func `the tree is found`() throws {
        #expect(tree.swiftFiles.count > 40)
        #expect(try table().dependencies.count > 20)
        #expect(tree.otherFiles.contains { $0.path == "Package.swift" })
    }

    @Test func `dependencies run down the house and never back`() throws {
        expectNone(Checks.dependencyDirection(in: try table()))
    }

    @Test func `each file imports only what its target declares, and a core nothing that reaches outside`() throws {
        let table = try table()
        expectNone(tree.swiftFiles.flatMap { Checks.imports(in: $0, table: table) })
    }

    @Test func `every declared dependency is used`() throws {
        expectNone(Checks.unusedDependencies(in: try table(), files: tree.swiftFiles))
    }

    @Test func `every target has its folder, every folder its target`() throws {
        var folders: Set<String> = []
        for parent in ["Sources", "Tests"] {
            let entries = try FileManager.default.contentsOfDirectory(
                at: tree.root.appendingPathComponent(parent), includingPropertiesForKeys: [.isDirectoryKey])
            for entry in entries where entry.hasDirectoryPath { folders.insert(entry.lastPathComponent) }
        }
        expectNone(Checks.folders(folders, table: try table()))
    }

    @Test func `no banned word`() {
        expectNone(tree.swiftFiles.flatMap(Checks.bannedWords))
        expectNone(tree.otherFiles.flatMap(Checks.unfinishedNotes))
    }

    @Test func `lines, functions and files are as long as they may be`() {
        expectNone(tree.swiftFiles.flatMap(Checks.lengths))
        expectNone(tree.swiftFiles.flatMap(Checks.functionLengths))
    }

    @Test func `what other rooms may use is documented`() {
        expectNone(tree.swiftFiles.flatMap(Checks.missingDocumentation))
    }

    @Test func `nothing names a path of one machine`() {
        expectNone((tree.swiftFiles + tree.otherFiles).flatMap(Checks.machinePaths))
    }

    @Test func `names are words of the field, and placeholders go when something comes`() {
        expectNone(tree.swiftFiles.flatMap(Checks.emptyNames))
        expectNone(Checks.leftPlaceholders(among: tree.swiftFiles))
    }

    @Test(arguments: [
        "deploy/run", "deploy/test", "deploy/demo", "deploy/fuzz", "deploy/schemathesis", "deploy/client/generate",
        "deploy/measure/slow-clients", ".ci/run", "deploy/lib.sh",
    ])
    func `scripts are executable, and bash can read them`(path: String) throws {
        let script = tree.root.appendingPathComponent(path).path
        #expect(FileManager.default.isExecutableFile(atPath: script) != path.hasSuffix(".sh"), "\(path): run bit")
        let bash = Process()
        bash.executableURL = URL(fileURLWithPath: "/bin/bash")
        bash.arguments = ["-n", script]
        try bash.run()
        bash.waitUntilExit()
        #expect(bash.terminationStatus == 0, "\(path): syntax")
    }
}
