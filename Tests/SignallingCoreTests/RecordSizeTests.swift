import Testing

@testable import SignallingCore

/// What is alive by the hundred thousand is touched at each message of its call: lines of 64 bytes.
@Suite struct RecordSizeTests {
    @Test func `a server transaction with its place in the slab is at most three cache lines`() {
        #expect(MemoryLayout<ServerRecord>.stride + 8 <= 3 * 64)
    }

    @Test func `a client transaction is at most six cache lines, the CANCEL of an INVITE included`() {
        #expect(MemoryLayout<ClientRecord>.stride + 8 <= 6 * 64)
    }
}
