import Addressing
import Proxy
import Routing
import SIPMessage
import SIPTransaction
import Time

// Client transactions: what was sent, until nothing can come back.
extension SignallingCore {
    /// A response: to the client transaction that its branch names, or to the worker that it names.
    mutating func receiveResponse(
        _ response: Message, _ datagram: Span<UInt8>, _ arrival: Arrival, _ snapshot: borrowing PinnedSnapshot,
        _ actions: inout SignallingActions
    ) {
        guard let range = response.topVia.branch else {
            counters.strayResponses &+= 1
            return
        }
        if let worker = Branch.worker(of: datagram, range), worker != settings.worker, worker < settings.workerCount {
            counters.handedOver &+= 1
            actions.handOver = worker
            return
        }
        guard let branch = Branch.parse(datagram, range, key: settings.workerSecret) else {
            counters.strayResponses &+= 1
            return
        }
        let handle = ClientRecord.Handle(slot: branch.slot, generation: branch.generation)
        guard clients.contains(handle) else {
            counters.strayResponses &+= 1
            return
        }
        guard isExpected(response, datagram, by: handle) else {
            counters.strayResponses &+= 1
            return
        }
        counters.responsesReceived &+= 1
        if response.cSeqMethod == .cancel {
            driveCancel(handle, .response(status: response.status), arrival.now, &actions)
            return
        }
        if response.status > 100 {
            forwardedBytes.removeAll()
            ForwardedResponse.write(
                response, in: datagram,
                withholdsIdentity: withholdsIdentity(
                    of: response, datagram, from: arrival.source.address, by: handle, snapshot),
                needsLength: goesByStream(handle), into: &forwardedBytes)
        }
        retryAfterSeconds = response.status >= 300 ? retryAfter(of: response, datagram) : nil
        recordResponse(handle, response.status, arrival.now)
        readContacts(of: response, datagram, for: handle, arrival.now)
        if clients[handle].isWaiting, case .attempt(let context, let target) = clients[handle].purpose,
            contexts.contains(context), target >= contexts[context].serverCount
        {
            counters.countFirstResponse(after: arrival.now - clients[handle].begun)
        } else if let gateway = clients[handle].claim.gateway {
            table.clearSuspicion(gateway)
        }
        // The gateway has the call no longer, and may have the next one that this leads to.
        if response.status >= 300 { endCall(handle) }
        drive(
            handle, invite: .response(status: response.status), nonInvite: .response(status: response.status),
            arrival.now, &actions,
            acknowledging: { core, actions in
                core.acknowledge(handle, response, datagram, &actions)
            })
        if (200..<300).contains(response.status) { noteSuccess(handle, response, datagram, arrival.now, &actions) }
    }

    /// True when the response is to what the transaction sent (§17.1.3: branch and CSeq's method) and, where it is to
    /// go on upstream, has a Via left to go by (§16.7 step 3).
    private func isExpected(_ response: Message, _ datagram: Span<UInt8>, by handle: ClientRecord.Handle) -> Bool {
        if response.cSeqMethod == .cancel { return clients[handle].cancel != nil }
        guard case .attempt(let context, _) = clients[handle].purpose else { return response.cSeqMethod == .options }
        return contexts.contains(context) && response.cSeqMethod == contexts[context].method
            && ForwardedResponse.hasUpstreamVia(response, in: datagram)
    }

    /// True when a response that comes for the transaction goes on by a stream.
    private func goesByStream(_ handle: ClientRecord.Handle) -> Bool {
        guard case .attempt(let context, _) = clients[handle].purpose, contexts.contains(context) else { return false }
        return contexts[context].upstream.isReliable
    }

    /// Tries a target: a client transaction whose branch names it.
    mutating func attempt(
        _ target: Int, of context: ContextRecord.Handle, _ claim: Claim, _ now: Instant,
        _ actions: inout SignallingActions
    ) {
        let record = contexts[context].targets[target]
        let isInvite = contexts[context].isInvite
        let timing = record?.timing ?? .withinDialog(settings.timers)
        guard let destination = record?.address ?? contexts[context].dialogDestination else { return }
        let egress = egress(to: destination, preferring: contexts[context].listener)
        let machine: ClientRecord.Machine =
            isInvite
            ? .invite(
                InviteClientTransaction(
                    resendLimit: Int(timing.resendLimit), responseTimeout: timing.responseTimeout,
                    timers: settings.timers, reliable: destination.isReliable))
            : .nonInvite(
                NonInviteClientTransaction(
                    resendLimit: Int(timing.resendLimit), responseTimeout: timing.responseTimeout,
                    timers: settings.timers, reliable: destination.isReliable))
        let handle = takeClient(machine, .attempt(context, target: target), destination, egress, now)
        clients[handle].claim = claim
        clients[handle].previousAttempt = contexts[context].lastAttempt
        contexts[context].lastAttempt = handle
        contexts[context].liveClientCount += 1
        if target < contexts[context].serverCount {
            noteInquiry(of: context, claim.gateway)
        } else {
            recordAttempt(handle, of: context, now)
            if record != nil { counters.attempts &+= 1 }
            if let reason = contexts[context].lastEnd { counters.countFailover(reason) }
        }
        let isReachable = egress != nil
        drive(
            handle, invite: isReachable ? .start : .transportFailure,
            nonInvite: isReachable ? .start : .transportFailure, now, &actions)
    }

