import Foundation

// What the tests of several rooms stand on. Nothing here knows what a test is about.

/// A folder that lives as long as the value.
package final class TemporaryFolder: Sendable {
    package let path: String

    package init() throws {
        path = FileManager.default.temporaryDirectory.appendingPathComponent("tandem-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit {
        do { try FileManager.default.removeItem(atPath: path) } catch { print("left behind: \(path): \(error)") }
    }

    package func file(_ name: String = "tandem.db") -> String { path + "/" + name }
}
