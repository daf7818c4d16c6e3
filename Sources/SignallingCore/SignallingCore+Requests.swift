import Addressing
import Proxy
import Redirect
import Routing
import SIPMessage
import SIPTransaction
import Time

// Requests: to the transaction that has them already, else to the role whose address they came to.
extension SignallingCore {
    mutating func receiveRequest(
        _ request: Message, _ datagram: Span<UInt8>, _ reading: Reading, _ arrival: Arrival,
        _ snapshot: borrowing PinnedSnapshot, _ actions: inout SignallingActions
    ) {
        switch request.method {
        case .ack: receiveAcknowledgement(request, datagram, reading.key, arrival, snapshot, &actions)
        case .cancel: receiveCancel(request, datagram, reading.key, arrival, snapshot, &actions)
        default:
            if isFirst(arrival) {
                if request.method == .invite {
                    counters.invitesReceived &+= 1
                } else {
                    counters.otherRequestsReceived &+= 1
                }
            }
            if let server = server(of: reading.key) {
                counters.retransmissionsReceived &+= 1
                recordCopy(of: server, arrival.now)
                drive(server, invite: .request, nonInvite: .request, arrival.now, &actions)
                return
            }
            receiveNew(request, datagram, reading, arrival, snapshot, &actions)
        }
    }

    /// A datagram that breaks a rule: 400, 416 or 505 where enough was read and the sender is known, else silence,
    /// since an answer to a stranger's noise can be turned against someone else.
    mutating func refuseMalformed(
        _ request: Message, _ datagram: Span<UInt8>, _ arrival: Arrival, _ reason: MalformedMessage,
        _ snapshot: borrowing PinnedSnapshot, _ actions: inout SignallingActions
    ) {
        guard request.isAnswerable, isKnown(arrival.source.address, snapshot) else {
            counters.malformedDropped &+= 1
            return
        }
        counters.malformedAnswered &+= 1
        let destination = responseDestination(of: request, in: datagram, source: arrival.source)
        actions.send(to: destination, through: arrival.listener) { bytes in
            writeResponse(
                reason.status, reason.reasonPhrase, to: request, in: datagram, from: arrival.source,
                toTag: ownTag(request, datagram), server: settings.serverName, into: &bytes)
        }
    }

    private func isKnown(_ source: IPAddress, _ snapshot: borrowing PinnedSnapshot) -> Bool {
        snapshot.withSnapshot { $0.plan(for: source) != nil || $0.isGateway(source) }
    }

    private mutating func receiveAcknowledgement(
        _ request: Message, _ datagram: Span<UInt8>, _ key: ServerTransactionKey, _ arrival: Arrival,
        _ snapshot: borrowing PinnedSnapshot, _ actions: inout SignallingActions
    ) {
        if isFirst(arrival) { counters.acknowledgementsReceived &+= 1 }
        // After a 2xx an ACK finds the INVITE only where its sender puts no new branch into it (RFC 2543); it goes on.
        if let server = server(of: key), !servers[server].isAccepted {
            guard acknowledges(request, datagram, server) else {
                counters.strayAcknowledgements &+= 1
                return
            }
            drive(server, invite: .ack, nonInvite: nil, arrival.now, &actions)
            return
        }
        // The ACK of a 2xx: a request of its own within the dialog, forwarded without a transaction (as §16.11 does).
        let routes = ReceivedRoutes(request, datagram, settings)
        let isForwardable =
            settings.listeners[Int(arrival.listener.index)].role == .proxy && (request.maxForwards ?? 70) > 0
        if isForwardable, passToOwner(routes, arrival, &actions) { return }
        if isForwardable, routes.isAuthentic, let destination = destination(of: request, datagram, by: routes),
            let egress = egress(to: destination, preferring: arrival.listener)
        {
            forwardStatelessly(
                request, datagram, arrival, .original, routes.forwarded, to: destination, by: egress, snapshot,
                &actions)
            return
        }
        let isForNumber =
            isForwardable && request.toTag != nil && !request.has(.route) && !hasOwnTag(request, datagram)
        if isForNumber, isFirst(arrival), forwardByNumber(request, datagram, arrival, snapshot, &actions) {
            // It may also be the ACK of a refusal, whose INVITE another worker has. Only when all were asked would we
            // know, and the BYE might be first: it does both, and a gateway drops an ACK too many.
            _ = passOn(arrival, snapshot, &actions)
            return
        }
        if passOn(arrival, snapshot, &actions) { return }
        if isForNumber, !isFirst(arrival), forwardByNumber(request, datagram, arrival, snapshot, &actions) { return }
        counters.strayAcknowledgements &+= 1
    }

