import Addressing
import Probing
import Proxy
import Redirect
import Routing
import SIPMessage
import SIPTransaction
import Time

// The proxy role: one response context a request, which decides; here its decisions are carried out.
extension SignallingCore {
    /// A new request for the proxy role (§16.3 to §16.5).
    mutating func proxy(
        _ request: Message, _ datagram: Span<UInt8>, _ key: ServerTransactionKey, _ arrival: Arrival,
        _ routes: ReceivedRoutes, _ snapshot: borrowing PinnedSnapshot, _ actions: inout SignallingActions
    ) {
        let server = makeServer(request, datagram, key, arrival)
        if let status = refusal(of: request, datagram, arrival) {
            record(.unacceptable, status, of: request, datagram, arrival, &actions)
            answer(server, status, to: request, datagram, arrival, warning: Self.warning(status), &actions)
            return
        }
        var peer: PeerSlot?
        switch admit(request, arrival) {
        case .admitted(let slot): peer = slot
        case .full:
            record(.peerFull, 503, of: request, datagram, arrival, &actions)
            answer(server, 503, to: request, datagram, arrival, retryAfterSeconds: 1, &actions)
            return
        }
        var set = TargetSet()
        swap(&set, &targetSet)
        defer { swap(&set, &targetSet) }
        var destination: TransportAddress?
        let isApart = snapshot.withSnapshot { $0.isApart }
        if request.toTag != nil, request.has(.route) {
            guard routes.isAuthentic, let nextHop = self.destination(of: request, datagram, by: routes) else {
                // §16.9 would have it 503, which would go upstream as 500 (§16.7 step 6): we ourselves are well.
                answer(server, routes.isAuthentic ? 500 : 481, to: request, datagram, arrival, &actions)
                return
            }
            destination = nextHop
            set.removeAll()
            noteWithinDialog(request, datagram, owner: routes.worker, arrival.now, &actions)
        } else {
            // A peer that keeps no route set sends what is within a dialog to us by its number, as it did the INVITE:
            // §16.5 knows no tags.
            let information =
                isApart
                ? selectRedirectServers(arrival.now, snapshot, &set)
                : route(request, datagram, arrival, snapshot, &set, &actions)
            if case .failure(let failure) = information {
                endCall(of: peer)
                let result = failure.cause.map { CallRecord.Result($0) } ?? .unacceptable
                record(result, failure.status, of: request, datagram, arrival, &actions)
                let isNoDialog = request.toTag != nil && (failure.status == 403 || failure.status == 404)
                answer(
                    server, isNoDialog ? 481 : failure.status, to: request, datagram, arrival,
                    reasonPhrase: isNoDialog ? "" : failure.reasonPhrase,
                    retryAfterSeconds: failure.retryAfterSeconds, &actions)
                return
            }
        }
        if request.method == .invite { answer(server, 100, to: request, datagram, arrival, &actions) }
        if destination == nil, request.toTag != nil {
            noteWithinDialog(request, datagram, owner: nil, arrival.now, &actions)
        }
        // A request that is routed by its number goes nowhere else: no Route that its sender made up leaves with it.
        let passed = destination == nil ? ForwardedRoutes(consumedCount: .max) : routes.forwarded
        let withholdsIdentity = withholdsIdentity(
            of: request, datagram, from: arrival.source.address, to: destination?.address, snapshot)
        let context = makeContext(
            request, datagram, server, arrival, set, destination, passed, isAsking: isApart && destination == nil,
            withholdsIdentity: withholdsIdentity)
        servers[server].context = context
        contexts[context].search = beginSearch(request, datagram, arrival)
        contexts[context].peer = peer
        contextAtHand = context
        drive(context, .begin, arrival.now, &actions)
        contextAtHand = nil
    }

    /// Why a request is not forwarded at all (§16.3): the status of the answer, or nil.
    private func refusal(of request: Message, _ datagram: Span<UInt8>, _ arrival: Arrival) -> Int? {
        guard let target = request.target else { return 400 }
        if target.scheme == .other { return 416 }
        if request.maxForwards == 0 { return 483 }
        // With our fields on top it would not fit into a datagram, and no gateway is to blame for that.
        if datagram.count > Self.forwardedLimitBytes { return 513 }
        let source = arrival.source.address
        if LoopMark.isPresent(in: request, datagram, from: source, key: settings.routeSecret) { return 482 }
        if request.maxBreadth == 0 { return 440 }
        if asksForExtension(request, datagram, in: .proxyRequire) { return 420 }
        // RFC 5630 §5.3: what was to be safe on every hop goes on by `sips:` or not at all, and no gateway has that.
        return target.scheme == .sips ? 480 : nil
    }

