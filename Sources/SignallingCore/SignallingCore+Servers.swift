import Addressing
import Proxy
import Routing
import SIPMessage
import SIPTransaction
import Time

// Server transactions: what was received, what was answered, until nothing of it can come again.
extension SignallingCore {
    /// What finds the server transaction of a request, among those of the role that it was sent to.
    func serverKey(
        of request: Message, _ datagram: Span<UInt8>, as method: Method, on listener: ListenerNumber
    ) -> ServerTransactionKey {
        let server: UInt8 = settings.listeners[Int(listener.index)].role == .proxy ? 0 : 1
        return ServerTransactionKey(
            of: request, in: datagram, as: method, server: server, key: settings.workerSecret)
    }

    /// Makes the server transaction of a request that has none.
    mutating func makeServer(
        _ request: Message, _ datagram: Span<UInt8>, _ key: ServerTransactionKey, _ arrival: Arrival
    ) -> ServerRecord.Handle {
        let isReliable = arrival.source.isReliable
        let machine: ServerRecord.Machine =
            request.method == .invite
            ? .invite(InviteServerTransaction(timers: settings.timers, reliable: isReliable))
            : .nonInvite(NonInviteServerTransaction(timers: settings.timers, reliable: isReliable))
        let destination = responseDestination(of: request, in: datagram, source: arrival.source)
        let handle = servers.take(
            ServerRecord(
                machine: machine, key: key, destination: destination, listener: arrival.listener, response: .empty,
                context: nil))
        transactions.insert(handle.slot, of: key)
        return handle
    }

    /// The server transaction of that key.
    func server(of key: ServerTransactionKey) -> ServerRecord.Handle? {
        transactions.slot(of: key) { servers[servers.handle(at: $0)].key == key }.map { servers.handle(at: $0) }
    }

    /// Gives an event to the transaction and carries out what it says. Where the event is a response, `responseBytes`
    /// holds it.
    mutating func drive(
        _ handle: ServerRecord.Handle, invite: InviteServerTransaction.Event?,
        nonInvite: NonInviteServerTransaction.Event?,
        _ now: Instant, _ actions: inout SignallingActions
    ) {
        var emitted = TransactionActions()
        var isNew = false
        switch servers[handle].machine {
        case .invite(var machine):
            guard let invite else { return }
            if case .respond = invite { isNew = true }
            machine.receive(invite, now: now, into: &emitted)
            servers[handle].machine = .invite(machine)
        case .nonInvite(var machine):
            guard let nonInvite else { return }
            if case .respond = nonInvite { isNew = true }
            machine.receive(nonInvite, now: now, into: &emitted)
            servers[handle].machine = .nonInvite(machine)
        }
        for index in 0..<emitted.count {
            switch emitted[index] {
            case .send: sendResponse(of: handle, isNew: isNew, &actions)
            case .arm(let timer, let at):
                let token = TimerToken(.server, timer, slot: handle.slot, generation: handle.generation)
                actions.timers.append(.init(at: at, token: token))
            case .deliver, .ackReceived, .noResponseYet, .timeout, .transportFailure, .sendACK: break
            }
        }
        if isNew || !servers[handle].mayResend { store.release(&servers[handle].response) }
        if servers[handle].isTerminated {
            transactions.remove(handle.slot, of: servers[handle].key)
            store.release(&servers[handle].response)
            servers.giveBack(handle)
        } else if isNew, servers[handle].mayResend {
            servers[handle].response = responseBytes.withUnsafeBufferPointer { store.keep($0) }
        }
    }

    /// Answers through the transaction with the response in `responseBytes`.
    mutating func answer(
        _ handle: ServerRecord.Handle, _ status: Int, _ now: Instant, _ actions: inout SignallingActions
    ) {
        // What the machine would not send must not take the place of what it may have to send again.
        guard servers.contains(handle), servers[handle].accepts(status: status) else { return }
        drive(handle, invite: .respond(status: status), nonInvite: .respond(status: status), now, &actions)
    }

