import Addressing
import Proxy
import Redirect
import Routing
import SIPMessage
import Time

// Redirect servers elsewhere (the method, step 2). They stand in front of a request's targets and are tried as gateways
// are; the Contacts of the first that answers stand behind them and are tried next. What is seen of those gateways goes
// back to where they are provisioned; here they have rows of their own in the gateway information table, so that who is
// found dead is tried last until the redirect server knows of it.
extension SignallingCore {
    /// The redirect servers that a call asks.
    mutating func selectRedirectServers(
        _ now: Instant, _ snapshot: borrowing PinnedSnapshot, _ set: inout TargetSet
    ) -> RoutingInformation {
        switch snapshot.withSnapshot({ $0.selectRedirectServers(status: table, now: now, into: &set) }) {
        case .targets: return .targets
        case .failure(let failure):
            counters.count(failure)
            return .failure(RoutingInformation.Failure(failure, at: now))
        }
    }

    /// Takes the place of the one trial call of each gateway that is to be tried for whoever is told of it, for as long
    /// as it takes him to try it and to report: others are not told meanwhile. False when no target is left.
    func lendTrials(_ set: inout TargetSet, _ now: Instant) -> Bool {
        set.keepTrials { target in
            table.claimTrial(target.slot, now: now, lease: target.timing.responseTimeout + Self.reportDelay)
        }
        return !set.targets.isEmpty
    }

    /// How long a report may take from the end of an attempt.
    private static var reportDelay: Duration { .seconds(2) }

    /// Counts a request to a redirect server.
    mutating func noteInquiry(of context: ContextRecord.Handle, _ server: GatewaySlot?) {
        counters.inquiries &+= 1
        if let search = contexts[context].search, let server { searches[search].record.noteInquiry(of: server) }
    }

    /// Reads the Contacts of a response that is a redirect server's, while they are asked: `followContacts` wants them.
    mutating func readContacts(
        of response: Message, _ datagram: Span<UInt8>, for handle: ClientRecord.Handle, _ now: Instant
    ) {
        guard (300..<400).contains(response.status), case .attempt(let context, let target) = clients[handle].purpose,
            contexts.contains(context), target < contexts[context].serverCount, contexts[context].machine.isAsking,
            let pinned
        else { return }
        let defaults = pinned._withUnsafeGuaranteedRef { $0.settings.remoteDefaults }
        let (requestURI, serverCount) = (contexts[context].requestURI, contexts[context].serverCount)
        contexts[context].original.withSpan { request in
            followedContacts.read(
                response, in: datagram, unless: requestURI, in: request, defaults: defaults,
                limitCount: ResponseContext.targetLimitCount - serverCount)
        }
        counters.contactsIgnored &+= UInt64(followedContacts.ignoredCount)
        let stored = contexts[context].targets
        targetSet.removeAll()
        for position in 0..<serverCount {
            if let server = stored[position] { targetSet.append(copy: server, text: stored.text(of: server)) }
        }
        appendFollowed(.well, datagram, now)
        appendFollowed(.suspect, datagram, now)
        appendFollowed(.out, datagram, now)
        targetSet.bound(giveUpAfterMilliseconds: followedContacts.giveUpAfterMilliseconds)
    }

    /// What we think of a gateway that is provisioned elsewhere.
    private enum Standing {
        case well
        /// A call waits for it longer than usual.
        case suspect
        /// We found it dead.
        case out
    }

    /// Appends those of the Contacts of whose gateways we think so.
    private mutating func appendFollowed(_ standing: Standing, _ datagram: Span<UInt8>, _ now: Instant) {
        for contact in followedContacts.contacts {
            let slot = table.remoteSlot(of: contact.target.gateway)
            _ = table.recoverIfDue(slot, now: now)  // nobody else looks at what is not provisioned here
            let isOut = table.status(of: slot).status == .outOfService
            guard (isOut ? .out : table.isSuspect(slot, at: now) ? .suspect : .well) == standing else { continue }
            let end = min(contact.uri.upperBound, datagram.count)
            targetSet.append(
                contact.target, in: slot, uri: datagram.extracting(min(contact.uri.lowerBound, end)..<end))
        }
    }

    /// Puts the targets that `readContacts` found behind the redirect servers.
    ///
    /// - Returns: how many they are, and how long the search among them may take.
    mutating func followContacts(_ handle: ContextRecord.Handle, _ now: Instant) -> (Int, Duration?) {
        let count = targetSet.targets.count - contexts[handle].serverCount
        guard count > 0 else { return (0, nil) }
        if let search = contexts[handle].search {
            searches[search].record.routedAt = searches[search].record.milliseconds(at: now)
        }
        // Those that are out come last, and are tried all the same: whoever keeps their status says so.
        contexts[handle].triedThoughOut = targetsOut(of: targetSet)
        store.release(&contexts[handle].targets)
        contexts[handle].targets = store.keep(targetSet, scratch: &responseBytes)
        return (count, targetSet.giveUpAfterMilliseconds.map { .milliseconds(Int64($0)) })
    }

    /// An attempt has shown something of a gateway that is provisioned elsewhere.
    func see(
        _ slot: GatewaySlot, _ outcome: AttemptOutcome, _ handle: ContextRecord.Handle, _ now: Instant,
        _ actions: inout SignallingActions
    ) {
        var retryAfter: Int64?
        if case .failureResponse = outcome { retryAfter = retryAfterSeconds }
        actions.sightings.append(
            GatewaySighting(
                slot: slot, outcome: outcome, retryAfterSeconds: retryAfter, at: now, callID: callID(of: handle)))
    }
}
