import ControlPlane
import Store

/// Reads on in the sequence of events, page by page, from a position that moves past what the filter leaves out.
struct EventReader: Sendable {
    /// Only these types; empty: all.
    let types: Set<String>
    /// Everything up to this number has been looked at.
    private(set) var position: Int64

    /// How many events one step reads at most: what bounds the memory of a slow client.
    static let pageLimitCount = 100

    init(after position: Int64, types: Set<String>) { (self.position, self.types) = (position, types) }

    /// The next events; empty when there are none yet.
    mutating func next(_ controlPlane: ControlPlane, limitCount: Int = pageLimitCount) throws(Refusal) -> [StoredEvent]
    {
        // Read first: all events up to it that pass the filter are in the page then, unless the page is full.
        let newest = try controlPlane.newestEvent()
        guard position != newest else { return [] }  // woken for nothing, as by a commit without events
        let page = try controlPlane.events(after: position, types: types, limit: limitCount).value
        position = max(position, page.last?.sequence ?? position)
        if page.count < limitCount { position = max(position, newest) }
        return page
    }
}