    /// Answers through the transaction with a response of our own.
    ///
    /// - Parameter warning: the value of its Warning field (section 20.43); empty: it has none.
    mutating func answer(
        _ handle: ServerRecord.Handle, _ status: Int, to request: Message, _ datagram: Span<UInt8>, _ arrival: Arrival,
        reasonPhrase: String = "", retryAfterSeconds: Int64? = nil, warning: StaticString = "",
        _ actions: inout SignallingActions
    ) {
        let tag = status == 100 ? nil : ownTag(request, datagram)
        responseBytes.removeAll()
        writeResponse(
            status, ReasonPhrase.of(status), saying: reasonPhrase, to: request, in: datagram, from: arrival.source,
            toTag: tag, server: settings.serverName, into: &responseBytes
        ) { fields in
            if status == 420 { Self.writeUnsupported(.proxyRequire, of: request, datagram, into: &fields) }
            if status == 100 { Self.writeTimestamp(of: request, datagram, into: &fields) }
            if warning.utf8CodeUnitCount > 0 {
                fields.append("Warning: ")
                fields.append(warning)
                fields.append("\r\n")
            }
            guard let retryAfterSeconds else { return }
            fields.append("Retry-After: ")
            fields.append(decimal: retryAfterSeconds)
            fields.append("\r\n")
        }
        answer(handle, status, arrival.now, &actions)
    }

    /// Answers without a transaction: the same request gets the same answer again (RFC 3261 section 8.2.7).
    mutating func answerStatelessly(
        _ status: Int, to request: Message, _ datagram: Span<UInt8>, _ arrival: Arrival,
        _ actions: inout SignallingActions, extraFields: (inout OutputBuffer) -> Void = { _ in }
    ) {
        counters.responsesSent &+= 1
        let destination = responseDestination(of: request, in: datagram, source: arrival.source)
        actions.send(to: destination, through: arrival.listener) { bytes in
            writeResponse(
                status, ReasonPhrase.of(status), to: request, in: datagram, from: arrival.source,
                toTag: ownTag(request, datagram), server: settings.serverName, into: &bytes,
                extraFields: extraFields)
        }
    }

    /// True when the field names an extension. We have none that anybody could require: reliable provisionals,
    /// timers, replacements and preconditions are between the user agents and pass through us.
    func asksForExtension(_ request: Message, _ datagram: Span<UInt8>, in name: HeaderName) -> Bool {
        guard request.has(name) else { return false }
        for field in request.fields where field.name == name {
            var tags = TokenIterator(field.value)
            if tags.next(in: datagram) != nil { return true }
        }
        return false
    }

    /// The extensions that we were asked for and do not have (§8.2.2.3, §16.3 step 5): all of them.
    static func writeUnsupported(
        _ name: HeaderName, of request: Message, _ datagram: Span<UInt8>, into output: inout OutputBuffer
    ) {
        var isFirst = true
        for field in request.fields where field.name == name {
            var tags = TokenIterator(field.value)
            while let tag = tags.next(in: datagram) {
                output.append(isFirst ? "Unsupported: " : ", ")
                output.append(datagram, tag)
                isFirst = false
            }
        }
        if !isFirst { output.append("\r\n") }
    }

    /// What the caller measures his way to us by comes back with our 100 (§8.2.6.1).
    private static func writeTimestamp(
        of request: Message, _ datagram: Span<UInt8>, into output: inout OutputBuffer
    ) {
        guard let field = request.first(.timestamp) else { return }
        output.append("Timestamp: ")
        output.append(datagram, field.value)
        output.append("\r\n")
    }

    /// Sends the response in `responseBytes`, or the one that the transaction keeps, once more.
    private mutating func sendResponse(
        of handle: ServerRecord.Handle, isNew: Bool, _ actions: inout SignallingActions
    ) {
        let (destination, listener) = (servers[handle].destination, servers[handle].listener)
        if isNew {
            sendResponse(destination, listener, &actions)
        } else if !servers[handle].response.isEmpty {
            counters.responsesSent &+= 1
            servers[handle].response.withSpan { actions.send($0, to: destination, through: listener) }
        }
    }

    /// Sends the response in `responseBytes`.
    mutating func sendResponse(
        _ destination: TransportAddress, _ listener: ListenerNumber, _ actions: inout SignallingActions
    ) {
        counters.responsesSent &+= 1
        responseBytes.withUnsafeBufferPointer { actions.send($0.span, to: destination, through: listener) }
    }

    /// The To tag of our own answers: the same for the same request, its CANCEL (§9.2) and its ACK; unguessable for
    /// others.
    func ownTag(_ request: Message, _ datagram: Span<UInt8>) -> UInt64 {
        MergedRequests.commonHash(of: request, datagram, key: settings.workerSecret)
    }

    /// True when an ACK is for an answer of our own, also for one that was given without a transaction (§8.2.7).
    func hasOwnTag(_ request: Message, _ datagram: Span<UInt8>) -> Bool {
        guard let tag = request.toTag.flatMap({ RouteMark.hexadecimal(datagram, $0) }) else { return false }
        return tag ^ ownTag(request, datagram) == 0
    }
}
