import SIPMessage
import SIPTransaction
import Testing

@Suite struct KeyedHashTests {
    /// The reference vectors of SipHash-2-4: key 00...0f, message 00, 01, 02, ...
    @Test func `SipHash-2-4 as its authors publish it`() {
        let key = KeyedHash.Key(0x0706_0504_0302_0100, 0x0F0E_0D0C_0B0A_0908)
        let expected: [Int: UInt64] = [
            0: 0x726F_DB47_DD0E_0E31, 1: 0x74F8_39C5_93DC_67FD, 8: 0x93F5_F579_9A93_2462, 15: 0xA129_CA61_49BE_45E5,
        ]
        for (count, value) in expected {
            let bytes = (0..<UInt8(count)).map { $0 }
            var hash = KeyedHash(key)
            hash.update(bytes.span, ByteRange(0, count))
            #expect(hash.finish() == value, "\(count) bytes")
        }
    }

    @Test func `bytes and numbers may be mixed at any alignment`() {
        let key = KeyedHash.Key(1, 2)
        let bytes = (0..<UInt8(29)).map { $0 }
        var whole = KeyedHash(key)
        whole.update(bytes.span, ByteRange(0, 29))
        let expected = whole.finish()
        for start in 0...21 {
            var hash = KeyedHash(key)
            hash.update(bytes.span, ByteRange(0, start))
            hash.update((0..<8).reduce(0) { $0 | UInt64(bytes[start + $1]) << UInt64($1 * 8) })
            hash.update(bytes.span, ByteRange(start + 8, 29))
            #expect(hash.finish() == expected, "number at \(start)")
        }
    }
}

@Suite struct BranchTests {
    static let key = KeyedHash.Key(7, 8)

    static func text(_ branch: Branch) -> [UInt8] {
        var output = OutputBuffer(capacity: 64)
        branch.write(into: &output, key: key)
        return output.bytes
    }

    @Test func `parse(write(branch)) is the branch, for both ends of each field`() {
        for branch in [
            Branch(worker: 0, slot: 0, generation: 1), Branch(worker: 255, slot: .max, generation: .max),
            Branch(worker: 3, slot: 70_000, generation: 0xFF_FFFF),
        ] {
            let bytes = Self.text(branch)
            #expect(String(decoding: bytes.prefix(7), as: UTF8.self) == "z9hG4bK")
            #expect(Branch.parse(bytes.span, ByteRange(0, bytes.count), key: Self.key) == branch)
            #expect(Branch.worker(of: bytes.span, ByteRange(0, bytes.count)) == branch.worker)
        }
    }

    @Test func `one changed byte anywhere, another key, another length: not ours`() {
        let bytes = Self.text(Branch(worker: 1, slot: 2, generation: 3))
        for index in bytes.indices {
            var changed = bytes
            changed[index] ^= 1
            #expect(Branch.parse(changed.span, ByteRange(0, changed.count), key: Self.key) == nil, "byte \(index)")
        }
        #expect(Branch.parse(bytes.span, ByteRange(0, bytes.count), key: KeyedHash.Key(7, 9)) == nil)
        #expect(Branch.parse(bytes.span, ByteRange(0, bytes.count - 1), key: Self.key) == nil)
        #expect(Branch.parse(bytes.span, ByteRange(1, bytes.count + 1), key: Self.key) == nil, "outside the datagram")
        #expect(Branch.worker(of: bytes.span, ByteRange(0, 9)) == nil)
    }
}

@Suite struct ServerTransactionKeyTests {
    static func key(_ text: String, as method: Method? = nil, server: UInt8 = 0) throws -> ServerTransactionKey {
        let bytes = Array(text.utf8)
        var message = Message()
        try message.parse(bytes.span)
        return ServerTransactionKey(
            of: message, in: bytes.span, as: method ?? message.method, server: server, key: KeyedHash.Key(1, 2))
    }

    static func request(
        _ method: String, branch: String = ";branch=z9hG4bKa", host: String = "h:5060", cSeq: Int = 1,
        fromTag: String = "f",
        toTag: String = "", callID: String = "c"
    ) -> String {
        "\(method) sip:1@x SIP/2.0\r\nVia: SIP/2.0/UDP \(host)\(branch)\r\nFrom: <sip:a@b>;tag=\(fromTag)\r\n"
            + "To: <sip:1@x>\(toTag)\r\nCall-ID: \(callID)\r\nCSeq: \(cSeq) \(method)\r\n\r\n"
    }

    @Test func `with a cookie: branch, sent-by and method decide (§17.2.3)`() throws {
        let invite = try Self.key(Self.request("INVITE"))
        #expect(try Self.key(Self.request("INVITE", fromTag: "other")) == invite)
        #expect(try Self.key(Self.request("ACK", toTag: ";tag=t"), as: .invite) == invite)
        #expect(try Self.key(Self.request("CANCEL"), as: .invite) == invite)
        #expect(try Self.key(Self.request("CANCEL")) != invite)
        #expect(try Self.key(Self.request("INVITE", host: "h:5061")) != invite)
        #expect(try Self.key(Self.request("INVITE", host: "i:5060")) != invite)
        #expect(try Self.key(Self.request("INVITE", branch: ";branch=z9hG4bKb")) != invite)
        #expect(try Self.key(Self.request("FOO")) != (try Self.key(Self.request("BAR"))))
    }

    @Test func `a branch that a sender uses again for another request does not make it a copy of the first`() throws {
        let first = try Self.key(Self.request("REGISTER"))
        #expect(try Self.key(Self.request("REGISTER")) == first)
        #expect(try Self.key(Self.request("REGISTER", callID: "d")) != first)
        #expect(try Self.key(Self.request("REGISTER", cSeq: 2)) != first)
    }

    @Test func `what was sent to two servers that share a table are two transactions`() throws {
        for branch in [";branch=z9hG4bKa", ""] {
            let invite = Self.request("INVITE", branch: branch)
            #expect(try Self.key(invite, server: 0) != (try Self.key(invite, server: 1)))
        }
    }

    @Test func `without a cookie the top Via is compared by what it says, not by its white space (§17.2.3)`() throws {
        let invite = try Self.key(Self.request("INVITE", branch: ";branch=1"))
        #expect(
            try Self.key(Self.request("ACK", branch: " ;\r\n branch = 1;received=192.0.2.1"), as: .invite) == invite)
    }

    @Test func `without (RFC 2543): Request-URI, From tag, Call-ID, CSeq and top Via decide (§17.2.3)`() throws {
        let invite = try Self.key(Self.request("INVITE", branch: ""))
        #expect(try Self.key(Self.request("ACK", branch: "", toTag: ";tag=t"), as: .invite) == invite)
        #expect(try Self.key(Self.request("INVITE", branch: "", cSeq: 2)) != invite)
        #expect(try Self.key(Self.request("INVITE", branch: "", fromTag: "g")) != invite)
        #expect(try Self.key(Self.request("INVITE", branch: "", host: "i")) != invite)
        #expect(try Self.key(Self.request("INVITE", branch: ";branch=1")) != invite)
    }
}
