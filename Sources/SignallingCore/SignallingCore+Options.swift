import SIPMessage

// OPTIONS to ourselves (RFC 3261 section 11).
extension SignallingCore {
    /// An OPTIONS without a user part in its Request-URI asks us, not someone behind us. One by a scheme that nobody
    /// here knows is for nobody here (416).
    func isForUs(_ request: Message) -> Bool {
        guard request.method == .options, request.toTag == nil else { return false }
        return request.target.map { $0.userinfo == nil && $0.scheme != .other } ?? false
    }

    /// Answers an OPTIONS that asks us: 420 where it requires what we do not have (§8.2.2.3), 503 while draining, else
    /// 200 with what we are (§11.2).
    mutating func answerOptions(
        _ request: Message, _ datagram: Span<UInt8>, _ role: SignallingSettings.Role, _ arrival: Arrival,
        _ actions: inout SignallingActions
    ) {
        let isProxy = role == .proxy
        let refused: HeaderName? =
            asksForExtension(request, datagram, in: .require)
            ? .require : isProxy && asksForExtension(request, datagram, in: .proxyRequire) ? .proxyRequire : nil
        if let refused {
            answerStatelessly(420, to: request, datagram, arrival, &actions) {
                Self.writeUnsupported(refused, of: request, datagram, into: &$0)
            }
            return
        }
        guard !isDraining else {
            answerStatelessly(503, to: request, datagram, arrival, &actions)
            return
        }
        answerStatelessly(200, to: request, datagram, arrival, &actions) { fields in
            // A proxy lets any method pass, so that an Allow of it would say nothing (§11.2).
            if !isProxy { fields.append("Allow: INVITE, ACK, CANCEL, OPTIONS\r\n") }
            fields.append("Accept: */*\r\nAccept-Encoding: identity\r\nAccept-Language: en\r\nSupported:\r\n")
        }
    }
}