    /// What goes with a refusal (RFC 5630 §5.3).
    private static func warning(_ status: Int) -> StaticString {
        status == 480 ? "380 tandem \"SIPS Not Allowed\"" : ""
    }

    private mutating func makeContext(
        _ request: Message, _ datagram: Span<UInt8>, _ server: ServerRecord.Handle, _ arrival: Arrival,
        _ set: TargetSet, _ destination: TransportAddress?, _ routes: ForwardedRoutes, isAsking: Bool,
        withholdsIdentity: Bool
    ) -> ContextRecord.Handle {
        let isInvite = request.method == .invite
        let machine = ResponseContext(
            isInvite: isInvite, targetCount: max(1, set.targets.count),
            giveUpAfter: set.giveUpAfterMilliseconds.map { .milliseconds(Int64($0)) }, tryingDelay: tryingDelay,
            isAsking: isAsking)
        searchingCount += 1
        // The requests that make a dialog (§16.6 step 4; RFC 6665 and RFC 3515 for the other two).
        let makesDialog = isInvite || request.method == .subscribe || request.method == .refer
        let mark =
            makesDialog && isRecordRouting
            ? RouteMark.make(for: request, in: datagram, worker: settings.worker, key: settings.routeSecret) : nil
        heldByteCount += datagram.count
        return contexts.take(
            ContextRecord(
                machine: machine, server: server, method: request.method,
                serverCount: isAsking ? set.targets.count : 0,
                triedThoughOut: targetsOut(of: set),
                original: datagram.withUnsafeBufferPointer { store.keep($0) }, callID: request.callID,
                requestURI: request.requestURI, source: arrival.source,
                targets: store.keep(set, scratch: &responseBytes),
                dialogDestination: destination, routes: routes, withholdsIdentity: withholdsIdentity,
                // A request within the dialog has our mark in its Route set already (§16.6 step 4 would add nothing).
                recordRoute: destination == nil ? mark : nil, upstream: servers[server].destination,
                listener: arrival.listener))
    }

    /// Gives an event to the context and carries out its actions. Where the event is a response, `forwardedBytes` holds
    /// it as it would go upstream.
    mutating func drive(
        _ handle: ContextRecord.Handle, _ event: ResponseContext.Event, _ now: Instant,
        _ actions: inout SignallingActions
    ) {
        var decisions = decisionBuffers.popLast() ?? []
        decide(handle, event, now, &decisions)
        var index = 0
        while index < decisions.count {
            if case .attempt(let target) = decisions[index], contexts.contains(handle) {
                switch claim(target, of: handle, now, &actions) {
                case .taken(let claim): attempt(target, of: handle, claim, now, &actions)
                case .skipped(let reason):
                    countSkip(reason)
                    decide(handle, .skipped(target: target), now, &decisions)
                }
            } else if case .follow = decisions[index], contexts.contains(handle) {
                let (count, giveUpAfter) = followContacts(handle, now)
                decide(handle, .targets(count: count, giveUpAfter: giveUpAfter), now, &decisions)
            } else {
                carryOut(decisions[index], handle, event, now, &actions)
            }
            index += 1
        }
        decisions.removeAll(keepingCapacity: true)
        decisionBuffers.append(decisions)
        if contexts.contains(handle), contexts[handle].machine.isEnded {
            endSearch(of: handle, now, &actions)
            // After a 2xx a dialog takes the call over, as soon as that has been looked at.
            if contexts[handle].answer < 200 || contexts[handle].answer >= 300 { endPeerCall(of: handle) }
        }
        freeIfDone(handle)
    }