    /// The ACK of a peer that keeps no route set goes where its number leads first (§16.5), as its BYE does: the
    /// worker that has it first sends it. False when it leads nowhere.
    private mutating func forwardByNumber(
        _ request: Message, _ datagram: Span<UInt8>, _ arrival: Arrival, _ snapshot: borrowing PinnedSnapshot,
        _ actions: inout SignallingActions
    ) -> Bool {
        var set = TargetSet()
        swap(&set, &targetSet)
        defer { swap(&set, &targetSet) }
        let source = arrival.source.address
        // No redirect server elsewhere can be asked where an ACK goes: it is never answered.
        guard !LoopMark.isPresent(in: request, datagram, from: source, key: settings.routeSecret),
            snapshot.withSnapshot({ $0.plan(for: source) != nil && !$0.isApart }),
            route(request, datagram, arrival, snapshot, &set, &actions) == .targets, let first = set.targets.first,
            let egress = egress(to: first.address, preferring: arrival.listener)
        else { return false }
        guard isFirst(arrival) else { return true }
        set.text.withUnsafeBufferPointer { text in
            forwardStatelessly(
                request, datagram, arrival,
                .target(TargetURI(first, text: UnsafeBufferPointer(rebasing: text[first.text]))),
                ForwardedRoutes(consumedCount: .max), to: first.address, by: egress, snapshot, &actions)
        }
        return true
    }

    private mutating func forwardStatelessly(
        _ request: Message, _ datagram: Span<UInt8>, _ arrival: Arrival, _ requestURI: ForwardedRequest.RequestURI,
        _ routes: ForwardedRoutes, to destination: TransportAddress, by egress: ListenerNumber,
        _ snapshot: borrowing PinnedSnapshot, _ actions: inout SignallingActions
    ) {
        let source = arrival.source.address
        var loopMark: UInt64?
        if case .target = requestURI {
            loopMark = LoopMark.make(for: request, in: datagram, from: source, key: settings.routeSecret)
        }
        let forwarded = ForwardedRequest(
            branch: statelessBranch(request, datagram), branchKey: settings.workerSecret,
            advertised: settings.listeners[Int(egress.index)].advertised, requestURI: requestURI, routes: routes,
            recordRoute: nil, loopMark: loopMark,
            withholdsIdentity: withholdsIdentity(
                of: request, datagram, from: source, to: destination.address, snapshot))
        actions.send(to: destination, through: egress, isWithinDialog: loopMark == nil) { bytes in
            forwarded.write(request, in: datagram, from: arrival.source, into: &bytes)
        }
    }

    /// True when the ACK is for the response that was sent: always with the cookie in its branch, else by To tag
    /// (§17.2.3).
    private func acknowledges(
        _ request: Message, _ datagram: Span<UInt8>, _ server: ServerRecord.Handle
    ) -> Bool {
        guard !request.topVia.hasCookie, let tag = request.toTag else { return true }
        let answer = servers[server].response
        return answer.withSpan { bytes in
            let response = original.place
            guard reparse(bytes, into: response), let sent = response.value.toTag else { return true }
            return OutputBuffer.copy(of: datagram, tag) == OutputBuffer.copy(of: bytes, sent)
        }
    }

    /// CANCEL is answered at once and hop by hop (§16.10); the INVITE goes its own way. One that finds nothing is 481
    /// (§9.2) and goes no further: we forward no request but ACK without a transaction, which is what §16.10 would
    /// have a CANCEL follow.
    private mutating func receiveCancel(
        _ request: Message, _ datagram: Span<UInt8>, _ key: ServerTransactionKey, _ arrival: Arrival,
        _ snapshot: borrowing PinnedSnapshot, _ actions: inout SignallingActions
    ) {
        if isFirst(arrival) { counters.cancelsReceived &+= 1 }
        // §22.1: from the hop that sent the INVITE and nobody else, who would have to know its branch.
        guard let server = server(of: key), servers[server].destination.address == arrival.source.address else {
            if passOn(arrival, snapshot, &actions) { return }
            if isKnown(arrival.source.address, snapshot) {
                // §9.2: a CANCEL of another request than INVITE is answered 200 and changes nothing.
                var isOther = false
                for method in Self.otherMethods where !isOther {
                    let key = serverKey(of: request, datagram, as: method, on: arrival.listener)
                    isOther = server(of: key) != nil
                }
                answerStatelessly(isOther ? 200 : 481, to: request, datagram, arrival, &actions)
            } else {
                counters.strangersRefused &+= 1
                answerStatelessly(403, to: request, datagram, arrival, &actions)
            }
            return
        }
        answerStatelessly(200, to: request, datagram, arrival, &actions)
        if let context = servers[server].context, contexts.contains(context) {
            let machine = contexts[context].machine
            if !machine.isCancelled, !machine.isEnded { keepReason(of: request, datagram, for: context) }
            drive(context, .cancel, arrival.now, &actions)
        }
    }

