import SignallingCore

extension SignallingCounters {
    /// Adds another worker's counts. Every stored property is a `UInt64`, and is added whatever its name, so that a
    /// new one can't be forgotten here; a test holds the first half of that.
    mutating func add(_ other: SignallingCounters) {
        withUnsafeBytes(of: other) { theirs in
            withUnsafeMutableBytes(of: &self) { ours in
                for (index, count) in theirs.bindMemory(to: UInt64.self).enumerated() {
                    ours.bindMemory(to: UInt64.self)[index] &+= count
                }
            }
        }
    }
}
