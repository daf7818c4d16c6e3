import Foundation
import GRDB

/// A row that no Tandem wrote.
struct MalformedRow: Error {
    let what: String
}

extension Row {
    // GRDB's subscripts trap on a value of another type; what stands in a file must not.

    func integer(_ index: Int) throws -> Int64 { try decode(Int64.self, atIndex: index) }

    func integerOrNull(_ index: Int) throws -> Int64? { try decode(Int64?.self, atIndex: index) }

    func text(_ index: Int) throws -> String { try decode(String.self, atIndex: index) }

    func textOrNull(_ index: Int) throws -> String? { try decode(String?.self, atIndex: index) }

    func bytes(_ index: Int) throws -> [UInt8] { [UInt8](try decode(Data.self, atIndex: index)) }
}

extension DatabaseValue {
    /// The bytes as a blob.
    init(bytes: [UInt8]) { self = Data(bytes).databaseValue }
}
