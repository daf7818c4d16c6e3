import SIPMessage
import SIPTransaction

// What is read of a datagram first. Of a batch the next one is read before the one at hand is acted on: what finds its
// transaction lies anywhere in many megabytes, and is in the cache by its turn. Timers likewise.
extension SignallingCore {
    /// What was read of a datagram beside the message itself.
    struct Reading {
        /// Why it is no message that we may act on.
        var fault: MalformedMessage?
        /// Of a request: finds its server transaction, of an ACK or CANCEL that of its INVITE.
        var key = ServerTransactionKey(hash: 0)
        /// Of a request to the redirect role but ACK and CANCEL: the To tag of our answer.
        var ownTag: UInt64 = 0
    }

    /// Reads a datagram, and has fetched what is looked for by what was read.
    func read(
        _ datagram: Span<UInt8>, on listener: ListenerNumber, into message: Fixed<Message>.Place
    ) -> Reading {
        do {
            try message.value.parse(datagram)
        } catch {
            return Reading(fault: error)
        }
        return message.value.isRequest ? read(message.value, datagram, on: listener) : Reading()
    }

    private func read(_ request: Message, _ datagram: Span<UInt8>, on listener: ListenerNumber) -> Reading {
        let isForInvite = request.method == .ack || request.method == .cancel
        var reading = Reading()
        reading.key = serverKey(of: request, datagram, as: isForInvite ? .invite : request.method, on: listener)
        transactions.prefetch(reading.key)
        if !isForInvite, settings.listeners[Int(listener.index)].role == .redirect {
            reading.ownTag = ownTag(request, datagram)
            merged.prefetch(MergedRequests.fingerprint(request.method, reading.ownTag))
        }
        return reading
    }

    /// Has fetched what a timer's record is, for it will fire soon.
    package func prefetchRecord(of token: TimerToken) {
        switch token.owner {
        case .server: servers.prefetch(token.slot)
        case .client, .cancel: clients.prefetch(token.slot)
        case .context: contexts.prefetch(token.slot)
        case .probing, .liveCalls, nil: break
        }
    }

    /// Has fetched what the end of a timer's record changes elsewhere; the record itself was fetched before.
    package func prefetchBelongings(of token: TimerToken) {
        switch token.owner {
        case .server:
            let handle = ServerRecord.Handle(slot: token.slot, generation: token.generation)
            if servers.contains(handle) { transactions.prefetch(servers[handle].key) }
        case .client:
            let handle = ClientRecord.Handle(slot: token.slot, generation: token.generation)
            guard clients.contains(handle), case .attempt(let context, _) = clients[handle].purpose else { return }
            contexts.prefetch(context.slot)
        case .cancel, .context, .probing, .liveCalls, nil: break
        }
    }
}