    /// Makes a client transaction.
    mutating func takeClient(
        _ machine: ClientRecord.Machine, _ purpose: ClientRecord.Purpose, _ destination: TransportAddress,
        _ listener: ListenerNumber?, _ now: Instant
    ) -> ClientRecord.Handle {
        let listener = listener ?? ListenerNumber(0)
        let handle = clients.take(
            ClientRecord(
                machine: machine, cancel: nil, purpose: purpose, destination: destination, listener: listener,
                begun: now))
        startWaiting(handle)
        return handle
    }

    /// Gives an event to the transaction and carries out what it says.
    ///
    /// - Parameter acknowledging: sends the ACK for the response at hand.
    mutating func drive(
        _ handle: ClientRecord.Handle, invite: InviteClientTransaction.Event,
        nonInvite: NonInviteClientTransaction.Event?, _ now: Instant, _ actions: inout SignallingActions,
        acknowledging: (inout SignallingCore, inout SignallingActions) -> Void = { _, _ in }
    ) {
        var emitted = TransactionActions()
        switch clients[handle].machine {
        case .invite(var machine):
            machine.receive(invite, now: now, into: &emitted)
            clients[handle].machine = .invite(machine)
        case .nonInvite(var machine):
            guard let nonInvite else { return }
            machine.receive(nonInvite, now: now, into: &emitted)
            clients[handle].machine = .nonInvite(machine)
        }
        if !clients[handle].awaitsFirstResponse { endWaiting(handle) }
        let purpose = clients[handle].purpose
        for index in 0..<emitted.count {
            switch emitted[index] {
            case .send:
                if case .timer = invite {
                    counters.requestsResent &+= 1
                    changeRecord(of: handle, now) { attempt, _ in
                        attempt.resendCount = attempt.resendCount == .max ? .max : attempt.resendCount + 1
                    }
                }
                send(handle, &actions)
            case .sendACK: acknowledging(&self, &actions)
            case .arm(let timer, let at):
                let token = TimerToken(.client, timer, slot: handle.slot, generation: handle.generation)
                actions.timers.append(.init(at: at, token: token))
            case .deliver:
                guard case .response(let status) = invite else { continue }
                report(purpose, .final(status), now, &actions)
            case .noResponseYet: suspectGateway(of: handle, now)
            case .timeout: report(purpose, .silence, now, &actions)
            case .transportFailure: report(purpose, .unreachable, now, &actions)
            case .ackReceived: break
            }
        }
        release(handle)
    }

    /// How a client transaction's user hears of it.
    private enum Report {
        case final(Int)
        case silence
        case unreachable
    }

    private mutating func report(
        _ purpose: ClientRecord.Purpose, _ report: Report, _ now: Instant, _ actions: inout SignallingActions
    ) {
        switch purpose {
        case .attempt(let context, let target):
            guard contexts.contains(context) else { return }
            switch report {
            case .final(let status): drive(context, .response(status: status, target: target), now, &actions)
            case .silence: drive(context, .silence(target: target), now, &actions)
            case .unreachable: drive(context, .transportFailure(target: target), now, &actions)
            }
        case .probe(let probe):
            switch report {
            case .final(let status) where status < 200: break
            case .final(let status): endProbe(probe, .answered(sipStatus: status), now, &actions)
            case .silence: endProbe(probe, .noResponse, now, &actions)
            case .unreachable: endProbe(probe, .transportError, now, &actions)
            }
        }
    }

    /// Frees the transaction, and what waits for it, when it is over.
    private mutating func release(_ handle: ClientRecord.Handle) {
        guard clients.contains(handle), clients[handle].isTerminated else { return }
        endCall(handle)
        endTrial(handle)
        guard case .attempt(let context, _) = clients[handle].purpose, contexts.contains(context) else {
            clients.giveBack(handle)
            return
        }
        unlink(handle, from: context)
        clients.giveBack(handle)
        freeIfDone(context)
    }

    // MARK: CANCEL

    /// Cancels an INVITE that has seen a provisional response (§9.1).
    mutating func startCancel(_ handle: ClientRecord.Handle, _ now: Instant, _ actions: inout SignallingActions) {
        guard clients.contains(handle), clients[handle].cancel == nil else { return }
        clients[handle].cancel = NonInviteClientTransaction(
            resendLimit: 10, responseTimeout: settings.timers.t1 * 64, timers: settings.timers,
            reliable: clients[handle].destination.isReliable)
        driveCancel(handle, .start, now, &actions)
        drive(handle, invite: .cancel, nonInvite: nil, now, &actions)
    }

