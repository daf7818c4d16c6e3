package import SIPMessage

/// What a message's Privacy field says of asserted identities (RFC 3325 section 7).
package enum IdentityPrivacy {
    /// True when P-Asserted-Identity must not leave the trust domain: `Privacy: id`. Other words of the field ask for a
    /// privacy service, which we are not (RFC 3323 section 5), and pass through.
    package static func isRequested(by message: Message, in datagram: Span<UInt8>) -> Bool {
        guard message.has(.privacy) else { return false }
        for field in message.fields where field.name == .privacy {
            var words = TokenIterator(field.value)
            while let word = words.next(in: datagram) {
                if word.equalsIgnoringCase("id", in: datagram) { return true }
            }
        }
        return false
    }
}
