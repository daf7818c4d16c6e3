/// The memory of prefix trees: numbered nodes that are only ever added, and freed all together.
///
/// One writer adds nodes. A reader reaches only nodes that were complete when the snapshot that names their root was
/// published, and no node below that is ever written again; so readers need no synchronisation of their own. That is
/// why the class may be called Sendable although the compiler can't see it.
///
/// Nodes lie in chunks behind a directory that never moves. A node is a cache line of 16 words: the node number of each
/// of the 12 digits' children (0: none), then the value (0: none, else the value plus 1); three are unused. A look-up
/// in a large table waits for memory and for nothing else, once a digit.
final class NodeArena: @unchecked Sendable {
    static let childCount = 12
    static let valueWord = 12
    static let wordsPerNode = 16
    private static let nodesPerChunk = 4096
    private static let chunkLimitCount = 65_536

    /// Nodes in use, number 0 (which means none) among them.
    private(set) var nodeCount: UInt32 = 1
    private var chunkCount = 0
    private let directory: UnsafeMutablePointer<UnsafeMutablePointer<UInt32>?>

    init() {
        directory = .allocate(capacity: Self.chunkLimitCount)
        directory.initialize(repeating: nil, count: Self.chunkLimitCount)
    }

    deinit {
        for chunk in 0..<chunkCount { directory[chunk]?.deallocate() }
        directory.deallocate()
    }

    /// A new node that copies `source`; an empty one for 0.
    func addNode(copying source: UInt32) -> UInt32 {
        let number = nodeCount
        let chunk = Int(number) / Self.nodesPerChunk
        precondition(chunk < Self.chunkLimitCount, "268 million nodes: the builder compacts long before")
        if chunk >= chunkCount {
            let words = Self.nodesPerChunk * Self.wordsPerNode
            let memory = UnsafeMutableRawPointer.allocate(byteCount: words * 4, alignment: Self.wordsPerNode * 4)
            directory[chunk] = memory.initializeMemory(as: UInt32.self, repeating: 0, count: words)
            chunkCount = chunk + 1
        }
        nodeCount += 1
        if source != 0 {
            for word in 0..<Self.wordsPerNode { set(word, of: number, to: self.word(word, of: source)) }
        }
        return number
    }

    /// One word of a node. `node` comes from this arena, never from outside.
    @inline(__always)
    func word(_ word: Int, of node: UInt32) -> UInt32 {
        pointer(to: node)[word]
    }

    /// Writes one word of a node that nobody else has seen yet.
    func set(_ word: Int, of node: UInt32, to value: UInt32) {
        pointer(to: node)[word] = value
    }

    @inline(__always)
    private func pointer(to node: UInt32) -> UnsafeMutablePointer<UInt32> {
        let (chunk, inChunk) = Int(node).quotientAndRemainder(dividingBy: Self.nodesPerChunk)
        // The directory entry of a node that exists is never nil; `unsafelyUnwrapped` checks that in debug builds.
        return directory[chunk].unsafelyUnwrapped + inChunk * Self.wordsPerNode
    }
}
