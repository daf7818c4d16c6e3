import Testing

@testable import SIPMessage

@Suite struct ByteSetTests {
    private static func expected(_ byte: UInt8, _ more: String) -> Bool {
        Bytes.isAlphanumeric(byte) || more.utf8.contains(byte)
    }

    @Test func `a set's bits are its characters (RFC 3261 section 25.1)`() {
        for byte in UInt8.min...UInt8.max {
            #expect(ByteSet.token.contains(byte) == Self.expected(byte, "-.!%*_+`'~"), "\(byte)")
            #expect(ByteSet.parameterValue.contains(byte) == Self.expected(byte, "-.!%*_+`'~[]:/?&$@()"), "\(byte)")
        }
    }

    @Test func `the first byte is found wherever it stands, and no other`() {
        for count in 0...40 {
            for position in 0...count {
                // 0x0B beside 0x0A, and 0x8A: what a search of eight bytes at once could mistake for it.
                var bytes = (0..<count).map { $0 % 3 == 0 ? UInt8(0x0B) : $0 % 3 == 1 ? 0x8A : 0x00 }
                if position < count { bytes[position] = 0x0A }
                for start in 0...count {
                    let found = bytes.withUnsafeMutableBufferPointer { buffer in
                        Bytes.first(0x0A, in: buffer.span, from: start, to: count)
                    }
                    #expect(found == (position < count && position >= start ? position : count))
                }
            }
        }
    }
}