    /// Gives an event to the CANCEL's own transaction.
    mutating func driveCancel(
        _ handle: ClientRecord.Handle, _ event: NonInviteClientTransaction.Event, _ now: Instant,
        _ actions: inout SignallingActions
    ) {
        guard var machine = clients[handle].cancel else { return }
        var emitted = TransactionActions()
        machine.receive(event, now: now, into: &emitted)
        clients[handle].cancel = machine
        for index in 0..<emitted.count {
            switch emitted[index] {
            case .send: sendCancel(handle, &actions)
            case .arm(let timer, let at):
                let token = TimerToken(.cancel, timer, slot: handle.slot, generation: handle.generation)
                actions.timers.append(.init(at: at, token: token))
            // The INVITE's own final response ends the call; a CANCEL that is lost for good leaves it to Timer C.
            case .sendACK, .deliver, .noResponseYet, .timeout, .transportFailure, .ackReceived: break
            }
        }
        release(handle)
    }

    // MARK: writing

    private mutating func send(_ handle: ClientRecord.Handle, _ actions: inout SignallingActions) {
        switch clients[handle].purpose {
        case .probe: sendProbe(handle, &actions)
        case .attempt(let context, let target):
            write(handle, context, target, &actions) { forwarded, request, datagram, source, output in
                forwarded.write(request, in: datagram, from: source, into: &output)
            }
        }
    }

    private mutating func sendCancel(_ handle: ClientRecord.Handle, _ actions: inout SignallingActions) {
        guard case .attempt(let context, let target) = clients[handle].purpose, contexts.contains(context) else {
            return
        }
        let reason = contexts[context].cancelReason.bytes
        write(handle, context, target, &actions) { forwarded, request, datagram, _, output in
            forwarded.writeCancel(of: request, in: datagram, reason: reason, into: &output)
        }
    }

    /// The ACK for a final response other than 2xx.
    private mutating func acknowledge(
        _ handle: ClientRecord.Handle, _ response: Message, _ responseDatagram: Span<UInt8>,
        _ actions: inout SignallingActions
    ) {
        guard case .attempt(let context, let target) = clients[handle].purpose else { return }
        write(handle, context, target, &actions) { forwarded, request, datagram, _, output in
            forwarded.writeAcknowledgement(
                of: request, in: datagram, to: response.to, in: responseDatagram, into: &output)
        }
    }

    /// Writes something from a context's original request as it goes to one of its targets, and sends it there.
    private mutating func write(
        _ handle: ClientRecord.Handle, _ context: ContextRecord.Handle, _ target: Int,
        _ actions: inout SignallingActions,
        _ body: (ForwardedRequest, Message, Span<UInt8>, TransportAddress, inout OutputBuffer) -> Void
    ) {
        guard contexts.contains(context) else { return }
        let uri: ForwardedRequest.RequestURI =
            contexts[context].targets[target].map { .target(contexts[context].targets.uri(of: $0)) }
            ?? .original
        let listener = clients[handle].listener
        let source = contexts[context].source
        let isAtHand = contextAtHand == context
        let request = isAtHand ? received.place : original.place
        contexts[context].original.withSpan { datagram in
            guard isAtHand || reparse(datagram, into: request) else { return }
            var loopMark: UInt64?
            if case .target = uri {
                loopMark = LoopMark.make(
                    for: request.value, in: datagram, from: source.address, key: settings.routeSecret)
            }
            let forwarded = ForwardedRequest(
                branch: Branch(worker: settings.worker, slot: handle.slot, generation: handle.generation),
                branchKey: settings.workerSecret, advertised: settings.listeners[Int(listener.index)].advertised,
                requestURI: uri, routes: contexts[context].routes,
                recordRoute: contexts[context].recordRoute,
                ingress: listener == contexts[context].listener
                    ? nil : settings.listeners[Int(contexts[context].listener.index)].advertised,
                loopMark: loopMark, withholdsIdentity: contexts[context].withholdsIdentity)
            let isWithinDialog = contexts[context].dialogDestination != nil
            actions.send(to: clients[handle].destination, through: listener, isWithinDialog: isWithinDialog) { output in
                body(forwarded, request.value, datagram, source, &output)
            }
        }
    }

    /// Seconds of a Retry-After, 1...86400; nil when there is none, it can't be read or it is 0.
    private func retryAfter(of response: Message, _ datagram: Span<UInt8>) -> Int64? {
        guard let field = response.first(.retryAfter) else { return nil }
        do {
            let seconds = try RetryAfter.parse(datagram, field.value).seconds
            return seconds == 0 ? nil : min(Int64(seconds), 86_400)
        } catch {
            return nil  // the gateway's own hold applies
        }
    }
}

extension GatewayTiming {
    /// A request within a dialog waits as long as RFC 3261 says (Timer B and F: 64 times T1).
    static func withinDialog(_ timers: TimerSettings) -> GatewayTiming {
        GatewayTiming(
            responseTimeoutMilliseconds: UInt32(clamping: (timers.t1 * 64).milliseconds), resendLimit: 10,
            holdSeconds: 0)
    }
}
