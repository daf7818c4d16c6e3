/// The number of the last committed change; every change adds one. 0 is the empty database.
package struct Revision: Comparable, Hashable, Sendable, BitwiseCopyable {
    /// The number itself.
    package let number: Int64

    /// The revision with this number.
    package init(_ number: Int64) { self.number = number }

    /// True when the left one comes first.
    package static func < (left: Revision, right: Revision) -> Bool { left.number < right.number }
}
