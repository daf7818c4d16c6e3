/// Prefixes and their values in the order of the digits: the end of every look-up.
///
/// Keys are what follows the first `depth` digits, as long as the longest of them needs: 4, 8 or 16 bytes. Eight keys
/// and then their eight values lie together, so that a look-up, which compares all keys of the leaf and not one after
/// another, waits for memory once. Behind the last key stands what is greater than any.
///
///     0  how many refer to it, 4 bytes
///     4  how many prefixes, 2 bytes
///     8  keys 0...7, values 0...7, keys 8...15, values 8...15, ...
struct PrefixLeaf {
    /// One prefix and its value.
    struct Entry {
        let digits: PackedDigits
        let value: UInt32
    }

    /// No more prefixes than that lie in one leaf.
    static let limitCount = 64

    let block: PrefixBlock

    init(_ block: PrefixBlock) { self.block = block }

    /// A leaf of entries in order, none of them shorter than `depth`.
    init(_ entries: some Collection<Entry>, depth: Int) {
        var all: UInt128 = 0
        for entry in entries { all |= entry.digits.dropFirst(depth).bits }
        let kind: PrefixBlock.Kind =
            all & (1 << 96 - 1) == 0 ? .leaf4 : all & (1 << 64 - 1) == 0 ? .leaf8 : .leaf16
        let count = entries.count
        switch kind {
        case .leaf4: block = LeafEntries<UInt32>.write(entries, count, depth, kind)
        case .leaf8: block = LeafEntries<UInt64>.write(entries, count, depth, kind)
        default: block = LeafEntries<UInt128>.write(entries, count, depth, kind)
        }
    }

    var count: Int { Int(block.base.load(fromByteOffset: 4, as: UInt16.self)) }

    /// The entry at `index`; the first `depth` digits of all are those of `path`.
    func entry(at index: Int, path: PackedDigits, depth: Int) -> Entry {
        switch block.kind {
        case .leaf4: LeafEntries<UInt32>(block).entry(at: index, path: path, depth: depth)
        case .leaf8: LeafEntries<UInt64>(block).entry(at: index, path: path, depth: depth)
        default: LeafEntries<UInt128>(block).entry(at: index, path: path, depth: depth)
        }
    }

    /// The longest of these prefixes that the digits begin with: its value, and how many digits it has behind `depth`.
    @inline(__always)
    func longestMatch(_ digits: PackedDigits, depth: Int) -> (value: UInt32, digitCount: Int)? {
        let rest = digits.dropFirst(depth).bits
        return switch block.kind {
        case .leaf4:
            LeafEntries<UInt32>(block).longestMatch(UInt32(truncatingIfNeeded: rest &>> 96))
        case .leaf8: LeafEntries<UInt64>(block).longestMatch(UInt64(truncatingIfNeeded: rest &>> 64))
        default: LeafEntries<UInt128>(block).longestMatch(rest)
        }
    }
}

/// A key of a leaf.
private protocol LeafKey: FixedWidthInteger, UnsignedInteger, BitwiseCopyable {
    /// How many of the keys in so many groups of eight are not greater than this one.
    static func rank(of key: Self, in groups: UnsafeRawPointer, groupCount: Int) -> Int
}

extension LeafKey {
    @inline(__always)
    static func rank(of key: Self, in groups: UnsafeRawPointer, groupCount: Int) -> Int {
        var (rank, group) = (0, groups)
        for _ in 0..<groupCount {
            for place in 0..<8 {
                rank &+= group.loadUnaligned(fromByteOffset: place * (bitWidth / 8), as: Self.self) <= key ? 1 : 0
            }
            group += bitWidth + 32
        }
        return rank
    }
}

