import Addressing
import Proxy
import Routing
import SIPMessage
import SIPTransaction

/// One datagram: read, every part of it read, answered, forwarded; what we write of a message that was taken can be
/// read again and says the same.
enum FuzzedMessage {
    private static let source = TransportAddress(.udp, IPAddress(ipv4: 0xC000_0209), port: 5062)
    private static let own = TransportAddress(.udp, IPAddress(ipv4: 0x0A00_0001), port: 5060)
    private static let key = KeyedHash.Key(1, 2)

    static func check(_ bytes: [UInt8]) {
        var message = Message()
        var isTaken = true
        do {
            try message.parse(bytes.span)
        } catch {
            require(error.offset >= 0 && error.offset <= bytes.count, "an offset outside of the datagram: \(error)")
            isTaken = false
        }
        readAll(message, bytes)
        if message.isAnswerable { checkAnswer(to: message, bytes, isTaken: isTaken) }
        guard isTaken else { return }
        if message.isRequest {
            require(message.method == message.cSeqMethod, "another method in CSeq")
            checkForwarded(message, bytes)
        } else {
            require((100...699).contains(message.status), "a status of \(message.status)")
            checkForwardedResponse(message, bytes)
        }
    }

    private static func readAll(_ message: Message, _ bytes: [UInt8]) {
        let whole = ByteRange(0, bytes.count)
        var position = 0
        for field in message.fields {
            FuzzedParts.requireWithin(field.line, whole)
            FuzzedParts.requireWithin(field.value, field.line)
            require(field.line.lowerBound >= position, "fields overlap")
            position = field.line.upperBound
            FuzzedParts.checkAddresses(bytes.span, field.value)
        }
        FuzzedParts.requireWithin(message.body, whole)
        require(message.body.isEmpty || message.body.lowerBound >= position, "the body begins within a field")
        require(message.fields.count <= Message.fieldLimitCount, "too many fields")
        if message.isRequest {
            FuzzedParts.checkURI(bytes.span, message.requestURI)
            if let user = message.target?.userinfo { FuzzedParts.requireWithin(user, message.requestURI) }
            _ = responseDestination(of: message, in: bytes.span, source: source)
            _ = LoopMark.isPresent(in: message, bytes.span, from: source.address, key: key)
            _ = ServerTransactionKey(of: message, in: bytes.span, as: message.method, server: 0, key: key)
        }
        if let branch = message.topVia.branch { _ = Branch.parse(bytes.span, branch, key: key) }
    }

    private static func checkAnswer(to request: Message, _ bytes: [UInt8], isTaken: Bool) {
        var output = OutputBuffer(capacity: bytes.count + 512)
        writeResponse(
            404, "No", to: request, in: bytes.span, from: source, toTag: 1, server: "T", into: &output)
        require(output.count <= bytes.count + 512, "an answer that is much longer than its request")
        guard isTaken, let answer = read(output.bytes, "our own answer") else { return }
        require(answer.status == 404 && answer.cSeqNumber == request.cSeqNumber, "another answer than was written")
        require(answer.toTag != nil, "no tag in To")
        requireEqual(answer.callID, output.bytes, request.callID, bytes, "Call-ID")
        requireEqual(answer.from, output.bytes, request.from, bytes, "From")
    }

    private static func checkForwarded(_ request: Message, _ bytes: [UInt8]) {
        guard request.maxForwards != 0, request.fields.count < Message.fieldLimitCount - 5 else { return }
        let text = Array("07@192.0.2.9:5070".utf8)
        let rewriting = NumberRewriting(stripDigits: 1, prepend: "07", plus: .add)
        var forwarded = ForwardedRequest(
            branch: Branch(worker: 1, slot: 2, generation: 3), branchKey: key, advertised: own, requestURI: .original,
            routes: ForwardedRoutes(consumedCount: 0), recordRoute: 5, ingress: source, loopMark: 6)
        for isTarget in [false, true] {
            // Other schemes are refused before (416).
            if isTarget, request.target?.scheme ?? .other == .other { continue }
            var output = OutputBuffer(capacity: bytes.count + 1024)
            text.withUnsafeBufferPointer {
                if isTarget { forwarded.requestURI = .target(TargetURI(rewriting, prependCount: 2, text: $0)) }
                forwarded.write(request, in: bytes.span, from: source, into: &output)
            }
            if let copy = read(output.bytes, "a forwarded request") {
                requireEqual(copy.callID, output.bytes, request.callID, bytes, "Call-ID")
                requireEqual(copy.from, output.bytes, request.from, bytes, "From")
                requireEqual(copy.to, output.bytes, request.to, bytes, "To")
                requireEqual(copy.cSeq, output.bytes, request.cSeq, bytes, "CSeq")
                requireEqual(copy.body, output.bytes, request.body, bytes, "the body")
                let branch = copy.topVia.branch.flatMap { Branch.parse(output.bytes.span, $0, key: key) }
                require(branch == forwarded.branch, "our branch is not on top")
                require(copy.maxForwards == (request.maxForwards ?? 71) - 1, "Max-Forwards")
            }
            for isCancel in [false, true] {
                var head = OutputBuffer(capacity: bytes.count + 1024)
                text.withUnsafeBufferPointer {
                    if isTarget { forwarded.requestURI = .target(TargetURI(rewriting, prependCount: 2, text: $0)) }
                    if isCancel {
                        let reason = UnsafeBufferPointer<UInt8>(start: nil, count: 0)
                        forwarded.writeCancel(of: request, in: bytes.span, reason: reason, into: &head)
                    } else {
                        forwarded.writeAcknowledgement(
                            of: request, in: bytes.span, to: request.to, in: bytes.span, into: &head)
                    }
                }
                let copy = read(head.bytes, isCancel ? "our CANCEL" : "our ACK")
                require(copy?.method == (isCancel ? .cancel : .ack), "another method")
            }
        }
    }

    private static func checkForwardedResponse(_ response: Message, _ bytes: [UInt8]) {
        guard ForwardedResponse.hasUpstreamVia(response, in: bytes.span) else { return }
        var output = OutputBuffer(capacity: bytes.count + 64)
        ForwardedResponse.write(response, in: bytes.span, into: &output)
        guard let copy = read(output.bytes, "a forwarded response", viaMayBeBroken: true) else { return }
        require(copy.status == response.status, "another status")
        requireEqual(copy.reasonPhrase, output.bytes, response.reasonPhrase, bytes, "the reason phrase")
        requireEqual(copy.callID, output.bytes, response.callID, bytes, "Call-ID")
        requireEqual(copy.body, output.bytes, response.body, bytes, "the body")
    }

    /// Reads what we wrote, which must be possible; nil where it need not be.
    ///
    /// - Parameter viaMayBeBroken: only the topmost Via is looked into, and here that is another one than came on top.
    private static func read(_ bytes: [UInt8], _ what: String, viaMayBeBroken: Bool = false) -> Message? {
        var message = Message()
        do {
            try message.parse(bytes.span)
            return message
        } catch {
            require(
                viaMayBeBroken && error.rule == .malformed(.via),
                "\(what) can't be read: \(error)\n\(String(decoding: bytes, as: UTF8.self))")
            return nil
        }
    }

    private static func requireEqual(
        _ left: ByteRange, _ leftBytes: [UInt8], _ right: ByteRange, _ rightBytes: [UInt8], _ what: String
    ) {
        require(
            OutputBuffer.copy(of: leftBytes.span, left) == OutputBuffer.copy(of: rightBytes.span, right),
            "\(what) differs after writing\n\(String(decoding: leftBytes, as: UTF8.self))")
    }
}
