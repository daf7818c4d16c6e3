import GRDB

extension StoreError {
    /// Why a database could not be opened.
    init(opening path: String, _ error: any Error) {
        self.init(path, error) { StoreError(.unusable, "\(path) can't be used: \($0)") }
    }

    /// Why a query failed.
    init(reading path: String, _ error: any Error) {
        self.init(path, error) { StoreError(.failed, "\(path): \($0)") }
    }

    /// Why a bulk can't be put beside the live data.
    init(staging path: String, _ error: any Error) {
        switch (error as? DatabaseError)?.resultCode {
        case .SQLITE_FULL?, .SQLITE_IOERR?, .SQLITE_READONLY?, .SQLITE_CANTOPEN?:
            self = StoreError(.unwritable, "\(path): \(Self.text(of: error))")
        default: self.init(reading: path, error)
        }
    }

    /// What is ours already stays; damage is damage whenever it is met; the rest is as `otherwise` says it.
    private init(_ path: String, _ error: any Error, otherwise: (_ said: String) -> StoreError) {
        if let error = error as? StoreError {
            self = error
            return
        }
        let said = Self.text(of: error)
        switch (error as? DatabaseError)?.resultCode {
        case .SQLITE_NOTADB?, .SQLITE_CORRUPT?: self = Self.damaged(path, said)
        default: self = otherwise(said)
        }
    }

    /// The database holds what no Tandem wrote there.
    static func damaged(_ path: String, _ what: String) -> StoreError {
        StoreError(
            .damaged,
            "\(path) is damaged (\(oneLine(what))): it was left as it is; move it aside and restore a backup, or start "
                + "with another --database")
    }

    /// What SQLite said, on one line, without the values of the statement.
    static func text(of error: any Error) -> String {
        switch error {
        case let error as DatabaseError:
            let message = error.message ?? "no message"
            return "SQLite: \(oneLine(message)) (\(error.extendedResultCode.rawValue))"
        case let error as MalformedRow: return error.what
        default: return oneLine("\(error)")
        }
    }

    /// SQLite's checks answer in several lines.
    static func oneLine(_ text: String) -> String {
        text.split(whereSeparator: \.isNewline).joined(separator: " ")
    }
}
