import ControlPlane
import JSON
import NetworkManager
import Store

extension Endpoint {
    /// The sequence of events (API section 7).
    static let events: [Endpoint] = [
        Endpoint(.get, "/v1/events", ["after", "types", "limit", "wait_s", "snapshot"], form: .events) {
            service, request throws(HTTPProblem) in
            request.wantsStream ? try service.stream(request) : try service.page(request)
        }
    ]
}

extension HTTPService {
    /// A stream from `Last-Event-ID`, else from `after`, else from now on.
    fileprivate func stream(_ request: HTTPRequest) throws(HTTPProblem) -> HTTPOutcome {
        for name in ["limit", "wait_s"] where request[name] != nil {
            throw HTTPProblem(.malformed, "the query parameter \(name) belongs to pages, not to a stream")
        }
        let types = try request.types()
        let after = try request.number("after", 0...Int64.max)
        let resumed = try request.lastEventID() ?? after
        let snapshot = try request.flag("snapshot")
        let start: Int64
        if let resumed {
            // A position that is no longer kept is refused here, while there is a status line to say so.
            _ = try asked { () throws(Refusal) in try controlPlane.events(after: resumed, types: types, limit: 1) }
            start = resumed
        } else {
            start = try asked { () throws(Refusal) in try controlPlane.newestEvent() }
        }
        guard !request.isHead else { return .answer(.headOfStream(type: "text/event-stream")) }
        let stream = EventStream(
            self, EventReader(after: start, types: types), for: request.identity,
            startsWithStatus: snapshot && resumed == nil)
        return .stream(stream)
    }

    /// A page of events behind `after`; with `wait_s` it waits for the first of them.
    fileprivate func page(_ request: HTTPRequest) throws(HTTPProblem) -> HTTPOutcome {
        guard request["snapshot"] == nil else {
            throw HTTPProblem(
                .malformed, "the query parameter snapshot belongs to a stream; send Accept: text/event-stream")
        }
        let types = try request.types()
        let limitCount = try request.limitCount()
        let after = try request.number("after", 0...Int64.max) ?? 0
        let waitSeconds = try request.number("wait_s", 0...60) ?? 0
        let look: LongPoll.Look = { mayWait throws(HTTPProblem) in
            var reader = EventReader(after: after, types: types)
            let events = try self.asked { () throws(Refusal) in
                try reader.next(self.controlPlane, limitCount: limitCount)
            }
            guard !events.isEmpty || !mayWait else { return nil }
            let next = request.target(with: "after", "\(reader.position)")
            let items = events.map(CloudEvent.text).joined(separator: ",")
            let text = "{\"items\":[\(items)],\"next\":\(JSONValue.string(next).canonicalText)}\n"
            return HTTPAnswer(200, type: "application/json", text: text)
        }
        guard waitSeconds > 0 else {
            guard let answer = try look(false) else { throw HTTPProblem(.internalError, "a page without an end") }
            return .answer(answer)
        }
        return .wait(LongPoll(self, wait: .seconds(waitSeconds), look))
    }
}

extension HTTPRequest {
    /// True when `Accept` names the stream's type and does not prefer JSON.
    fileprivate var wantsStream: Bool {
        guard let accept = headers.accept, accept.lowercased().contains("text/event-stream") else { return false }
        let quality = headers.quality(of: "text/event-stream")
        return quality > 0 && quality >= headers.quality(of: "application/json")
    }

    /// `types`: which types of events are wanted; empty: all.
    fileprivate func types() throws(HTTPProblem) -> Set<String> {
        guard let text = self["types"] else { return [] }
        let types = text.split(separator: ",", omittingEmptySubsequences: false).map { String($0).trimmed }
        for type in types where !CloudEvent.types.contains(type) {
            throw HTTPProblem.parameter("types", text, "a list of \(CloudEvent.types.joined(separator: ", "))")
        }
        return Set(types)
    }

    /// The number of the last event that the client has seen.
    fileprivate func lastEventID() throws(HTTPProblem) -> Int64? {
        guard let text = headers.lastEventID?.trimmed, !text.isEmpty else { return nil }
        guard text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }), let number = Int64(text)
        else {
            throw HTTPProblem(.malformed, "Last-Event-ID is \(text.debugDescription); it must be an event's number")
        }
        return number
    }

    fileprivate func flag(_ name: String) throws(HTTPProblem) -> Bool {
        switch self[name] {
        case nil, "false": return false
        case "true": return true
        case .some(let text): throw HTTPProblem.parameter(name, text, "true or false")
        }
    }
}
