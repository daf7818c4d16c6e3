import Routing

/// The way of one worker's `CallNews` to the observer.
struct CallNewsRings: Sendable {
    private let records = ObservationRing<CallRecord>(capacity: 2048)
    private let searches = ObservationRing<CallSearch>(capacity: 2048)
    private let endings = ObservationRing<CallRecord.Ending>(capacity: 8192)

    /// How much is in them, about.
    var count: Int { records.count + searches.count + endings.count }

    /// The worker's side: puts in what there is room for, and returns how much that was.
    func put(_ news: CallNews) -> Int {
        var count = 0
        for record in news.records where records.put(record) { count += 1 }
        for search in news.searches where searches.put(search) { count += 1 }
        for ending in news.endings where endings.put(ending) { count += 1 }
        return count
    }

    /// The observer's side: takes all that all workers have put in.
    static func takeAll(of workers: [CallNewsRings], into news: inout CallNews) {
        // Endings are taken first, so that none comes before the search of its call, whichever worker has that.
        for worker in workers { worker.endings.takeAll(into: &news.endings) }
        for worker in workers { worker.searches.takeAll(into: &news.searches) }
        for worker in workers { worker.records.takeAll(into: &news.records) }
    }
}
