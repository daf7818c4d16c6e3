import Foundation

/// What curl got.
struct CurlAnswer {
    let status: Int
    /// By name in small letters.
    let headers: [String: String]
    let body: String

    /// The body as JSON.
    var document: Document { get throws { try Document(body) } }
    /// The revision that the answer reflects.
    var revision: Int? { headers["tandem-revision"].flatMap { Int($0) } }

    /// Reads what `curl -i` prints; interim answers (100 Continue) come first and are passed over.
    init(printed: String) throws {
        var rest = printed[...]
        var head: Substring = ""
        repeat {
            guard let end = rest.range(of: "\r\n\r\n") else {
                throw HarnessError("no HTTP answer: \(printed.prefix(500))")
            }
            head = rest[..<end.lowerBound]
            rest = rest[end.upperBound...]
        } while head.hasPrefix("HTTP/1.1 100")
        let lines = head.components(separatedBy: "\r\n")
        let words = lines[0].split(separator: " ")
        guard words.count > 1, let status = Int(words[1]) else { throw HarnessError("no status: \(lines[0])") }
        self.status = status
        headers = Dictionary(
            lines.dropFirst().map { line in
                let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
                return (parts[0].lowercased(), parts.count > 1 ? parts[1].trimmingCharacters(in: .whitespaces) : "")
            }, uniquingKeysWith: { "\($0), \($1)" })
        body = String(rest)
    }
}

/// The curl that users have.
enum Curl {
    static func ask(_ url: String, _ options: [String] = [], seconds: Int = 15) throws -> CurlAnswer {
        let result = try ChildProcess.run(
            "curl", ["-s", "-i", "--max-time", "\(seconds)"] + options + [url], seconds: Double(seconds) + 5)
        do {
            return try CurlAnswer(printed: result.output)
        } catch {
            throw HarnessError("curl \(options) \(url): \(result.ending); \(error)")
        }
    }
}

/// One event of a stream.
struct StreamedEvent {
    let id: String
    let document: Document
    var type: String? { document["type"].string }
}

/// curl -N on the event stream, left running.
final class EventStream {
    private let process: ChildProcess

    init(_ tandem: TandemProcess, query: String, lastEventID: String? = nil, file: String) throws {
        var options = ["-s", "-N", "-H", "Accept: text/event-stream"]
        if let lastEventID { options += ["-H", "Last-Event-ID: \(lastEventID)"] }
        process = try ChildProcess(
            "curl", options + ["http://\(tandem.api)/v1/events\(query)"], in: tandem.folder, output: file)
    }

    /// What has come so far.
    var events: [StreamedEvent] {
        get throws {
            try process.output.components(separatedBy: "\n\n").dropLast().compactMap { block in
                let lines = block.split(separator: "\n")
                let field = { (name: String) in
                    lines.filter { $0.hasPrefix("\(name):") }
                        .map { String($0.dropFirst(name.count + 1)).trimmingCharacters(in: .whitespaces) }
                }
                guard let id = field("id").first else { return nil }
                return StreamedEvent(id: id, document: try Document(field("data").joined(separator: "\n")))
            }
        }
    }

    /// Waits until so many have come; what has come by then.
    func wait(for count: Int, seconds: Double) throws -> [StreamedEvent] {
        _ = try eventually(within: seconds) { try events.count >= count }
        return try events
    }

    func stop() { process.stop() }
}