    private mutating func decide(
        _ handle: ContextRecord.Handle, _ event: ResponseContext.Event, _ now: Instant,
        _ decisions: inout [ResponseContext.Action]
    ) {
        let (targets, timerC) = (contexts[handle].targets, settings.timerC)
        let wasEnded = contexts[handle].machine.isEnded
        contexts[handle].machine.receive(
            event, now: now,
            rules: { targets[$0].map { AttemptRules(of: $0) } ?? AttemptRules(answerTimeout: timerC) },
            into: &decisions)
        if contexts[handle].machine.isEnded, !wasEnded { searchingCount -= 1 }
    }

    /// Frees the context when its search is over and nothing that it sent can be answered any more; what it keeps goes
    /// as soon as nothing more will be written from it.
    mutating func freeIfDone(_ handle: ContextRecord.Handle) {
        guard contexts.contains(handle), contexts[handle].machine.isEnded else { return }
        if contexts[handle].liveClientCount == 0 {
            endPeerCall(of: handle)
            releaseRequest(of: handle)
            contexts.giveBack(handle)
        } else if !contexts[handle].original.isEmpty, !mayWrite(from: handle) {
            releaseRequest(of: handle)
        }
    }

    /// True while one of its client transactions may still send something.
    private func mayWrite(from handle: ContextRecord.Handle) -> Bool {
        var next = contexts[handle].lastAttempt
        while let client = next {  // at most as many as there are targets
            if clients[client].maySend { return true }
            next = clients[client].previousAttempt
        }
        return false
    }

    /// Takes a client transaction that is over out of its context's chain, where all others are alive.
    mutating func unlink(_ client: ClientRecord.Handle, from handle: ContextRecord.Handle) {
        let previous = clients[client].previousAttempt
        contexts[handle].liveClientCount -= 1
        guard var next = contexts[handle].lastAttempt, next != client else {
            contexts[handle].lastAttempt = previous
            return
        }
        while let other = clients[next].previousAttempt, other != client { next = other }
        clients[next].previousAttempt = previous
    }

    /// Lets go of the request and its targets, when nothing will be written from them any more.
    private mutating func releaseRequest(of handle: ContextRecord.Handle) {
        heldByteCount -= contexts[handle].original.count
        store.release(&contexts[handle].original)
        store.release(&contexts[handle].targets)
        store.release(&contexts[handle].kept)
        store.release(&contexts[handle].cancelReason)
    }

    private mutating func carryOut(
        _ action: ResponseContext.Action, _ handle: ContextRecord.Handle, _ event: ResponseContext.Event,
        _ now: Instant, _ actions: inout SignallingActions
    ) {
        // A target that can't be reached may end the search while its other decisions are carried out.
        guard contexts.contains(handle) else { return }
        switch action {
        case .attempt, .follow: break  // `drive` sees to them
        case .cancel(let target):
            if let client = client(of: target, in: handle) { startCancel(client, now, &actions) }
        case .giveUp(let target):
            if let client = client(of: target, in: handle) {
                drive(client, invite: .giveUp, nonInvite: nil, now, &actions)
            }
        case .arm(let at):
            let token = TimerToken(.context, nil, slot: handle.slot, generation: handle.generation)
            actions.timers.append(.init(at: at, token: token))
        case .armTrying(let at):
            let token = TimerToken(.context, .e, slot: handle.slot, generation: handle.generation)
            actions.timers.append(.init(at: at, token: token))
        case .forward:
            guard case .response(let status, _) = event else { return }
            noteAnswer(handle, status, isForwarded: true)
            forward(status, handle, now, &actions)
        case .keep:
            guard case .response(let status, _) = event else { return }
            store.release(&contexts[handle].kept)
            contexts[handle].kept = forwardedBytes.withUnsafeBufferPointer { store.keep($0) }
            contexts[handle].keptStatus = status
        case .addChallenges: addChallenges(to: handle)
        case .forwardKept:
            noteAnswer(handle, contexts[handle].keptStatus, isForwarded: true)
            responseBytes.removeAll()
            contexts[handle].kept.withSpan { responseBytes.append($0) }
            answer(contexts[handle].server, contexts[handle].keptStatus, now, &actions)
        case .respond(let status):
            noteAnswer(handle, status, isForwarded: false)
            answerOriginal(handle, status, now, &actions)
        case .refuse: refuse(handle, now, &actions)
        case .abandon:
            guard servers.contains(contexts[handle].server) else { return }
            drive(contexts[handle].server, invite: nil, nonInvite: .abandon, now, &actions)
        case .observe(let target, let observation): observe(observation, target, handle, now, &actions)
        case .ended(let target, let reason): end(target, reason, handle, now)
        }
    }