extension UInt128: LeafKey {}
extension UInt64: LeafKey {}
extension UInt32: LeafKey {
    @inline(__always)
    static func rank(of key: UInt32, in groups: UnsafeRawPointer, groupCount: Int) -> Int {
        let key = SIMD8(repeating: key)
        var (rank, group) = (SIMD8<Int32>.zero, groups)
        for _ in 0..<groupCount {
            let keys = group.loadUnaligned(as: SIMD8<UInt32>.self)
            rank.replace(with: rank &+ 1, where: keys .<= key)
            group += 64
        }
        return Int(rank.wrappedSum())
    }
}

/// The entries of a leaf whose keys are of one width.
private struct LeafEntries<Key: LeafKey> {
    private static var keyBytes: Int { Key.bitWidth / 8 }
    private static var groupBytes: Int { 8 * (keyBytes + 4) }

    private let base: UnsafeMutableRawPointer

    init(_ block: PrefixBlock) { base = block.base }

    static func write(
        _ entries: some Collection<PrefixLeaf.Entry>, _ count: Int, _ depth: Int, _ kind: PrefixBlock.Kind
    ) -> PrefixBlock {
        let groupCount = (count + 7) / 8
        let block = PrefixBlock(byteCount: 8 + groupCount * groupBytes, kind: kind)
        block.base.storeBytes(of: UInt16(truncatingIfNeeded: count), toByteOffset: 4, as: UInt16.self)
        let leaf = LeafEntries(block)
        var index = 0
        for entry in entries {
            let rest = entry.digits.dropFirst(depth).bits >> UInt128(128 - Key.bitWidth)
            leaf.set(Key(truncatingIfNeeded: rest), entry.value, at: index)
            index += 1
        }
        while index < groupCount * 8 {
            leaf.set(.max, 0, at: index)
            index += 1
        }
        return block
    }

    @inline(__always)
    private var groupCount: Int { (Int(base.load(fromByteOffset: 4, as: UInt16.self)) &+ 7) &>> 3 }

    @inline(__always)
    private func group(of index: Int) -> UnsafeMutableRawPointer { base + 8 + index / 8 * Self.groupBytes }

    @inline(__always)
    private func key(at index: Int) -> Key {
        group(of: index).loadUnaligned(fromByteOffset: index % 8 * Self.keyBytes, as: Key.self)
    }

    @inline(__always)
    private func value(at index: Int) -> UInt32 {
        group(of: index).load(fromByteOffset: 8 * Self.keyBytes + index % 8 * 4, as: UInt32.self)
    }

    private func set(_ key: Key, _ value: UInt32, at index: Int) {
        group(of: index).storeBytes(of: key, toByteOffset: index % 8 * Self.keyBytes, as: Key.self)
        group(of: index).storeBytes(of: value, toByteOffset: 8 * Self.keyBytes + index % 8 * 4, as: UInt32.self)
    }

    func entry(at index: Int, path: PackedDigits, depth: Int) -> PrefixLeaf.Entry {
        let rest = UInt128(truncatingIfNeeded: key(at: index)) << UInt128(128 - Key.bitWidth)
        return PrefixLeaf.Entry(
            digits: PackedDigits(bits: path.bits | rest >> UInt128(truncatingIfNeeded: 4 * depth)),
            value: value(at: index))
    }

    /// Every key between a prefix of `wanted` and `wanted` itself begins with that prefix. So the greatest key that is
    /// not greater either is the longest match, or has no more digits in common with `wanted` than the match has.
    @inline(__always)
    func longestMatch(_ wanted: Key) -> (value: UInt32, digitCount: Int)? {
        var wanted = wanted
        while true {
            let index = Key.rank(of: wanted, in: base + 8, groupCount: groupCount) &- 1
            guard index >= 0 else { return nil }
            let key = key(at: index)
            let digitCount = Key.bitWidth / 4 &- key.trailingZeroBitCount / 4
            let common = (key ^ wanted).leadingZeroBitCount / 4
            if common >= digitCount { return (value(at: index), digitCount) }
            // Fewer digits each time, since the digit behind the common ones differs.
            wanted = common == 0 ? 0 : wanted & Key.max &<< Key(truncatingIfNeeded: Key.bitWidth &- 4 &* common)
        }
    }
}
