/// Ways in which an attempt or a probe fails: the words of `out_of_service_causes`, `failover_causes` and a probe's
/// `down_on` (API section 3). A value of 32 bytes without references.
package struct CauseSet: Equatable, Sendable, BitwiseCopyable {
    /// One of them.
    package enum Cause: Equatable, Sendable, BitwiseCopyable {
        /// Nothing came in the predetermined time: `no-response`.
        case noResponse
        /// The transport failed: `transport-error`.
        case transportError
        /// Any final response of a class, 3...6: `5xx`.
        case statusClass(UInt8)
        /// A final response with this status, 300...699: `503`.
        case status(UInt16)
    }

    /// So many single statuses fit; a class counts as none.
    package static let statusLimitCount = 15

    private var statuses = InlineArray<15, UInt16>(repeating: 0)
    /// Bit 0: no response, bit 1: transport error, bits 3...6: classes.
    private var flags: UInt8 = 0
    private var statusCount: UInt8 = 0

    /// The empty set.
    package init() {}

    /// Puts a cause in. False when no single status fits any more.
    package mutating func insert(_ cause: Cause) -> Bool {
        switch cause {
        case .noResponse: flags |= 1
        case .transportError: flags |= 2
        case .statusClass(let number): flags |= (3...6).contains(number) ? 1 << number : 0
        case .status(let status):
            if holds(status) { return true }
            guard Int(statusCount) < Self.statusLimitCount else { return false }
            statuses[Int(statusCount)] = status
            statusCount += 1
        }
        return true
    }

    /// True when an attempt without any response is one.
    package var holdsNoResponse: Bool { flags & 1 != 0 }
    /// True when a transport error is one.
    package var holdsTransportError: Bool { flags & 2 != 0 }

    /// True when a final response with this status is one.
    package func contains(status: Int) -> Bool {
        guard (300...699).contains(status) else { return false }
        return flags & 1 << UInt8(truncatingIfNeeded: status / 100) != 0 || holds(UInt16(truncatingIfNeeded: status))
    }

    /// True when any final response of a class is one, 3...6.
    func holds(class number: Int) -> Bool { flags & 1 << UInt8(truncatingIfNeeded: number) != 0 }

    /// The single statuses, in the order in which they were put in.
    var singleStatuses: [UInt16] { (0..<Int(statusCount)).map { statuses[$0] } }

    private func holds(_ status: UInt16) -> Bool {
        for index in 0..<Int(statusCount) where statuses[index] == status { return true }
        return false
    }

    /// True when both hold the same, entered in the same order.
    package static func == (left: CauseSet, right: CauseSet) -> Bool {
        guard left.flags == right.flags, left.statusCount == right.statusCount else { return false }
        for index in 0..<Int(left.statusCount) where left.statuses[index] != right.statuses[index] { return false }
        return true
    }
}

extension CauseSet: ExpressibleByArrayLiteral {
    /// The set of these causes; single statuses beyond `statusLimitCount` are left out.
    package init(arrayLiteral causes: Cause...) {
        self.init()
        for cause in causes { _ = insert(cause) }
    }
}

extension CauseSet.Cause {
    /// Reads `no-response`, `transport-error`, `5xx`, `503`; nil for anything else, such as `2xx`, `200` or `700`.
    package init?(name: String) {
        switch name {
        case "no-response": self = .noResponse
        case "transport-error": self = .transportError
        case "3xx": self = .statusClass(3)
        case "4xx": self = .statusClass(4)
        case "5xx": self = .statusClass(5)
        case "6xx": self = .statusClass(6)
        default:
            guard name.utf8.count == 3, let status = UInt16(name), (300...699).contains(status) else { return nil }
            self = .status(status)
        }
    }
}
