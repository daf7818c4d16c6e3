/// Bytes on their way to a client, as far as they have gone.
struct OutgoingBytes {
    private let bytes: [UInt8]
    private var sentCount = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// Puts the next of them at `buffer`: how many; 0 when all have gone.
    mutating func copy(into buffer: UnsafeMutablePointer<CChar>, limitBytes: Int) -> Int {
        let count = min(limitBytes, bytes.count - sentCount)
        guard count > 0 else { return 0 }
        bytes.withUnsafeBytes { bytes in
            let rest = UnsafeRawBufferPointer(rebasing: bytes[sentCount..<sentCount + count])
            UnsafeMutableRawBufferPointer(start: buffer, count: count).copyMemory(from: rest)
        }
        sentCount += count
        return count
    }
}
