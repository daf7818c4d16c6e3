import Time

// How long gateways take to answer at all: a histogram of fixed bounds.
extension SignallingCounters {
    /// One bar of the histogram.
    package struct Bar: Sendable {
        /// Its upper bound, s; nil for the last one, which has none.
        package let boundSeconds: Double?
        /// How many first responses were not longer than the bound, those of the bars before among them.
        package let count: UInt64
    }

    /// First responses to attempts, by how long they took.
    package var firstResponseBars: [Bar] {
        let bars: [(Double?, UInt64)] = [
            (0.005, firstResponses5ms), (0.02, firstResponses20ms), (0.05, firstResponses50ms),
            (0.1, firstResponses100ms), (0.2, firstResponses200ms), (0.5, firstResponses500ms),
            (1, firstResponses1s), (2, firstResponses2s), (5, firstResponses5s), (10, firstResponses10s),
            (nil, firstResponsesLater),
        ]
        var sum: UInt64 = 0
        return bars.map { bound, count in
            sum &+= count
            return Bar(boundSeconds: bound, count: sum)
        }
    }

    /// Counts the first response to an attempt.
    mutating func countFirstResponse(after wait: Duration) {
        let microseconds = max(0, wait.nanoseconds / 1000)
        firstResponseMicroseconds &+= UInt64(microseconds)
        switch microseconds {
        case ...5000: firstResponses5ms &+= 1
        case ...20_000: firstResponses20ms &+= 1
        case ...50_000: firstResponses50ms &+= 1
        case ...100_000: firstResponses100ms &+= 1
        case ...200_000: firstResponses200ms &+= 1
        case ...500_000: firstResponses500ms &+= 1
        case ...1_000_000: firstResponses1s &+= 1
        case ...2_000_000: firstResponses2s &+= 1
        case ...5_000_000: firstResponses5s &+= 1
        case ...10_000_000: firstResponses10s &+= 1
        default: firstResponsesLater &+= 1
        }
    }
}
