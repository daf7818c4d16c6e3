/// The number and parameters of a `tel:` URI, which are the user part of a SIP URI with `user=phone` too (RFC 3966, RFC
/// 3261 section 19.1.6).
package struct TelephoneSubscriber: Sendable, BitwiseCopyable {
    /// As written, with visual separators; a global number begins with `+`.
    package let number: ByteRange
    /// From the first `;` on; empty without.
    package let parameters: ByteRange
    /// True for a number that means the same everywhere (E.164).
    package let isGlobal: Bool

    /// Reads the subscriber that the whole range must be. A local number without `phone-context` is taken: so gateways
    /// and their users send it.
    package static func parse(_ datagram: Span<UInt8>, _ range: ByteRange) throws(MalformedValue) -> TelephoneSubscriber
    {
        guard !range.isEmpty, range.upperBound <= datagram.count else {
            throw MalformedValue(rule: .missing, offset: range.lowerBound)
        }
        let isGlobal = datagram[range.lowerBound] == UInt8(ascii: "+")
        let end = Bytes.first(UInt8(ascii: ";"), in: datagram, from: range.lowerBound, to: range.upperBound)
        var digitCount = 0
        for index in range.lowerBound + (isGlobal ? 1 : 0)..<max(end, range.lowerBound + (isGlobal ? 1 : 0)) {
            let byte = datagram[index]
            if isSeparator(byte) { continue }
            let isDigit =
                Bytes.isDigit(byte)
                || !isGlobal && (Bytes.isHexadecimal(byte) || byte == UInt8(ascii: "*") || byte == UInt8(ascii: "#"))
            guard isDigit else { throw MalformedValue(rule: .unexpected, offset: index) }
            digitCount += 1
        }
        guard digitCount > 0 else { throw MalformedValue(rule: .missing, offset: range.lowerBound) }
        let parameters = ByteRange(end, range.upperBound)
        var iterator = ParameterIterator(parameters)
        while iterator.next(in: datagram) != nil {}
        if iterator.isMalformed { throw MalformedValue(rule: .parameter, offset: end) }
        return TelephoneSubscriber(
            number: ByteRange(range.lowerBound, end), parameters: parameters, isGlobal: isGlobal)
    }

    /// True when both ranges hold subscribers and those are equivalent (RFC 3966 section 4): the same digits without
    /// their visual separators, and the same parameters in any order, whatever the case.
    package static func areEquivalent(
        _ left: ByteRange, in leftDatagram: Span<UInt8>, _ right: ByteRange, in rightDatagram: Span<UInt8>
    ) -> Bool {
        do {
            let (one, other) = (try parse(leftDatagram, left), try parse(rightDatagram, right))
            return one.isGlobal == other.isGlobal
                && equalNumbers(one.number, leftDatagram, other.number, rightDatagram)
                && hold(one.parameters, leftDatagram, in: other.parameters, rightDatagram)
                && hold(other.parameters, rightDatagram, in: one.parameters, leftDatagram)
        } catch {
            return false
        }
    }

    /// More parameters than this are taken as different: comparing them costs the product of both counts.
    private static let parameterLimitCount = 32

    /// `-`, `.`, `(` and `)` are there for the eye alone.
    private static func isSeparator(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: "-") || byte == UInt8(ascii: ".") || byte == UInt8(ascii: "(") || byte == UInt8(ascii: ")")
    }

    private static func equalNumbers(
        _ left: ByteRange, _ leftDatagram: Span<UInt8>, _ right: ByteRange, _ rightDatagram: Span<UInt8>
    ) -> Bool {
        var (position, otherPosition) = (left.lowerBound, right.lowerBound)
        while true {
            while position < left.upperBound, isSeparator(leftDatagram[position]) { position += 1 }
            while otherPosition < right.upperBound, isSeparator(rightDatagram[otherPosition]) { otherPosition += 1 }
            guard position < left.upperBound, otherPosition < right.upperBound else {
                return position == left.upperBound && otherPosition == right.upperBound
            }
            let (byte, other) = (leftDatagram[position], rightDatagram[otherPosition])
            guard byte == other || Bytes.isLetter(byte) && byte | 0x20 == other | 0x20 else { return false }
            (position, otherPosition) = (position + 1, otherPosition + 1)
        }
    }

    /// True when each parameter here is there too and the same.
    private static func hold(
        _ range: ByteRange, _ datagram: Span<UInt8>, in otherRange: ByteRange, _ otherDatagram: Span<UInt8>
    ) -> Bool {
        var (iterator, count) = (ParameterIterator(range), 0)
        while let parameter = iterator.next(in: datagram) {
            count += 1
            var (others, otherCount) = (ParameterIterator(otherRange), 0)
            var isFound = false
            while !isFound, let other = others.next(in: otherDatagram) {
                otherCount += 1
                guard count <= parameterLimitCount, otherCount <= parameterLimitCount else { return false }
                isFound =
                    EscapedText.areEqual(parameter.name, in: datagram, other.name, in: otherDatagram, caseFolded: true)
                    && areEqualValues(parameter.value ?? .empty, datagram, other.value ?? .empty, otherDatagram)
            }
            if !isFound { return false }
        }
        return true
    }

    /// A value that is a number (a `phone-context` with `+`, an `ext`) is compared without its separators.
    private static func areEqualValues(
        _ left: ByteRange, _ leftDatagram: Span<UInt8>, _ right: ByteRange, _ rightDatagram: Span<UInt8>
    ) -> Bool {
        func isNumber(_ range: ByteRange, _ datagram: Span<UInt8>) -> Bool {
            guard !range.isEmpty, range.upperBound <= datagram.count else { return false }
            for index in range.lowerBound..<range.upperBound {
                let isFirstPlus = index == range.lowerBound && datagram[index] == UInt8(ascii: "+")
                guard isFirstPlus || Bytes.isDigit(datagram[index]) || isSeparator(datagram[index]) else {
                    return false
                }
            }
            return true
        }
        if isNumber(left, leftDatagram), isNumber(right, rightDatagram) {
            return equalNumbers(left, leftDatagram, right, rightDatagram)
        }
        return EscapedText.areEqual(left, in: leftDatagram, right, in: rightDatagram, caseFolded: true)
    }
}

extension SIPURI {
    /// True when the user part is a telephone number by what the URI itself says: `tel:`, or `user=phone` (RFC 3261
    /// section 19.1.1).
    package func isTelephone(in datagram: Span<UInt8>) -> Bool {
        if scheme == .tel { return true }
        guard let user = parameter("user", of: parameters, in: datagram)?.value else { return false }
        return Bytes.equalIgnoringCase(datagram, user, "phone")
    }
}
