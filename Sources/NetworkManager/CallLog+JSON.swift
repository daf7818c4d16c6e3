import Addressing
package import JSON
import Routing
import Time

extension CallLog.Call {
    /// The call as the API shows it (section 8). Times that end in `_ms` count from when the request came first; what
    /// never came is null.
    package var json: JSONValue {
        .object([
            "id": .string(String(sequence)),
            "call_id": .string(callID),
            "source": .string(source.hostPort),
            "caller": .string(caller),
            "number": .string(dialled),
            "routing_plan": plan.map { .string($0) } ?? .null,
            "revision": .integer(record.revision.number),
            "result": .string(record.result.name),
            "status": record.status == 0 ? .null : .integer(Int64(record.status)),
            "answered_by": record.status == 0 ? .null : .string(record.answerer),
            "received_at": .string(receivedAt.rfc3339),
            "copies": .integer(Int64(record.copyCount)),
            "copies_ms": .array(record.copyTimes.map { .integer(Int64($0)) }),
            "redirect_server": record.redirectServer.map { .string($0) } ?? .null,
            "redirect_servers_asked": .integer(Int64(record.inquiryCount)),
            "routed_ms": record.routedAt.map { .integer(Int64($0)) } ?? .null,
            "search_ms": .integer(Int64(record.searchMilliseconds)),
            "attempt_count": .integer(Int64(record.attemptCount)),
            "attempts": .array(attempts.map(\.json)),
            "ended_at": endedAt.map { .string($0.rfc3339) } ?? .null,
            "ended_by": isEndedByRequest.map { .string($0 ? "request" : "lease") } ?? .null,
        ])
    }
}

extension CallLog.Summary {
    /// Who said what the caller was told.
    fileprivate var answerer: String {
        guard isForwarded else { return "tandem" }
        return isOfRedirectServer ? "redirect-server" : "gateway"
    }
}

extension CallLog.Call.Attempt {
    fileprivate var json: JSONValue {
        .object([
            "gateway": gateway.isEmpty ? .null : .string(gateway),
            "branch": .string(attempt.branchText),
            "sent_ms": .integer(Int64(attempt.sentAt)),
            "resends": .integer(Int64(attempt.resendCount)),
            "first_response_ms": attempt.firstResponseAt.map { .integer(Int64($0)) } ?? .null,
            "final_status": attempt.finalStatus == 0 ? .null : .integer(Int64(attempt.finalStatus)),
            "ended_ms": attempt.endedAt.map { .integer(Int64($0)) } ?? .null,
            "end": attempt.end.map { .string($0.name) } ?? .null,
        ])
    }
}
