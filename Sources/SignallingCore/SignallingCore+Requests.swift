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
        _ request: Message, _ datagram: Span<UInt8>, _ arrival: Arrival, _ snapshot: borrowing PinnedSnapshot,
        _ actions: inout SignallingActions
    ) {
        switch request.method {
        case .ack: receiveAcknowledgement(request, datagram, arrival, &actions)
        case .cancel: receiveCancel(request, datagram, arrival, snapshot, &actions)
        default:
            if request.method == .invite {
                counters.invitesReceived &+= 1
            } else {
                counters.otherRequestsReceived &+= 1
            }
            let key = ServerTransactionKey(of: request, in: datagram, as: request.method, key: settings.workerSecret)
            if let server = serverHandles[key] {
                counters.retransmissionsReceived &+= 1
                drive(server, invite: .request, nonInvite: .request, arrival.now, &actions)
                return
            }
            receiveNew(request, datagram, key, arrival, snapshot, &actions)
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
        let start = actions.bytes.count
        writeResponse(
            reason.status, reason.reasonPhrase, to: request, in: datagram, from: arrival.source,
            toTag: ownTag(request, datagram), server: settings.serverName, into: &actions.bytes)
        actions.datagrams.append(
            .init(
                start: start, count: actions.bytes.count - start,
                destination: responseDestination(of: request, in: datagram, source: arrival.source),
                listener: arrival.listener))
    }

    private func isKnown(_ source: IPAddress, _ snapshot: borrowing PinnedSnapshot) -> Bool {
        snapshot.withSnapshot { $0.plan(for: source) != nil || $0.isGateway(source) }
    }

    private mutating func receiveAcknowledgement(
        _ request: Message, _ datagram: Span<UInt8>, _ arrival: Arrival, _ actions: inout SignallingActions
    ) {
        counters.acknowledgementsReceived &+= 1
        let key = ServerTransactionKey(of: request, in: datagram, as: .invite, key: settings.workerSecret)
        // After a 2xx an ACK finds the INVITE only where its sender puts no new branch into it (RFC 2543); it goes on.
        if let server = serverHandles[key], !servers[server].isAccepted {
            drive(server, invite: .ack, nonInvite: nil, arrival.now, &actions)
            return
        }
        // The ACK of a 2xx: a request of its own within the dialog, forwarded without a transaction (§16.11 in spirit).
        let routes = ReceivedRoutes(request, datagram, settings)
        guard settings.listeners[Int(arrival.listener.index)].role == .proxy, routes.isAuthentic,
            let destination = routes.nextHop, let egress = egress(to: destination, preferring: arrival.listener),
            (request.maxForwards ?? 70) > 0
        else {
            counters.strayAcknowledgements &+= 1
            return
        }
        let start = actions.bytes.count
        ForwardedRequest(
            branch: statelessBranch(request, datagram), branchKey: settings.workerSecret,
            advertised: settings.listeners[Int(egress.index)].advertised, requestURI: .original,
            consumedRoutes: routes.ownCount, recordRoute: nil
        ).write(request, in: datagram, from: arrival.source, into: &actions.bytes)
        actions.datagrams.append(
            .init(start: start, count: actions.bytes.count - start, destination: destination, listener: egress))
    }

    /// CANCEL is answered at once and hop by hop (§16.10); the INVITE goes its own way.
    private mutating func receiveCancel(
        _ request: Message, _ datagram: Span<UInt8>, _ arrival: Arrival, _ snapshot: borrowing PinnedSnapshot,
        _ actions: inout SignallingActions
    ) {
        counters.cancelsReceived &+= 1
        let key = ServerTransactionKey(of: request, in: datagram, as: .invite, key: settings.workerSecret)
        // §22.1: from the hop that sent the INVITE and nobody else, who would have to know its branch.
        guard let server = serverHandles[key], servers[server].destination.address == arrival.source.address else {
            if isKnown(arrival.source.address, snapshot) {
                answerStatelessly(481, to: request, datagram, arrival, &actions)
            } else {
                counters.strangersRefused &+= 1
                answerStatelessly(403, to: request, datagram, arrival, &actions)
            }
            return
        }
        answerStatelessly(200, to: request, datagram, arrival, &actions)
        if let context = servers[server].context, contexts.contains(context) {
            if !contexts[context].machine.isCancelled { keepReason(of: request, datagram, for: context) }
            drive(context, .cancel, arrival.now, &actions)
        }
    }

    /// The CANCEL towards the gateway is another request than this one, made when the gateway can hear it; why the
    /// caller hung up goes along (API section 10).
    private mutating func keepReason(
        of request: Message, _ datagram: Span<UInt8>, for context: ContextRecord.Handle
    ) {
        for field in request.fields where field.name == .reason {
            guard contexts[context].cancelReason.count + field.line.count <= 1024 else { return }
            contexts[context].cancelReason += OutputBuffer.copy(of: datagram, field.line)
        }
    }

    private mutating func receiveNew(
        _ request: Message, _ datagram: Span<UInt8>, _ key: ServerTransactionKey, _ arrival: Arrival,
        _ snapshot: borrowing PinnedSnapshot, _ actions: inout SignallingActions
    ) {
        let role = settings.listeners[Int(arrival.listener.index)].role
        let routes = ReceivedRoutes(request, datagram, settings)
        let isWithinDialog = role == .proxy && request.toTag != nil && routes.isAuthentic
        guard isWithinDialog || isKnown(arrival.source.address, snapshot) else {
            counters.strangersRefused &+= 1
            answerStatelessly(403, to: request, datagram, arrival, &actions)
            return
        }
        if request.method == .options, isForUs(request, datagram) {
            answerStatelessly(isDraining ? 503 : 200, to: request, datagram, arrival, &actions)
            return
        }
        let isRefused = !isWithinDialog && (isDraining || searchingCount >= settings.callLimitCount)
        if isRefused || servers.liveCount >= settings.transactionLimitCount || heldByteCount >= settings.heldLimitBytes
        {
            counters.shed &+= 1
            answerStatelessly(503, to: request, datagram, arrival, &actions)
            return
        }
        switch role {
        case .redirect: redirect(request, datagram, key, arrival, snapshot, &actions)
        case .proxy: proxy(request, datagram, key, arrival, routes, snapshot, &actions)
        }
    }

    /// An OPTIONS without a user part in its Request-URI asks us, not someone behind us (§11). One by a scheme that
    /// nobody here knows is for nobody here (416).
    private func isForUs(_ request: Message, _ datagram: Span<UInt8>) -> Bool {
        do {
            let uri = try SIPURI.parse(datagram, request.requestURI)
            return uri.userinfo == nil && uri.scheme != .other && request.toTag == nil
        } catch {
            return false
        }
    }

    /// The redirect role (§8.3).
    private mutating func redirect(
        _ request: Message, _ datagram: Span<UInt8>, _ key: ServerTransactionKey, _ arrival: Arrival,
        _ snapshot: borrowing PinnedSnapshot, _ actions: inout SignallingActions
    ) {
        var set = TargetSet()
        swap(&set, &targetSet)
        defer { swap(&set, &targetSet) }
        let information = route(request, datagram, arrival, snapshot, &set, &actions)
        let server = makeServer(request, datagram, key, arrival)
        guard case .failure(let status, let retryAfterSeconds) = information else {
            counters.redirected &+= 1
            let status = RedirectResponse.status(for: set)
            responseBytes.removeAll()
            writeResponse(
                status, ReasonPhrase.of(status), to: request, in: datagram, from: arrival.source,
                toTag: ownTag(request, datagram), server: settings.serverName, into: &responseBytes
            ) { RedirectResponse.writeContacts(set, for: request, in: datagram, into: &$0) }
            answer(server, status, arrival.now, &actions)
            return
        }
        answer(server, status, to: request, datagram, arrival, retryAfterSeconds: retryAfterSeconds, &actions)
    }

    /// The answer of the redirect server to this request, by the snapshot as it is now.
    mutating func route(
        _ request: Message, _ datagram: Span<UInt8>, _ arrival: Arrival, _ snapshot: borrowing PinnedSnapshot,
        _ set: inout TargetSet, _ actions: inout SignallingActions
    ) -> RoutingInformation {
        set.removeAll()
        let information = snapshot.withSnapshot {
            RoutingInformation.find(
                for: request, in: datagram, from: arrival.source.address, in: $0, status: table, now: arrival.now,
                into: &set)
        }
        actions.transitions += set.recovered
        switch information {
        case .failure(404, _): counters.noRoute &+= 1
        case .failure(503, _): counters.everyGatewayOut &+= 1
        case .failure(403, _): counters.strangersRefused &+= 1
        case .targets, .failure: break
        }
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
