import Foundation
import JSON
import Logging
import SignallingIO
import Time

/// The log: one event a line on standard error, as text for people or as JSON for machines.
struct LineLogHandler: LogHandler {
    var logLevel: Logger.Level
    var metadata: Logger.Metadata = [:]
    private let format: LogFormat

    /// Makes all loggers of the process write so. To be called once, before the first logger is made.
    static func bootstrap(level: Logger.Level, format: LogFormat) {
        LoggingSystem.bootstrap { _ in LineLogHandler(level: level, format: format) }
    }

    private init(level: Logger.Level, format: LogFormat) { (logLevel, self.format) = (level, format) }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let fields = metadata.merging(event.metadata ?? [:]) { _, new in new }
        let time = SystemClock().wallTime.rfc3339
        let line: String
        switch format {
        case .json:
            var members = fields.mapValues { JSONValue.string("\($0)") }
            members["time"] = .string(time)
            members["level"] = .string(event.level.rawValue)
            members["message"] = .string("\(event.message)")
            line = JSONValue.object(members).canonicalText
        case .text:
            let pairs = fields.sorted { $0.key < $1.key }.map { " \($0.key)=\(Self.quoted("\($0.value)"))" }
            line = "\(time) \(event.level.rawValue) \(event.message)" + pairs.joined()
        }
        FileHandle.standardError.write(Data((line + "\n").utf8))  // one write a line: lines of threads don't mix
    }

    /// A value as it stands; in quotes, with escapes, where a space or a control would split the line.
    private static func quoted(_ value: String) -> String {
        let isPlain =
            !value.isEmpty
            && value.unicodeScalars.allSatisfy { $0.value > 0x20 && $0 != "\"" && $0 != "\\" && $0.value != 0x7F }
        return isPlain ? value : JSONValue.string(value).canonicalText
    }
}