    /// An attempt is over. One that was cancelled keeps its place at the gateway until that has answered.
    private mutating func end(
        _ target: Int, _ reason: AttemptEnd, _ handle: ContextRecord.Handle, _ now: Instant
    ) {
        let isServer = target < contexts[handle].serverCount
        if isServer { counters.countInquiry(reason) } else { contexts[handle].lastEnd = reason }
        guard let client = client(of: target, in: handle) else { return }
        changeRecord(of: client, now) { ($0.end, $0.endedAt) = (reason, $1) }
        switch reason {
        case .noResponse, .transportError, .gatewayFell:
            endCall(client)
            endTrial(client)
        case .answered, .refused, .failureResponse, .noProgress, .noAnswer, .gaveUp, .cancelled, .superseded,
            .redirected:
            break
        }
    }

    /// Adds the challenges of the response in `forwardedBytes` to the kept one, so that the caller can answer each of
    /// them (§16.7 step 7).
    private mutating func addChallenges(to handle: ContextRecord.Handle) {
        let (response, kept) = (original.place, contexts[handle].kept)
        let added = forwardedBytes.bytes
        guard reparse(added.span, into: response), let end = kept.withSpan({ ForwardedResponse.endOfFields($0) }) else {
            return
        }
        responseBytes.removeAll()
        kept.withSpan { responseBytes.append($0, ByteRange(0, end)) }
        for field in response.value.fields where field.name == .wwwAuthenticate || field.name == .proxyAuthenticate {
            responseBytes.append(added.span, field.line)
        }
        kept.withSpan { responseBytes.append($0, ByteRange(end, $0.count)) }
        guard responseBytes.count <= Self.forwardedLimitBytes else { return }
        store.release(&contexts[handle].kept)
        contexts[handle].kept = responseBytes.withUnsafeBufferPointer { store.keep($0) }
    }

    /// Passes the response in `forwardedBytes` upstream. A 2xx to INVITE goes in any case (§16.7 step 5), also when
    /// the server transaction has sent another final response or is over.
    private mutating func forward(
        _ status: Int, _ handle: ContextRecord.Handle, _ now: Instant, _ actions: inout SignallingActions
    ) {
        let sentBefore = actions.datagrams.count
        swap(&responseBytes, &forwardedBytes)
        defer { swap(&responseBytes, &forwardedBytes) }
        answer(contexts[handle].server, status, now, &actions)
        guard (200..<300).contains(status), actions.datagrams.count == sentBefore else { return }
        let (upstream, listener) = (contexts[handle].upstream, contexts[handle].listener)
        sendResponse(upstream, listener, &actions)
    }

    /// Answers the request of a context with a response of our own.
    mutating func answerOriginal(
        _ handle: ContextRecord.Handle, _ status: Int, _ now: Instant, retryAfterSeconds: Int64? = nil,
        _ actions: inout SignallingActions
    ) {
        let arrival = Arrival(source: contexts[handle].source, listener: contexts[handle].listener, now: now)
        let server = contexts[handle].server
        guard servers.contains(server) else { return }
        contexts[handle].original.withSpan { bytes in
            let request = contextAtHand == handle ? received.place : original.place
            guard contextAtHand == handle || reparse(bytes, into: request) else { return }
            answer(
                server, status, to: request.value, bytes, arrival, retryAfterSeconds: retryAfterSeconds, &actions)
        }
    }

    /// Reads a message again that was well-formed when it came.
    func reparse(_ bytes: Span<UInt8>, into message: Fixed<Message>.Place) -> Bool {
        do {
            try message.value.parse(bytes)
            return true
        } catch {
            return false  // its memory was given up: nothing can be written from it any more
        }
    }

    /// The client transaction of a target that was tried; nil when it is over.
    func client(of target: Int, in handle: ContextRecord.Handle) -> ClientRecord.Handle? {
        var next = contexts[handle].lastAttempt
        while let client = next {  // at most as many as there are targets
            if case .attempt(_, target) = clients[client].purpose { return client }
            next = clients[client].previousAttempt
        }
        return nil
    }
}
