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
        if token.owner == .server { servers.prefetch(token.slot) }
    }

    /// Has fetched what finds the transaction of a timer, whose record was fetched before.
    package func prefetchTransaction(of token: TimerToken) {
        let handle = ServerRecord.Handle(slot: token.slot, generation: token.generation)
        if token.owner == .server, servers.contains(handle) { transactions.prefetch(servers[handle].key) }
    }
}
