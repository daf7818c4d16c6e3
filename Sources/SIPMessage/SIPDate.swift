/// A Date field: RFC 1123's form and GMT alone, `Sat, 13 Nov 2010 23:29:00 GMT` (RFC 3261 section 20.17).
package struct SIPDate: Equatable, Sendable, BitwiseCopyable {
    /// Seconds since 1970-01-01T00:00:00Z, before that negative; a leap second is the next minute's first.
    package let secondsSince1970: Int64

    private static let weekdays: StaticString = "ThuFriSatSunMonTueWed"  // day 0 of 1970 was a Thursday
    private static let months: StaticString = "JanFebMarAprMayJunJulAugSepOctNovDec"

    /// Reads the date that the whole range must be. Names have their one spelling (section 25.1), and the weekday is
    /// the date's.
    package static func parse(_ datagram: Span<UInt8>, _ range: ByteRange) throws(MalformedValue) -> SIPDate {
        guard range.upperBound <= datagram.count, range.count == 29 else {
            throw MalformedValue(rule: .missing, offset: range.lowerBound)
        }
        let start = range.lowerBound
        for (offset, text) in punctuation {
            let part = ByteRange(start + offset, start + offset + text.utf8CodeUnitCount)
            guard Bytes.equal(datagram, part, text) else {
                throw MalformedValue(rule: .unexpected, offset: part.lowerBound)
            }
        }
        func number(_ offset: Int, _ digits: Int, _ allowed: ClosedRange<UInt32>) throws(MalformedValue) -> Int64 {
            let part = ByteRange(start + offset, start + offset + digits)
            guard let value = Bytes.decimal(datagram, part, limit: 9999), allowed.contains(value) else {
                throw MalformedValue(rule: .outOfRange, offset: part.lowerBound)
            }
            return Int64(value)
        }
        guard let month = index(of: datagram, start + 8, in: months) else {
            throw MalformedValue(rule: .unexpected, offset: start + 8)
        }
        let year = try number(12, 4, 0...9999)
        let day = try number(5, 2, 1...daysOfMonth(month, year))
        let days = daysSince1970(year, month, day)
        guard let weekday = index(of: datagram, start, in: weekdays), (days - weekday) % 7 == 0 else {
            throw MalformedValue(rule: .unexpected, offset: start)
        }
        let seconds = try number(17, 2, 0...23) * 3600 + number(20, 2, 0...59) * 60 + number(23, 2, 0...60)
        return SIPDate(secondsSince1970: days * 86_400 + seconds)
    }

    private static let punctuation: [(Int, StaticString)] = [
        (3, ", "), (7, " "), (11, " "), (16, " "), (19, ":"), (22, ":"), (25, " GMT"),
    ]

    /// Which of the names of three letters stands there.
    private static func index(of datagram: Span<UInt8>, _ start: Int, in names: StaticString) -> Int64? {
        names.withUTF8Buffer { names in
            for index in 0..<names.count / 3
            where datagram[start] == names[index * 3] && datagram[start + 1] == names[index * 3 + 1]
                && datagram[start + 2] == names[index * 3 + 2]
            {
                return Int64(index)
            }
            return nil
        }
    }

    private static func isLeap(_ year: Int64) -> Bool { year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) }

    /// - Parameter month: 0...11.
    private static func daysOfMonth(_ month: Int64, _ year: Int64) -> UInt32 {
        switch month {
        case 1: isLeap(year) ? 29 : 28
        case 3, 5, 8, 10: 30
        default: 31
        }
    }

    /// Days from the first of March 0000, which puts the leap day at a year's end, less those up to 1970.
    private static func daysSince1970(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
        let shifted = month < 2 ? year - 1 : year
        let era = (shifted >= 0 ? shifted : shifted - 399) / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * ((month + 10) % 12) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }
}
