import JSON

/// What is sent back.
struct HTTPAnswer: Sendable {
    /// The status code.
    var status: UInt32
    /// Header fields beside those that every answer has.
    var headers: [(name: String, value: String)]
    /// The body, whole.
    var body: [UInt8]
    /// The revision of the routing data that the answer reflects; nil: the present one.
    var revision: Int64?
    /// A body that is read from a file instead.
    var file: FileBody?
    /// A body that is made while it is sent instead.
    var pages: PagedBody?
    /// True for what `HEAD` is told of a body that is made while it is sent: nothing is said of its length, and there
    /// is none (RFC 9110 section 9.3.2).
    var isHeadOfStream = false
    /// No cache on the way may keep it.
    var isPrivate = false

    init(_ status: UInt32, type: String? = nil, bytes: [UInt8] = [], revision: Int64? = nil) {
        (self.status, self.revision, body) = (status, revision, bytes)
        headers = type.map { [("Content-Type", $0)] } ?? []
    }

    init(_ status: UInt32, type: String, text: String, revision: Int64? = nil) {
        self.init(status, type: type, bytes: Array(text.utf8), revision: revision)
    }

    /// The answer to `HEAD` where `GET` gets a body that is made while it is sent.
    static func headOfStream(type: String, revision: Int64? = nil) -> HTTPAnswer {
        var answer = HTTPAnswer(200, type: type, revision: revision)
        answer.isHeadOfStream = true
        return answer
    }

    /// A JSON document and a line's end, so that it reads well in a terminal.
    init(_ status: UInt32, json: JSONValue, revision: Int64? = nil) {
        self.init(status, type: "application/json", text: json.canonicalText + "\n", revision: revision)
    }
}

/// How a request goes on after its handler.
enum HTTPOutcome: Sendable {
    /// It is answered at once.
    case answer(HTTPAnswer)
    /// It waits, parked, for the one writer.
    case change(PendingChange)
    /// It waits, parked, for events or a deadline.
    case wait(LongPoll)
    /// It gets events until it goes away.
    case stream(EventStream)
}
