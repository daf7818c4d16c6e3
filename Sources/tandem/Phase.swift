import Synchronization

/// Where the process stands in its life, as `/readyz` tells it.
final class Phase: Sendable {
    enum Name: String, Sendable { case starting, serving, draining }

    private let name = Mutex(Name.starting)

    func set(_ new: Name) { name.withLock { $0 = new } }

    /// Why no call should be sent here; empty while serving.
    var reasonsNotReady: [String] {
        let name = name.withLock { $0 }
        return name == .serving ? [] : [name.rawValue]
    }
}
