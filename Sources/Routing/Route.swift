package import Time

/// The table that a source's calls are looked up in; its routes are kept by prefix, not in here.
package enum RoutingPlan {
    /// The plan that always exists.
    package static let defaultID = "default"
}

/// What becomes of the calls whose dialled number begins with a prefix. The prefix and the plan name it; they stand
/// beside it.
package struct Route: Hashable, Sendable {
    /// Where its calls go.
    package enum Disposition: Hashable, Sendable {
        /// To the gateways of the routing list with this id.
        case routingList(String)
        /// Nowhere: refused with this status, 400...699, and this reason phrase (empty: the usual one).
        case reject(status: UInt16, reason: String)
    }

    /// Where its calls go.
    package let disposition: Disposition
    /// Shorter whole numbers are answered 484; 0: no bound.
    package let minDigits: UInt8
    /// Longer whole numbers are answered 484; 255: no bound.
    package let maxDigits: UInt8
    /// Before this time the route is not there; nil: no bound.
    package let validFrom: WallTime?
    /// From this time on the route is not there; nil: no bound.
    package let validUntil: WallTime?

    /// A route of its parts.
    package init(
        _ disposition: Disposition, minDigits: UInt8 = 0, maxDigits: UInt8 = .max, validFrom: WallTime? = nil,
        validUntil: WallTime? = nil
    ) {
        (self.disposition, self.minDigits, self.maxDigits) = (disposition, minDigits, maxDigits)
        (self.validFrom, self.validUntil) = (validFrom, validUntil)
    }
}
