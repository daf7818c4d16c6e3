import ControlPlane
import Glibc
import Time

extension Endpoint {
    /// A copy of the whole database (API section 1).
    static let backup: [Endpoint] = [
        Endpoint(.get, "/v1/backup", form: .text) { _, request throws(HTTPProblem) in
            guard !request.isHead else { return .answer(.headOfStream(type: FileBody.type)) }
            let asker = request.asker
            return .change(
                PendingChange { controlPlane, whenDone in
                    controlPlane.backUp(by: asker) { result in
                        whenDone(
                            result.map { copy in
                                var answer = HTTPAnswer(200, type: FileBody.type)
                                answer.file = FileBody(copy)
                                answer.isPrivate = true
                                answer.headers.append(("Content-Disposition", "attachment; filename=\"tandem.db\""))
                                return answer
                            }.mapError { HTTPProblem($0) })
                    }
                })
        }
    ]
}

/// A body that is read from a file piece by piece.
struct FileBody: Sendable {
    /// The media type of an SQLite database.
    static let type = "application/vnd.sqlite3"
    /// How much is read from the file at once.
    static let pieceBytes = 65536

    private let copy: BackupCopy

    init(_ copy: BackupCopy) { self.copy = copy }

    /// How long it is.
    var byteCount: Int64 { copy.byteCount }

    /// Reads a piece: how many bytes; nil when the file can't be read.
    func read(at offset: UInt64, into buffer: UnsafeMutablePointer<CChar>, limitBytes: Int) -> Int? {
        guard let offset = Int(exactly: offset) else { return nil }
        let count = pread(copy.descriptor, buffer, limitBytes, offset)
        return count > 0 ? count : nil
    }
}
