import Foundation
import Store

/// Why a measurement came to no figures.
package struct BenchmarkFailure: Error {
    /// For the operator.
    package let detail: String
}

/// A folder of its own for one measurement, which is gone afterwards.
enum BenchmarkFolder {
    /// - Parameters:
    ///   - parent: where it is made: the budgets are for the file system that the database will be on.
    ///   - body: is given its path.
    static func lend<Result>(
        in parent: String, _ body: (String) throws -> Result
    ) throws(BenchmarkFailure) -> Result {
        let folder = URL(fileURLWithPath: parent).appendingPathComponent("tandem-bench-\(UUID().uuidString)")
        do {
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            let result = Swift.Result { try body(folder.path) }
            try FileManager.default.removeItem(at: folder)
            return try result.get()
        } catch let error as BenchmarkFailure {
            throw error
        } catch let error as StoreError {
            throw BenchmarkFailure(detail: error.detail)
        } catch {
            throw BenchmarkFailure(detail: "\(error)")
        }
    }
}
