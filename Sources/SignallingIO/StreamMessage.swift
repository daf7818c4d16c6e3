/// What a look at the first bytes of a message tells; enough to know which connection is still needed.
enum StreamMessage {
    /// True for a request that is to be answered: anything but an ACK.
    static func expectsResponse(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        !isResponse(bytes) && !begins(bytes, "ACK ")
    }

    static func isResponse(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool { begins(bytes, "SIP/") }

    /// True for a response that no other follows.
    static func isFinalResponse(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        begins(bytes, "SIP/2.0 ") && bytes.count > 8 && bytes[8] != UInt8(ascii: "1")
    }

    private static func begins(_ bytes: UnsafeBufferPointer<UInt8>, _ text: StaticString) -> Bool {
        text.withUTF8Buffer { expected in
            guard bytes.count >= expected.count else { return false }
            for index in 0..<expected.count where bytes[index] | 0x20 != expected[index] | 0x20 { return false }
            return true
        }
    }
}
