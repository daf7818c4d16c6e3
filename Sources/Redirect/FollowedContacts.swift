import Addressing
package import Routing
package import SIPMessage

/// The routing information of a redirect server elsewhere: the Contacts of its 300, 301 or 302 that we can send to, in
/// the order of `q`, none twice and none that is the Request-URI (RFC 3261 sections 8.1.3.4 and 16.5). The worker
/// reuses it.
package struct FollowedContacts: Sendable {
    /// One of them. Its URI lies in the datagram of the response.
    package struct Contact: Sendable, BitwiseCopyable {
        /// What becomes the Request-URI: the Contact's without its header components (section 19.1.5).
        package let uri: ByteRange
        /// Which gateway it is, and how it is tried.
        package let target: RemoteTarget
        let preference: QValue
    }

    /// More Contacts of one response are not looked at.
    private static let lookLimitCount = 256

    /// In the order in which they are tried.
    package private(set) var contacts: [Contact] = []
    /// How many there are that we can't send to, or that would be sent to twice.
    package private(set) var ignoredCount = 0
    /// How long the whole search may take, ms; nil: no bound.
    package private(set) var giveUpAfterMilliseconds: UInt32?

    /// None.
    package init() {}

    /// Reads a response.
    ///
    /// - Parameters:
    ///   - requestURI: that of the request as it came, in the datagram `request`.
    ///   - defaults: how a Contact is tried that does not say; of one that names its gateway, how long it is tried last
    ///     where it is found dead.
    ///   - limitCount: so many are taken.
    package mutating func read(
        _ response: Message, in datagram: Span<UInt8>, unless requestURI: ByteRange, in request: Span<UInt8>,
        defaults: RemoteTarget.Rules, limitCount: Int
    ) {
        contacts.removeAll(keepingCapacity: true)
        (ignoredCount, giveUpAfterMilliseconds) = (0, nil)
        var lookCount = 0
        for field in response.fields where field.name == .contact {
            var values = ValueIterator(field.value)
            while let value = values.next(in: datagram), lookCount < Self.lookLimitCount, contacts.count < limitCount {
                lookCount += 1
                guard let address = Self.address(datagram, value),
                    let contact = follow(address, datagram, defaults),
                    !SIPURI.areEquivalent(contact.uri, in: datagram, requestURI, in: request),
                    !contacts.contains(where: { isSame($0, contact, datagram) })
                else {
                    ignoredCount += 1
                    continue
                }
                // Behind all that are preferred as much: the order of the response is kept among equals.
                let place = contacts.firstIndex { $0.preference < contact.preference } ?? contacts.endIndex
                contacts.insert(contact, at: place)
            }
        }
    }

    private func isSame(_ one: Contact, _ other: Contact, _ datagram: Span<UInt8>) -> Bool {
        one.target.gateway.address == other.target.gateway.address
            && SIPURI.areEquivalent(one.uri, in: datagram, other.uri, in: datagram)
    }

    private static func address(_ datagram: Span<UInt8>, _ value: ByteRange) -> NameAddress? {
        do { return try NameAddress.parse(datagram, value) } catch { return nil }
    }

    /// Nil for what we can't send to: other schemes, host names, transports that we do not speak, and what may not
    /// stand in a Request-URI (section 19.1.1) or names another hop.
    private mutating func follow(
        _ address: NameAddress, _ datagram: Span<UInt8>, _ defaults: RemoteTarget.Rules
    ) -> Contact? {
        let uri: SIPURI
        do { uri = try SIPURI.parse(datagram, address.uri) } catch { return nil }
        guard uri.scheme == .sip, let host = uri.address, !host.isUnspecified, !host.isMulticast,
            uri.transport != .tls,
            uri.transport != nil || parameter("transport", of: uri.parameters, in: datagram) == nil,
            parameter("maddr", of: uri.parameters, in: datagram) == nil,
            parameter("method", of: uri.parameters, in: datagram) == nil
        else { return nil }
        let end = uri.headers.isEmpty ? address.uri.upperBound : uri.headers.lowerBound
        let name = Self.gatewayName(of: address.parameters, in: datagram)
        var rules = defaults
        if !name.isEmpty {
            rules = RemoteTarget.Rules()
            rules.timing.holdSeconds = defaults.timing.holdSeconds
            rules.timing.holdLimitSeconds = defaults.timing.holdLimitSeconds
            read(address.parameters, datagram, into: &rules)
        }
        var preference = QValue(thousandths: 0)
        do { preference = try address.preference(in: datagram) } catch { preference = QValue(thousandths: 0) }
        let gateway = RemoteGateway(
            name: name, address: TransportAddress(uri.transport ?? .udp, host, port: uri.port ?? 5060))
        return Contact(
            uri: ByteRange(address.uri.lowerBound, end), target: RemoteTarget(gateway, rules), preference: preference)
    }

    // MARK: parameters

    /// The gateway's id; empty where none that the API would take stands there.
    private static func gatewayName(of parameters: ByteRange, in datagram: Span<UInt8>) -> ShortText {
        guard let value = parameter(ContactParameters.gateway, of: parameters, in: datagram)?.value,
            (1...63).contains(value.count)
        else { return ShortText() }
        for index in value.lowerBound..<value.upperBound {
            switch datagram[index] {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"): continue
            case UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"): if index > value.lowerBound { continue }
            default: break
            }
            return ShortText()
        }
        return ShortText(datagram, value.lowerBound..<value.upperBound)
    }

    /// What is out of the API's range has its default, as what is left out.
    private mutating func read(
        _ parameters: ByteRange, _ datagram: Span<UInt8>, into rules: inout RemoteTarget.Rules
    ) {
        var iterator = ParameterIterator(parameters)
        while let parameter = iterator.next(in: datagram) {
            func names(_ name: StaticString) -> Bool { parameter.name.equalsIgnoringCase(name, in: datagram) }
            func number(_ range: ClosedRange<UInt32>) -> UInt32? {
                parameter.value.flatMap { Self.number(datagram, $0) }.flatMap { range.contains($0) ? $0 : nil }
            }
            if names(ContactParameters.responseTimeout) {
                if let value = number(100...32_000) { rules.timing.responseTimeoutMilliseconds = value }
            } else if names(ContactParameters.resends) {
                if let value = number(0...10) { rules.timing.resendLimit = UInt8(truncatingIfNeeded: value) }
            } else if names(ContactParameters.progressTimeout) {
                if let value = number(100...600_000) { rules.timing.progressTimeoutMilliseconds = value }
            } else if names(ContactParameters.answerTimeout) {
                if let value = number(1...3600) { rules.timing.answerTimeoutSeconds = value }
            } else if names(ContactParameters.outOfServiceCauses) {
                if let value = parameter.value { rules.outOfServiceCauses = Self.causes(datagram, value) }
            } else if names(ContactParameters.failoverCauses) {
                if let value = parameter.value { rules.failoverCauses = Self.causes(datagram, value) }
            } else if names(ContactParameters.failsOverAfterRinging) {
                rules.failsOverAfterRinging = true
            } else if names(ContactParameters.giveUpAfter) {
                giveUpAfterMilliseconds = number(100...3_600_000) ?? giveUpAfterMilliseconds
            }
        }
    }

    private static func number(_ datagram: Span<UInt8>, _ range: ByteRange) -> UInt32? {
        guard (1...9).contains(range.count), range.upperBound <= datagram.count else { return nil }
        var number: UInt32 = 0
        for index in range.lowerBound..<range.upperBound {
            let digit = datagram[index] &- UInt8(ascii: "0")
            guard digit < 10 else { return nil }
            number = number * 10 + UInt32(digit)
        }
        return number
    }

    /// Words between blanks and quotes; those that nobody knows are left out.
    private static func causes(_ datagram: Span<UInt8>, _ range: ByteRange) -> CauseSet {
        var causes = CauseSet()
        var words = TokenIterator(range)
        while let word = words.next(in: datagram) {
            let name = String(decoding: OutputBuffer.copy(of: datagram, word), as: UTF8.self)
            if let cause = CauseSet.Cause(name: name) { _ = causes.insert(cause) }
        }
        return causes
    }
}
