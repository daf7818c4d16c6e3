import Addressing
import Proxy
import Routing
import SIPMessage

// The trust domain (RFC 3325): whose assertions of identity are believed, and who is told of them.
extension SignallingCore {
    /// True when P-Asserted-Identity of a request may not be passed on: who sent it is not trusted to assert anything
    /// (section 5), or privacy was asked for and who gets it is not trusted to keep it (section 7). Nil as destination:
    /// one of our gateways.
    func withholdsIdentity(
        of request: Message, _ datagram: Span<UInt8>, from source: IPAddress, to destination: IPAddress?,
        _ snapshot: borrowing PinnedSnapshot
    ) -> Bool {
        guard request.has(.pAssertedIdentity) else { return false }
        return snapshot.withSnapshot { snapshot in
            if !isTrusted(source, snapshot) { return true }
            let isKept = destination.map { isTrusted($0, snapshot) } ?? settings.areGatewaysTrusted
            return !isKept && IdentityPrivacy.isRequested(by: request, in: datagram)
        }
    }

    /// The same for a response, which goes to where its request came from.
    func withholdsIdentity(
        of response: Message, _ datagram: Span<UInt8>, from source: IPAddress, by handle: ClientRecord.Handle,
        _ snapshot: borrowing PinnedSnapshot
    ) -> Bool {
        guard response.has(.pAssertedIdentity), case .attempt(let context, let target) = clients[handle].purpose,
            contexts.contains(context)
        else { return false }
        let isRemote = contexts[context].targets[target]?.slot.isRemote ?? false
        let caller = contexts[context].source.address
        return snapshot.withSnapshot { snapshot in
            // What a redirect server elsewhere names is one of our gateways.
            let isBelieved = isRemote ? settings.areGatewaysTrusted : isTrusted(source, snapshot)
            return !isBelieved
                || !isTrusted(caller, snapshot) && IdentityPrivacy.isRequested(by: response, in: datagram)
        }
    }

    private func isTrusted(_ address: IPAddress, _ snapshot: RoutingSnapshot) -> Bool {
        snapshot.isGateway(address) ? settings.areGatewaysTrusted : snapshot.isIdentityTrusted(address)
    }
}
