package import Time

/// How available one gateway was over a stretch of time.
package struct Availability: Equatable, Sendable {
    /// Where the stretch begins: not before the gateway was made.
    package let from: WallTime
    /// Where it ends: not after the present.
    package let to: WallTime
    /// How long it was in-service.
    package private(set) var inService = Duration.zero
    /// How long it was out-of-service.
    package private(set) var outOfService = Duration.zero
    /// How often it went out; one that began before the stretch and reaches into it is one of them.
    package private(set) var outageCount = 0

    /// 0...100; nil for an empty stretch.
    package var percentInService: Double? {
        let whole = (inService + outOfService).milliseconds
        return whole == 0 ? nil : Double(inService.milliseconds) / Double(whole) * 100
    }
    /// Time in service by outages; nil without an outage.
    package var meanTimeBetweenFailures: Duration? { outageCount == 0 ? nil : inService / outageCount }
    /// Time out of service by outages; nil without an outage.
    package var meanTimeToRepair: Duration? { outageCount == 0 ? nil : outOfService / outageCount }

    /// What a stretch was like that has these turns, in order: the status that holds from each on; nil: the gateway did
    /// not exist. A time that goes back, as the wall clock may, counts as the one before it.
    init(turns: [(at: WallTime, isInService: Bool?)], from: WallTime, to: WallTime) {
        (self.from, self.to) = (from, max(from, to))
        var isInOutage = false
        var at = self.from
        for (index, turn) in turns.enumerated() {
            let begin = min(max(at, turn.at), self.to)
            let end = min(max(begin, index + 1 < turns.count ? turns[index + 1].at : self.to), self.to)
            at = end
            let (milliseconds, overflow) = end.milliseconds.subtractingReportingOverflow(begin.milliseconds)
            let length = overflow ? Duration.zero : .milliseconds(max(0, milliseconds))
            switch turn.isInService {
            case true?: inService += length
            case false?:
                outOfService += length
                if length > .zero, !isInOutage { outageCount += 1 }
            case nil: break
            }
            isInOutage = turn.isInService == false && (isInOutage || length > .zero)
        }
    }
}
