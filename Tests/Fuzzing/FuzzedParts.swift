import Addressing
import JSON
import Proxy
import SIPMessage
import SIPTransaction

/// Parts of messages, each from the bytes of a range.
enum FuzzedParts {
    static func checkURI(_ datagram: Span<UInt8>, _ range: ByteRange) {
        let uri: SIPURI
        do {
            uri = try SIPURI.parse(datagram, range)
        } catch {
            require(error.offset >= range.lowerBound && error.offset <= range.upperBound, "an offset outside: \(error)")
            return
        }
        if let userinfo = uri.userinfo { requireWithin(userinfo, range) }
        requireWithin(uri.host, range)
        requireWithin(uri.parameters, range)
        requireWithin(uri.headers, range)
        checkParameters(datagram, uri.parameters)
    }

    /// The parts of a list lie within it, one behind the other.
    static func checkParameters(_ datagram: Span<UInt8>, _ range: ByteRange) {
        var iterator = ParameterIterator(range)
        var position = range.lowerBound
        while let parameter = iterator.next(in: datagram) {
            requireWithin(parameter.whole, range)
            requireWithin(parameter.name, parameter.whole)
            if let value = parameter.value { requireWithin(value, parameter.whole) }
            require(parameter.whole.lowerBound >= position && !parameter.whole.isEmpty, "parameters overlap")
            position = parameter.whole.upperBound
        }
        _ = parameter("tag", of: range, in: datagram)
    }

    static func checkAddresses(_ datagram: Span<UInt8>, _ range: ByteRange) {
        var values = ValueIterator(range)
        while let value = values.next(in: datagram) {
            requireWithin(value, range)
            do {
                let address = try NameAddress.parse(datagram, value)
                requireWithin(address.displayName, value)
                requireWithin(address.uri, value)
                requireWithin(address.parameters, value)
                checkURI(datagram, address.uri)
                checkParameters(datagram, address.parameters)
            } catch {
                require(error.offset >= value.lowerBound && error.offset <= value.upperBound, "an offset outside")
            }
        }
    }

    /// A Via is read as part of a message, which is the only way in.
    static func checkVia(_ bytes: [UInt8]) {
        FuzzedMessage.check(
            Array("OPTIONS sip:a@b SIP/2.0\r\nVia: ".utf8) + bytes
                + Array("\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n\r\n".utf8))
    }

    static func checkBranch(_ bytes: [UInt8]) {
        let (whole, key) = (ByteRange(0, bytes.count), KeyedHash.Key(1, 2))
        _ = Branch.worker(of: bytes.span, whole)
        require(Branch.parse(bytes.span, whole, key: key) == nil || bytes.count == 37, "a branch of another length")
        // A branch that we wrote is read, and with any byte of it changed it is not.
        var seed: UInt64 = 0
        for byte in bytes.prefix(9) { seed = seed << 8 | UInt64(byte) }
        let branch = Branch(
            worker: UInt8(truncatingIfNeeded: seed), slot: UInt32(truncatingIfNeeded: seed >> 8),
            generation: UInt32(truncatingIfNeeded: seed >> 24))
        var output = OutputBuffer(capacity: 64)
        branch.write(into: &output, key: key)
        let written = output.bytes
        require(Branch.parse(written.span, ByteRange(0, written.count), key: key) == branch, "our own branch")
        guard let first = bytes.first, let last = bytes.last else { return }
        var changed = written
        let index = Int(first) % changed.count
        changed[index] = last
        let read = Branch.parse(changed.span, ByteRange(0, changed.count), key: key)
        require(changed == written || read == nil, "a changed branch passes")
    }

    static func checkJSON(_ bytes: [UInt8]) {
        let value: JSONValue
        do {
            value = try JSONValue(parsing: bytes)
        } catch {
            return  // refused, which is an answer
        }
        let text = value.canonicalText
        do {
            let again = try JSONValue(parsing: Array(text.utf8))
            require(again.canonicalText == text, "canonical text of canonical text differs")
        } catch {
            require(false, "what we wrote can't be read: \(error)")
        }
    }

    static func requireWithin(_ part: ByteRange, _ whole: ByteRange) {
        if part.isEmpty { return }
        require(
            part.lowerBound >= whole.lowerBound && part.upperBound <= whole.upperBound,
            "a part \(part) outside of its whole \(whole)")
    }
}