    /// True when the kernel gave the request to this worker, and no other passed it on.
    private func isFirst(_ arrival: Arrival) -> Bool { arrival.origin == nil || arrival.origin == settings.worker }

    /// Passes an ACK or CANCEL that finds nothing here on to the next worker; false when all were asked. A stranger's
    /// noise makes no work for others.
    private mutating func passOn(
        _ arrival: Arrival, _ snapshot: borrowing PinnedSnapshot, _ actions: inout SignallingActions
    ) -> Bool {
        guard settings.workerCount > 1, let origin = arrival.origin else { return false }
        let next = (settings.worker &+ 1) % settings.workerCount
        guard next != origin, isKnown(arrival.source.address, snapshot) else { return false }
        counters.handedOver &+= 1
        actions.handOver = next
        return true
    }

    /// Passes a request within a dialog whose next hop has a host name on to the worker that has the call, and knows
    /// its neighbours.
    private mutating func passToOwner(
        _ routes: ReceivedRoutes, _ arrival: Arrival, _ actions: inout SignallingActions
    ) -> Bool {
        guard routes.isNamedHop, let owner = routes.worker, owner != settings.worker, owner < settings.workerCount,
            arrival.origin == settings.worker
        else { return false }
        counters.handedOver &+= 1
        actions.handOver = owner
        return true
    }

    /// Methods that have no CANCEL; of one that we do not know, nothing is found.
    private static let otherMethods: [Method] = [
        .bye, .options, .register, .info, .prack, .update, .message, .subscribe, .notify, .refer, .publish,
    ]

    /// The CANCEL towards the gateway is another request than this one, made when the gateway can hear it; why the
    /// caller hung up goes along (API section 10).
    private mutating func keepReason(
        of request: Message, _ datagram: Span<UInt8>, for context: ContextRecord.Handle
    ) {
        guard request.has(.reason) else { return }
        responseBytes.removeAll()
        for field in request.fields where field.name == .reason && responseBytes.count + field.line.count <= 1024 {
            responseBytes.append(datagram, field.line)
        }
        store.release(&contexts[context].cancelReason)
        contexts[context].cancelReason = responseBytes.withUnsafeBufferPointer { store.keep($0) }
    }

    private mutating func receiveNew(
        _ request: Message, _ datagram: Span<UInt8>, _ reading: Reading, _ arrival: Arrival,
        _ snapshot: borrowing PinnedSnapshot, _ actions: inout SignallingActions
    ) {
        let role = settings.listeners[Int(arrival.listener.index)].role
        let routes =
            request.toTag == nil ? ReceivedRoutes.outsideDialog : ReceivedRoutes(request, datagram, settings)
        let isWithinDialog = role == .proxy && request.toTag != nil && routes.isAuthentic
        guard isWithinDialog || isKnown(arrival.source.address, snapshot) else {
            counters.strangersRefused &+= 1
            record(.unknownPeer, 403, of: request, datagram, arrival, &actions)
            answerStatelessly(403, to: request, datagram, arrival, &actions)
            return
        }
        if isWithinDialog, passToOwner(routes, arrival, &actions) { return }
        if isForUs(request) {
            answerOptions(request, datagram, role, arrival, &actions)
            return
        }
        // What has a To tag belongs to a call under way, also where its sender keeps no route set.
        let isRefused =
            request.toTag == nil && (isDraining || isOverloaded || searchingCount >= settings.callLimitCount)
        if isRefused || isFull {
            counters.shed &+= 1
            record(.overload, 503, of: request, datagram, arrival, &actions)
            answerStatelessly(503, to: request, datagram, arrival, &actions)
            return
        }
        switch role {
        case .redirect: redirect(request, datagram, reading, arrival, snapshot, &actions)
        case .proxy: proxy(request, datagram, reading.key, arrival, routes, snapshot, &actions)
        }
    }

