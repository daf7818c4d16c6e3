import Testing

@testable import SignallingCore

@Suite struct ByteStoreTests {
    private func keep(_ bytes: [UInt8], in store: inout ByteStore) -> ByteStore.Block {
        bytes.withUnsafeBufferPointer { store.keep($0) }
    }

    @Test func `what is kept stays as it was, whatever comes and goes around it`() {
        var store = ByteStore()
        var kept: [(block: ByteStore.Block, bytes: [UInt8])] = []
        var state: UInt64 = 7
        for round in 0..<4000 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            let size = [1, 200, 256, 257, 700, 1500, 4096, 4097, 65_000][Int(state >> 33 % 9)]
            let bytes = [UInt8](repeating: UInt8(truncatingIfNeeded: round), count: size)
            kept.append((keep(bytes, in: &store), bytes))
            if kept.count > 40 {
                var gone = kept.remove(at: Int(state >> 40 % 40))
                #expect(Array(gone.block.bytes) == gone.bytes)
                store.release(&gone.block)
                #expect(gone.block.isEmpty)
            }
        }
        #expect(kept.allSatisfy { Array($0.block.bytes) == $0.bytes })
        #expect(store.keptBytes == kept.reduce(0) { $0 + $1.bytes.count })
        for index in kept.indices { store.release(&kept[index].block) }
        #expect(store.keptBytes == 0)
    }

    @Test func `a block that was given back is the next one of its size`() {
        var store = ByteStore()
        var first = keep(Array(repeating: 1, count: 500), in: &store)
        let place = first.bytes.baseAddress
        store.release(&first)
        let second = keep(Array(repeating: 2, count: 300), in: &store)
        #expect(second.bytes.baseAddress == place)
    }

    @Test func `nothing is kept of nothing, and given back twice is once`() {
        var store = ByteStore()
        var block = keep([], in: &store)
        #expect(block.isEmpty && block.count == 0)
        store.release(&block)
        block = keep([1], in: &store)
        store.release(&block)
        store.release(&block)
        let (one, other) = (keep([1], in: &store), keep([2], in: &store))
        #expect(one.bytes.baseAddress != other.bytes.baseAddress)
    }
}
