import Addressing
import SIPMessage

/// One datagram of the simulated network, read once by the real parser for all who look at it.
final class Parcel {
    let bytes: [UInt8]
    let message: Message
    /// False for noise.
    let isReadable: Bool
    /// Whose call it belongs to, by the Call-ID; -1 for noise and probes.
    let call: Int
    /// The branch of the top Via as a number.
    let branch: UInt64
    /// All of its bytes as a number.
    let fingerprint: UInt64
    /// Which life of the process sent it, from 1; 0 when somebody else did.
    let epoch: Int

    init(_ bytes: [UInt8], epoch: Int = 0) {
        (self.bytes, self.epoch) = (bytes, epoch)
        fingerprint = Fingerprint.of(bytes.span, ByteRange(0, bytes.count))
        var message = Message()
        do {
            try message.parse(bytes.span)
            isReadable = true
        } catch {
            isReadable = false
        }
        self.message = message
        call = Self.call(of: message.callID, in: bytes)
        branch = message.topVia.branch.map { Fingerprint.of(bytes.span, $0) } ?? 0
    }

    /// The worker whose branch is the top one, by the two digits behind the cookie.
    var worker: Int {
        guard let branch = message.topVia.branch, branch.count >= 9 else { return -1 }
        let digits = bytes[branch.lowerBound + 7..<branch.lowerBound + 9]
        return Int(String(decoding: digits, as: UTF8.self), radix: 16) ?? -1
    }

    /// The number behind `sim-`.
    private static func call(of callID: ByteRange, in bytes: [UInt8]) -> Int {
        guard callID.count > 4, callID.count < 14 else { return -1 }
        let start = callID.lowerBound
        guard bytes[start] == UInt8(ascii: "s"), bytes[start + 1] == UInt8(ascii: "i"),
            bytes[start + 2] == UInt8(ascii: "m"), bytes[start + 3] == UInt8(ascii: "-")
        else { return -1 }
        var number = 0
        for index in start + 4..<callID.upperBound {
            guard bytes[index] >= UInt8(ascii: "0"), bytes[index] <= UInt8(ascii: "9") else { return -1 }
            number = number * 10 + Int(bytes[index] - UInt8(ascii: "0"))
        }
        return number
    }

    func fingerprint(of range: ByteRange?) -> UInt64 {
        let bytes = bytes
        return range.map { Fingerprint.of(bytes.span, $0) } ?? 0
    }

    func copy(of range: ByteRange) -> [UInt8] {
        let bytes = bytes
        return OutputBuffer.copy(of: bytes.span, range)
    }

    /// The values of all fields of that name, one by one.
    func values(of name: HeaderName) -> [ByteRange] {
        let bytes = bytes
        var found: [ByteRange] = []
        for field in message.fields where field.name == name {
            var values = ValueIterator(field.value)
            while let value = values.next(in: bytes.span) { found.append(value) }
        }
        return found
    }

    /// How many Via values there are.
    var viaCount: Int {
        let bytes = bytes
        var count = 0
        for field in message.fields where field.name == .via {
            var values = ValueIterator(field.value)
            while values.next(in: bytes.span) != nil { count += 1 }
        }
        return count
    }

    /// The branch of the second Via as a number; 0 when there is none.
    var upstreamBranch: UInt64 {
        let bytes = bytes
        var count = 0
        for field in message.fields where field.name == .via {
            var values = ValueIterator(field.value)
            while let value = values.next(in: bytes.span) {
                count += 1
                guard count == 2 else { continue }
                var start = value.lowerBound
                while start < value.upperBound, bytes[start] != UInt8(ascii: ";") { start += 1 }
                let parameters = ByteRange(start, value.upperBound)
                return fingerprint(of: parameter("branch", of: parameters, in: bytes.span)?.value)
            }
        }
        return 0
    }

    /// The URI inside a Contact, Route or Record-Route value.
    func uri(in value: ByteRange) -> ByteRange? {
        let bytes = bytes
        do {
            return try NameAddress.parse(bytes.span, value).uri
        } catch {
            return nil
        }
    }

    /// Where a URI leads.
    func address(of uri: ByteRange?) -> TransportAddress? {
        guard let uri else { return nil }
        let bytes = bytes
        do {
            let parsed = try SIPURI.parse(bytes.span, uri)
            return parsed.address.map { TransportAddress(.udp, $0, port: parsed.port ?? 5060) }
        } catch {
            return nil
        }
    }

    /// The URI of the first Contact.
    var contact: ByteRange? { values(of: .contact).first.flatMap { uri(in: $0) } }

    /// `INVITE`, `200 INVITE`.
    var title: String {
        guard isReadable else { return "noise of \(bytes.count) bytes" }
        let name = String(decoding: copy(of: message.cSeq), as: UTF8.self)
        return message.isRequest ? "\(message.method) (\(name))" : "\(message.status) (\(name))"
    }
}

/// Bytes as a number of 64 bits: equal bytes have the same, others hardly ever.
enum Fingerprint {
    static func of(_ bytes: Span<UInt8>, _ range: ByteRange) -> UInt64 {
        var value: UInt64 = 0x9E37_79B9_7F4A_7C15 ^ UInt64(range.count)
        let end = min(range.upperBound, bytes.count)
        var index = range.lowerBound
        while end - index >= 8 {
            let word = bytes.bytes.unsafeLoadUnaligned(fromByteOffset: index, as: UInt64.self)
            value = mixed(value, UInt64(littleEndian: word))
            index += 8
        }
        while index < end {
            value = mixed(value, UInt64(bytes[index]))
            index += 1
        }
        return value
    }

    static func mixed(_ value: UInt64, _ more: UInt64) -> UInt64 {
        let product = (value ^ more) &* 0x9FB2_1C65_1E98_DF25
        return product ^ product >> 32
    }
}
