import HTTPAPI
import NetworkManager

/// The call records of the network manager, as the API asks for them.
enum CallRecords {
    static func serve(_ log: CallLog, in surroundings: inout HTTPSurroundings) {
        surroundings.calls = { page(of: log, $0) }
        surroundings.call = { id in UInt64(id).flatMap { log.call($0) }?.json }
    }

    private static func page(of log: CallLog, _ asked: CallQuery) -> CallPage {
        var query = CallLog.Query()
        (query.number, query.gateway) = (asked.number, asked.gateway)
        (query.from, query.to) = (asked.from, asked.to)
        if let cursor = asked.cursor {
            // A cursor that none of our pages gave leads to the end.
            query.before = UInt64(cursor) ?? 1
        }
        query.limitCount = asked.limitCount + 1  // one more tells whether there is a next page
        let calls = log.page(query)
        let shown = calls.prefix(asked.limitCount)
        let isMore = calls.count > shown.count
        return CallPage(items: shown.map(\.json), next: isMore ? shown.last.map { String($0.sequence) } : nil)
    }
}
