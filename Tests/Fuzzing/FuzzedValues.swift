import SIPMessage

/// Values of header fields, and URIs compared.
enum FuzzedValues {
    static func check(_ bytes: [UInt8]) {
        let (datagram, whole) = (bytes.span, ByteRange(0, bytes.count))
        expectWithin(whole) { () throws(MalformedValue) in
            let value = try RetryAfter.parse(datagram, whole)
            FuzzedParts.requireWithin(value.comment, whole)
        }
        expectWithin(whole) { () throws(MalformedValue) in
            var values = ValueIterator(whole)
            while let value = values.next(in: datagram) {
                let reason = try Reason.parse(datagram, value)
                FuzzedParts.requireWithin(reason.protocolName, value)
                if let text = reason.text { FuzzedParts.requireWithin(text, value) }
            }
        }
        expectWithin(whole) { () throws(MalformedValue) in _ = try SIPDate.parse(datagram, whole) }
        expectWithin(whole) { () throws(MalformedValue) in
            let q = try QValue.parse(datagram, whole)
            var output = OutputBuffer(capacity: 8)
            q.write(into: &output)
            let again = try QValue.parse(output.bytes.span, ByteRange(0, output.count))
            require(again == q && q <= .most, "q differs after writing")
        }
        expectWithin(whole) { () throws(MalformedValue) in
            let subscriber = try TelephoneSubscriber.parse(datagram, whole)
            FuzzedParts.requireWithin(subscriber.number, whole)
            FuzzedParts.requireWithin(subscriber.parameters, whole)
        }
    }

    /// Equality goes both ways, and what can be read is equal to itself, but with more parts than are compared.
    static func checkEquivalence(_ bytes: [UInt8]) {
        let datagram = bytes.span
        let end = bytes.firstIndex(of: UInt8(ascii: "\n")) ?? bytes.count
        let (left, right) = (ByteRange(0, end), ByteRange(min(end + 1, bytes.count), bytes.count))
        let one = SIPURI.areEquivalent(left, in: datagram, right, in: datagram)
        let other = SIPURI.areEquivalent(right, in: datagram, left, in: datagram)
        require(one == other, "equality goes one way")
        // A parameter that stands twice need not be equal to itself: URIs have none (RFC 3261 section 19.1.1).
        guard one, end < 32, !bytes[..<end].contains(UInt8(ascii: ";")) else { return }
        require(SIPURI.areEquivalent(left, in: datagram, left, in: datagram), "not equal to itself")
    }

    private static func expectWithin(_ whole: ByteRange, _ read: () throws(MalformedValue) -> Void) {
        do {
            try read()
        } catch {
            require(error.offset >= whole.lowerBound && error.offset <= whole.upperBound, "an offset outside: \(error)")
        }
    }
}
