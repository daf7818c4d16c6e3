import Testing

/// Each check sees a violation that was planted for it, and lets the same words pass where they are harmless.
@Suite struct PlantedTests {
    private func file(_ text: String, at path: String = "Sources/Routing/Planted.swift") -> SourceFile {
        SourceFile(path: path, text: text)
    }

    private let table = TargetTable(
        manifest: """
            targets: [
                .target(name: "Time", swiftSettings: ours),
                .target(name: "Routing", dependencies: ["Time"], swiftSettings: ours),
                .target(
                    name: "Store", dependencies: ["Routing", .product(name: "GRDB", package: "GRDB.swift"), "Time"]),
                .testTarget(name: "RoutingTests", dependencies: ["Routing"]),
            ]
            """)

    @Test func `literals and comments are blanked, code is not`() {
        let planted = file(#"let a = "x \(b("try!")) y" + c /* try! /* d */ */ + e // try!"#)
        #expect(!planted.code[0].contains("try!"))
        #expect(planted.code[0].contains("let a ="))
        #expect(planted.code[0].contains("+ c") && planted.code[0].contains("+ e"))
        #expect(file("let a = #\"\\\" \"#; b\nlet c = \"\"\"\n  \"d\" as!\n  \"\"\"; e").code[0].contains("; b"))
        #expect(file("let c = \"\"\"\n  \"d\" as!\n  \"\"\"; e").code == ["let c =    ", "         ", "     ; e"])
    }

    @Test func `the manifest's table is read`() {
        #expect(table.dependencies["Store"] == ["Routing", "GRDB", "Time"])
        #expect(table.dependencies["Time"] == [])
        #expect(table.dependencies.count == 4)
    }

    @Test func `a dependency upwards, a stranger and a cycle are seen`() {
        var wrong = table
        #expect(Checks.dependencyDirection(in: table).isEmpty)
        wrong.dependencies["Time"] = ["Store"]
        wrong.dependencies["Attic"] = []
        let found = Checks.dependencyDirection(in: wrong).map(\.what)
        #expect(found.contains("Time may not depend on Store"))
        #expect(found.contains("Attic is no room of the house: give it a place in the table"))
        #expect(found.contains("Routing depends on itself, through others"))
    }

    @Test func `an import that is not declared, and Foundation in a core, are seen`() {
        let planted = file(
            "package import Time\n@testable import Store\nimport struct Foundation.Date\n// import Glibc")
        #expect(Checks.imports(in: planted, table: table).map(\.line) == [2, 3])
        let test = file("import Foundation\nimport Store", at: "Tests/RoutingTests/Planted.swift")
        #expect(Checks.imports(in: test, table: table).map(\.line) == [2])
    }

    @Test func `a dependency that nothing imports is seen`() {
        let files = [
            file("import Time"), file("// import Store", at: "Tests/RoutingTests/Planted.swift"),
            file("import GRDB\npackage import Routing", at: "Sources/Store/Planted.swift"),
        ]
        let found = Checks.unusedDependencies(in: table, files: files).map(\.what)
        #expect(found == ["no file of RoutingTests imports Routing", "no file of Store imports Time"])
    }

    @Test(arguments: [
        "try! f()", "a as! B", "fatalError(\"\")", "preconditionFailure()", "let now = Date()", "try? f()",
    ])
    func `a banned word is seen in code`(text: String) {
        #expect(Checks.bannedWords(in: file("\n\(text)")).map(\.line) == [2])
        #expect(Checks.bannedWords(in: file("// \(text)\nlet text = #\"\(text)\"#")).isEmpty)
    }

    @Test func `clocks and tasks are banned in cores alone, unfinished notes everywhere`() {
        let planted = "let a = ContinuousClock.now\nTask { b() }\nvalidDate()"
        #expect(Checks.bannedWords(in: file(planted)).map(\.line) == [1, 2])
        #expect(Checks.bannedWords(in: file(planted, at: "Sources/HTTPAPI/Planted.swift")).isEmpty)
        #expect(Checks.bannedWords(in: file("// TO" + "DO: later")).map(\.line) == [1])
    }

    @Test func `long lines, files and functions are seen`() {
        #expect(Checks.lengths(of: file(String(repeating: "x", count: 121))).map(\.line) == [1])
        #expect(Checks.lengths(of: file(String(repeating: "x\n", count: 400))).isEmpty)
        #expect(Checks.lengths(of: file(String(repeating: "x\n", count: 401))).map(\.line) == [0])
        let function = { (count: Int) in
            "protocol P {\n    func a(\n        b: () -> Void\n    )\n    var c: Int { get }\n}\n"
                + "func d(\n    e: [Int] = []\n) {\n"
                + String(repeating: "    if f { g() }\n", count: count) + "}\n"
        }
        #expect(Checks.functionLengths(in: file(function(66))).isEmpty)
        #expect(Checks.functionLengths(in: file(function(67))).map(\.line) == [7])
    }

    @Test func `an undocumented declaration for other rooms is seen`() {
        let planted = "/// A.\n@frozen\npackage struct A {\n    package let b: Int\n    let c: Int\n}\npackage import D"
        #expect(Checks.missingDocumentation(in: file(planted)).map(\.line) == [4])
    }

    @Test func `a path of one machine is seen`() {
        let planted = file("a = \"/ho" + "me/user/x\"\nb = \"https://example.net/ro" + "ot/x\"\nc = \"/v1/network/x\"")
        #expect(Checks.machinePaths(in: planted).map(\.line) == [1])
    }

    @Test func `names that say nothing and left placeholders are seen`() {
        #expect(Checks.emptyNames(in: file("struct NetworkManager {}\nenum CallManager {}")).map(\.line) == [2])
        #expect(Checks.emptyNames(in: file("", at: "Sources/Routing/StringUtils.swift")).count == 1)
        let placeholder = file("", at: "Sources/Routing/Placeholder.swift")
        #expect(Checks.leftPlaceholders(among: [placeholder]).isEmpty)
        #expect(Checks.leftPlaceholders(among: [placeholder, file("")]).map(\.file) == [placeholder.path])
    }

    @Test func `a target without folder and a folder without target are seen`() {
        let found = Checks.folders(["Time", "Routing", "RoutingTests", "Attic"], table: table).map(\.what)
        #expect(found == ["Store has no folder", "the folder Attic is no target"])
    }
}
