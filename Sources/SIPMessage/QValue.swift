/// A `q` value: how much one of several is preferred (RFC 3261 section 25.1, `qvalue`; section 20.10).
package struct QValue: Comparable, Hashable, Sendable, BitwiseCopyable {
    /// 0...1000.
    package let thousandths: UInt16

    /// What holds where a Contact has no `q`.
    package static let most = QValue(thousandths: 1000)

    /// The value of so many thousandths; above 1000 it is 1000.
    package init(thousandths: UInt16) { self.thousandths = min(thousandths, 1000) }

    package static func < (left: QValue, right: QValue) -> Bool { left.thousandths < right.thousandths }

    /// Reads `0`, `0.`, `0.5`, `0.125`, `1`, `1.000`: at most three decimals, nothing above 1.
    package static func parse(_ datagram: Span<UInt8>, _ range: ByteRange) throws(MalformedValue) -> QValue {
        guard !range.isEmpty, range.upperBound <= datagram.count else {
            throw MalformedValue(rule: .missing, offset: range.lowerBound)
        }
        let whole = datagram[range.lowerBound]
        guard whole == UInt8(ascii: "0") || whole == UInt8(ascii: "1") else {
            throw MalformedValue(
                rule: Bytes.isDigit(whole) ? .outOfRange : .unexpected, offset: range.lowerBound)
        }
        var value: UInt16 = whole == UInt8(ascii: "1") ? 1000 : 0
        var weight: UInt16 = 100
        for index in range.lowerBound + 1..<range.upperBound {
            let byte = datagram[index]
            if index == range.lowerBound + 1 {
                guard byte == UInt8(ascii: ".") else { throw MalformedValue(rule: .unexpected, offset: index) }
                continue
            }
            guard Bytes.isDigit(byte), weight > 0 else { throw MalformedValue(rule: .unexpected, offset: index) }
            value += UInt16(byte - UInt8(ascii: "0")) * weight
            weight /= 10
            guard value <= 1000 else { throw MalformedValue(rule: .outOfRange, offset: index) }
        }
        return QValue(thousandths: value)
    }

    /// Appends `1.0` or `0.667`: the shortest form that is read everywhere.
    package func write(into output: inout OutputBuffer) {
        guard thousandths < 1000 else {
            output.append("1.0")
            return
        }
        output.append("0.")
        if thousandths < 100 { output.append("0") }
        if thousandths < 10 { output.append("0") }
        output.append(decimal: Int64(thousandths))
    }
}

extension NameAddress {
    /// The `q` of a Contact; `most` without one.
    package func preference(in datagram: Span<UInt8>) throws(MalformedValue) -> QValue {
        guard let parameter = parameter("q", of: parameters, in: datagram) else { return .most }
        guard let value = parameter.value else {
            throw MalformedValue(rule: .missing, offset: parameter.name.upperBound)
        }
        return try QValue.parse(datagram, value)
    }
}
