package import Routing
package import Time

/// Which status records.
package struct StatusRecordQuery: Equatable, Sendable {
    /// Only these gateways; empty: all.
    package var gateways: Set<String> = []
    /// Only this cause.
    package var cause: StatusCause?
    /// Not before.
    package var from: WallTime?
    /// Before.
    package var to: WallTime?
    /// Only behind this sequence number.
    package var after: Int64 = 0
    /// 1...1000.
    package var limitCount = 100

    /// All of them.
    package init() {}
}
