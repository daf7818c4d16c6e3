/// What workers hand on of calls, some at a time.
package struct CallNews: Sendable {
    /// Calls that no gateway was tried for.
    package var records: [CallRecord]
    /// Calls that were proxied and whose search has ended.
    package var searches: [CallSearch]
    /// Answered calls that are over. The search of each came before or comes with it.
    package var endings: [CallRecord.Ending]

    /// News of these.
    package init(
        _ records: [CallRecord] = [], searches: [CallSearch] = [], endings: [CallRecord.Ending] = []
    ) {
        (self.records, self.searches, self.endings) = (records, searches, endings)
    }

    /// How much news.
    package var count: Int { records.count + searches.count + endings.count }

    /// Adds what came after it.
    package mutating func add(_ later: CallNews) {
        records += later.records
        searches += later.searches
        endings += later.endings
    }

    /// Forgets everything and keeps the memory.
    package mutating func removeAll() {
        records.removeAll(keepingCapacity: true)
        searches.removeAll(keepingCapacity: true)
        endings.removeAll(keepingCapacity: true)
    }
}
