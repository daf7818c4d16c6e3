import Routing
import SIPMessage

/// A target set that a response context keeps: copied out of the snapshot, in one block.
struct StoredTargets: BitwiseCopyable {
    /// The targets one behind the other, and then the text that they refer to.
    fileprivate(set) var block = ByteStore.Block.empty
    /// How many there are.
    fileprivate(set) var count = 0

    /// No targets.
    init() {}

    private static var stride: Int { MemoryLayout<TargetSet.Target>.stride }

    /// A target; nil when there are not so many.
    subscript(position: Int) -> TargetSet.Target? {
        guard position >= 0, position < count else { return nil }
        return UnsafeRawBufferPointer(block.bytes).loadUnaligned(
            fromByteOffset: position * Self.stride, as: TargetSet.Target.self)
    }

    /// How a target's Request-URI is made, for as long as the block is kept.
    func uri(of target: TargetSet.Target) -> TargetURI { TargetURI(target, text: text(of: target)) }

    /// What that is made of besides the user part, for as long as the block is kept.
    func text(of target: TargetSet.Target) -> UnsafeBufferPointer<UInt8> {
        let text = count * Self.stride
        let (start, end) = (text + target.text.lowerBound, text + target.text.upperBound)
        return UnsafeBufferPointer(rebasing: block.bytes[min(start, block.count)..<min(end, block.count)])
    }
}

extension ByteStore {
    /// Keeps a copy of a target set.
    ///
    /// - Parameter scratch: is emptied and written to.
    mutating func keep(_ set: TargetSet, scratch: inout OutputBuffer) -> StoredTargets {
        var stored = StoredTargets()
        guard !set.targets.isEmpty else { return stored }
        scratch.removeAll()
        set.targets.withUnsafeBytes { bytes in bytes.withMemoryRebound(to: UInt8.self) { scratch.append($0.span) } }
        scratch.append(set.text)
        stored.count = set.targets.count
        stored.block = scratch.withUnsafeBufferPointer { keep($0) }
        return stored
    }

    /// Gives the set's block back.
    mutating func release(_ targets: inout StoredTargets) {
        release(&targets.block)
        targets.count = 0
    }
}
