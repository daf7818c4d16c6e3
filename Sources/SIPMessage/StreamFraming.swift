/// Where one message ends and the next begins in a stream (RFC 3261 section 18.3), for one direction of one connection.
///
///     [CRLF CRLF]...  start line, header fields, empty line | Content-Length bytes | the next message
///
/// The owner gives all bytes that it has and that no earlier answer took, and gives them again with more behind: what
/// was looked at stays so, and each byte of a header is looked at once. Works on any bytes: what can't be framed is
/// said to be so, and nothing behind it means anything.
package struct StreamFraming: Sendable, BitwiseCopyable {
    /// What stands at the beginning of the bytes.
    package enum Outcome: Equatable, Sendable {
        /// No whole message yet; nothing is taken.
        case incomplete
        /// Line ends between messages, which mean nothing: these many bytes are taken.
        case blank(count: Int)
        /// The second of two CRLF, to be answered by one (RFC 5626 section 4.4.1): these many bytes are taken.
        case ping(count: Int)
        /// A message of these many bytes, which are taken.
        case message(count: Int)
        /// The head of a message whose end can't be told, or that is too long: the sender may be told, and then the
        /// connection is of no more use.
        case unframed(count: Int)
    }

    /// A longer message is not taken (API section 9), in bytes.
    package static let limitBytes = 65_536

    private enum Length: Equatable {
        case unknown, broken
        case known(UInt32)
    }

    /// Where the line that is not whole yet begins; 0: the start line.
    private var lineStart = 0
    /// Up to here no end of that line was found.
    private var searched = 0
    /// How long the message is; nil: its header does not end yet.
    private var total: Int?
    private var length = Length.unknown
    private var isHalfPing = false

    /// The beginning of a stream.
    package init() {}

    /// True when the bytes that were looked at are the beginning of a message that has not come whole.
    package var isWithinMessage: Bool { searched > 0 || total != nil }

    /// What stands at the beginning of the bytes. After any answer but `incomplete` the owner drops what was taken and
    /// asks again; after `unframed` it asks no more.
    package mutating func next(in bytes: Span<UInt8>) -> Outcome {
        guard !bytes.isEmpty else { return .incomplete }
        if !isWithinMessage {
            if let outcome = takeLineEnd(bytes) { return outcome }
            isHalfPing = false
            // A method or `SIP/2.0` begins; what speaks another protocol is not waited for.
            guard Bytes.isToken(bytes[0]) else { return .unframed(count: 1) }
        }
        if let total { return finish(total, bytes) }
        let end = min(bytes.count, Self.limitBytes)
        while true {
            let lineEnd = Bytes.first(0x0A, in: bytes, from: searched, to: end)
            guard lineEnd < end else { break }
            let isEmptyLine =
                lineStart > 0
                && (lineEnd == lineStart || lineEnd == lineStart + 1 && bytes[lineStart] == 0x0D)
            if isEmptyLine { return endHeader(at: lineEnd + 1, bytes) }
            // Whether the next line is a fold of this one is told by its first byte (§7.3.1).
            if lineStart > 0 {
                guard lineEnd + 1 < end else {
                    searched = lineEnd
                    return endsBeyondLimit(bytes)
                }
                if bytes[lineEnd + 1] == 0x20 || bytes[lineEnd + 1] == 0x09 {
                    searched = lineEnd + 1
                    continue
                }
                readField(bytes, ByteRange(lineStart, lineEnd))
            }
            (lineStart, searched) = (lineEnd + 1, lineEnd + 1)
        }
        searched = end
        return endsBeyondLimit(bytes)
    }

    /// A line end before a message, if one stands here. Two CRLF one behind the other are a ping.
    private mutating func takeLineEnd(_ bytes: Span<UInt8>) -> Outcome? {
        if bytes[0] == 0x0A {
            isHalfPing = false
            return .blank(count: 1)
        }
        guard bytes[0] == 0x0D else { return nil }
        guard bytes.count > 1 else { return .incomplete }
        guard bytes[1] == 0x0A else {
            isHalfPing = false
            return .blank(count: 1)
        }
        isHalfPing.toggle()
        return isHalfPing ? .blank(count: 2) : .ping(count: 2)
    }

    /// Nothing more is waited for when the limit is reached.
    private func endsBeyondLimit(_ bytes: Span<UInt8>) -> Outcome {
        bytes.count >= Self.limitBytes ? .unframed(count: Self.limitBytes) : .incomplete
    }

    /// Content-Length, in any of its forms; a second one makes the end of the message a matter of opinion.
    private mutating func readField(_ bytes: Span<UInt8>, _ line: ByteRange) {
        guard line.count > 1, [0x43, 0x4C].contains(bytes[line.lowerBound] & ~0x20) else { return }  // C, L
        var position = line.lowerBound
        while position < line.upperBound, Bytes.isToken(bytes[position]) { position += 1 }
        guard HeaderName(bytes, ByteRange(line.lowerBound, position)) == .contentLength else { return }
        while position < line.upperBound, bytes[position] == 0x20 || bytes[position] == 0x09 { position += 1 }
        guard position < line.upperBound, bytes[position] == UInt8(ascii: ":") else { return }
        let value = ByteRange(position + 1, line.upperBound).trimmed(in: bytes)
        guard length == .unknown, let number = Bytes.decimal(bytes, value, limit: .max) else {
            length = .broken
            return
        }
        length = .known(number)
    }

    private mutating func endHeader(at end: Int, _ bytes: Span<UInt8>) -> Outcome {
        guard case .known(let length) = length, Int(length) <= Self.limitBytes - end else {
            return .unframed(count: end)
        }
        return finish(end + Int(length), bytes)
    }

    private mutating func finish(_ total: Int, _ bytes: Span<UInt8>) -> Outcome {
        guard bytes.count >= total else {
            self.total = total
            return .incomplete
        }
        self = StreamFraming()
        return .message(count: total)
    }
}