    /// True when what is under way takes as much memory as it may.
    private var isFull: Bool {
        servers.liveCount >= settings.transactionLimitCount || heldByteCount >= settings.heldLimitBytes
            || store.keptBytes >= settings.keptLimitBytes
    }

    /// The redirect role (§8.3): whatever the method and whatever it requires, but not for a copy of a request that is
    /// here already (§8.2.2.2).
    private mutating func redirect(
        _ request: Message, _ datagram: Span<UInt8>, _ reading: Reading, _ arrival: Arrival,
        _ snapshot: borrowing PinnedSnapshot, _ actions: inout SignallingActions
    ) {
        let server = makeServer(request, datagram, reading.key, arrival)
        let tag = reading.ownTag
        if request.toTag == nil {
            let fingerprint = MergedRequests.fingerprint(request.method, tag)
            if let other = merged.server(of: fingerprint), servers.contains(other) {
                answer(server, 482, to: request, datagram, arrival, &actions)
                return
            }
            merged.note(fingerprint, server)
        }
        switch admit(request, arrival) {
        case .admitted(let peer): endCall(of: peer)  // it has the second's share; what comes of it we do not see
        case .full:
            record(.peerFull, 503, of: request, datagram, arrival, &actions)
            answer(server, 503, to: request, datagram, arrival, retryAfterSeconds: 1, &actions)
            return
        }
        var set = TargetSet()
        swap(&set, &targetSet)
        defer { swap(&set, &targetSet) }
        var information = route(request, datagram, arrival, snapshot, keepingParameters: true, &set, &actions)
        if information == .targets, !lendTrials(&set, arrival.now) {
            counters.count(.everyGatewayOut(until: arrival.now))
            information = .failure(.init(.everyGatewayOut(until: arrival.now), at: arrival.now))
        }
        guard case .failure(let failure) = information else {
            let own = RedirectResponse.ownTargets(of: set, for: request, in: datagram, scratch: &responseBytes)
            guard let status = RedirectResponse.status(for: set, without: own) else {
                record(.noRoute, 404, of: request, datagram, arrival, &actions)
                answer(server, 404, to: request, datagram, arrival, &actions)
                return
            }
            record(.redirected, status, of: request, datagram, arrival, &actions)
            counters.redirected &+= 1
            responseBytes.removeAll()
            writeResponse(
                status, ReasonPhrase.of(status), to: request, in: datagram, from: arrival.source,
                toTag: tag, server: settings.serverName, into: &responseBytes
            ) { RedirectResponse.writeContacts(set, without: own, for: request, in: datagram, into: &$0) }
            answer(server, status, arrival.now, &actions)
            return
        }
        let result = failure.cause.map { CallRecord.Result($0) } ?? .unacceptable
        record(result, failure.status, of: request, datagram, arrival, &actions)
        answer(
            server, failure.status, to: request, datagram, arrival, reasonPhrase: failure.reasonPhrase,
            retryAfterSeconds: failure.retryAfterSeconds, &actions)
    }

    /// The answer of the redirect server to this request, by the snapshot as it is now.
    ///
    /// - Parameter keepingParameters: whether the targets come with what a proxy elsewhere must know of them.
    mutating func route(
        _ request: Message, _ datagram: Span<UInt8>, _ arrival: Arrival, _ snapshot: borrowing PinnedSnapshot,
        keepingParameters: Bool = false, _ set: inout TargetSet, _ actions: inout SignallingActions
    ) -> RoutingInformation {
        set.removeAll(keepingParameters: keepingParameters)
        let information = snapshot.withSnapshot {
            RoutingInformation.find(
                for: request, in: datagram, from: arrival.source.address, in: $0, status: table,
                memory: &selectionMemory, now: arrival.now, wallTime: wallTime(at: arrival.now), into: &set)
        }
        actions.transitions += set.recovered
        if case .failure(let failure) = information, let cause = failure.cause { counters.count(cause) }
        return information
    }

    /// The branch of a request that is forwarded without a transaction: the same for its retransmissions (§16.11).
    private func statelessBranch(_ request: Message, _ datagram: Span<UInt8>) -> Branch {
        var hash = KeyedHash(settings.workerSecret)
        if let branch = request.topVia.branch { hash.update(datagram, branch) }
        hash.update(datagram, request.callID)
        let bits = hash.finish()
        return Branch(
            worker: settings.worker, slot: .max, generation: UInt32(truncatingIfNeeded: bits))
    }
}
