import Addressing
import Proxy
import Routing
import SIPMessage
import SIPTransaction
package import Time

// Live calls: a 2xx makes one, BYE ends it. Each holds a place at its gateway, which `least-calls` and `max_calls` look
// at. The worker that tried the gateway has it; a BYE that comes to another worker finds it by the mark in Route, which
// names the owner. What is never heard of again is counted until its lease is over, so that a BYE that was lost takes
// no place for ever. After a restart nobody has any, and requests within calls from before change nothing.
extension SignallingCore {
    private static var sweepInterval: Duration { .seconds(1) }
    /// The shortest time that a session timer may have (RFC 4028 section 4), s.
    private static var sessionLimitSeconds: UInt32 { 90 }

    /// A 2xx of an attempt: the dialog that it makes holds a place at the gateway, where requests within it come
    /// through us.
    mutating func noteSuccess(
        _ handle: ClientRecord.Handle, _ response: Message, _ datagram: Span<UInt8>, _ now: Instant,
        _ actions: inout SignallingActions
    ) {
        guard clients.contains(handle), let gateway = clients[handle].claim.gateway,
            case .invite(let machine) = clients[handle].machine, machine.isAccepted,
            case .attempt(let context, _) = clients[handle].purpose, contexts.contains(context)
        else { return }
        guard contexts[context].recordRoute != nil else {
            endCall(handle)
            endPeerCall(of: context)
            return
        }
        let dialog = RouteMark.dialog(of: response, in: datagram, key: settings.routeSecret)
        // A copy of a 2xx may come after the BYE of its dialog.
        guard clients[handle].dialogs.insert(dialog) else { return }
        let lease = lease(of: response, in: datagram) ?? callLeaseSeconds
        let call = LiveCall(
            dialog: dialog, gateway: gateway, peer: contexts[context].peer, callee: clients[handle].destination,
            caller: contexts[context].upstream, record: contexts[context].recordID, leaseSeconds: lease,
            until: now + .seconds(Int64(lease)))
        guard liveCalls.begin(call) else { return }
        contexts[context].peer = nil  // the first dialog has its peer's call now
        if clients[handle].claim.holdsCall {
            clients[handle].claim.holdsCall = false  // the dialog has the place now
        } else if table.beginCall(gateway, limits: CallLimits(), now: now) {
            heldCallCount += 1  // a second fork, or a late 2xx: it is there, whatever the limits say
        } else {
            endCall(of: liveCalls.end(dialog)?.peer)  // the gateway has gone
        }
        guard !isSweepingCalls, liveCalls.count > 0 else { return }
        isSweepingCalls = true
        actions.timers.append(
            .init(at: now + Self.sweepInterval, token: TimerToken(.liveCalls, nil, slot: 0, generation: 0)))
    }

    /// Where a request within a dialog goes. A host name is looked up by nobody while the request waits: for as long as
    /// the call is known, its neighbour on that side is who stands behind the name, or in front of it.
    func destination(
        of request: Message, _ datagram: Span<UInt8>, by routes: ReceivedRoutes
    ) -> TransportAddress? {
        guard routes.isNamedHop, let mark = routes.mark else { return routes.nextHop }
        let call = liveCalls.call(of: RouteMark.dialog(of: request, in: datagram, key: settings.routeSecret))
        return mark.isFromCaller ? call?.callee : call?.caller
    }

    /// A request within a dialog.
    ///
    /// - Parameter owner: the worker that its Route names; nil for one that has none and is routed by its number.
    mutating func noteWithinDialog(
        _ request: Message, _ datagram: Span<UInt8>, owner: UInt8?, _ now: Instant, _ actions: inout SignallingActions
    ) {
        let dialog = RouteMark.dialog(of: request, in: datagram, key: settings.routeSecret)
        let kind: CallNotice.Kind = request.method == .bye ? .ended : .alive
        let lease = kind == .alive ? lease(of: request, in: datagram) ?? 0 : 0
        if owner == nil || owner == settings.worker {
            let notice = CallNotice(worker: settings.worker, kind: kind, dialog: dialog, leaseSeconds: lease)
            if receive(notice, now: now, into: &actions) || owner != nil { return }
        }
        for worker in 0..<settings.workerCount
        where worker != settings.worker && (owner == nil || owner == worker) {
            actions.notices.append(CallNotice(worker: worker, kind: kind, dialog: dialog, leaseSeconds: lease))
        }
    }

    /// What became of a live call that this worker may have, by its own or another's word. False when it has none.
    @discardableResult
    package mutating func receive(
        _ notice: CallNotice, now: Instant, into actions: inout SignallingActions
    ) -> Bool {
        switch notice.kind {
        case .alive: return liveCalls.renew(notice.dialog, leaseSeconds: notice.leaseSeconds, now)
        case .ended:
            guard let call = liveCalls.end(notice.dialog) else { return false }
            endCall(at: call.gateway)
            endCall(of: call.peer)
            noteEnding(of: call, isByRequest: true, now, &actions)
            return true
        }
    }

    /// Lets go of the calls whose lease is over.
    mutating func sweepLiveCalls(_ now: Instant, _ actions: inout SignallingActions) {
        for _ in 0..<liveCalls.sweepStepCount {
            guard let call = liveCalls.takeExpired(now) else { continue }
            endCall(at: call.gateway)
            endCall(of: call.peer)
            counters.liveCallsExpired &+= 1
            noteEnding(of: call, isByRequest: false, now, &actions)
        }
        isSweepingCalls = liveCalls.count > 0
        guard isSweepingCalls else { return }
        actions.timers.append(
            .init(at: now + Self.sweepInterval, token: TimerToken(.liveCalls, nil, slot: 0, generation: 0)))
    }

    private var callLeaseSeconds: UInt32 { UInt32(clamping: settings.callLease.milliseconds / 1000) }

    /// How long a call with a session timer is counted without a refresh: half as long again as its interval, at whose
    /// end its user agents hang up. Nil without one. Four times the usual lease at most: the interval is what a
    /// stranger says, and a place must not be taken for years.
    private func lease(of message: Message, in datagram: Span<UInt8>) -> UInt32? {
        let limit = callLeaseSeconds.multipliedReportingOverflow(by: 4)
        return Self.sessionLease(of: message, in: datagram).map { min($0, limit.overflow ? .max : limit.partialValue) }
    }

    private static func sessionLease(of message: Message, in datagram: Span<UInt8>) -> UInt32? {
        for field in message.fields where field.name == .other {
            let name = ByteRange(field.line.lowerBound, min(field.value.lowerBound, field.line.lowerBound + 15))
            let isFull = name.count == 15 && name.equalsIgnoringCase("session-expires", in: datagram)
            let isCompact =
                field.line.count > 1 && datagram[field.line.lowerBound] | 0x20 == UInt8(ascii: "x")
                && [UInt8(ascii: ":"), UInt8(ascii: " "), 9].contains(datagram[field.line.lowerBound + 1])
            guard isFull || isCompact else { continue }
            var seconds: UInt32 = 0
            for index in field.value.lowerBound..<field.value.upperBound {
                let digit = datagram[index] &- UInt8(ascii: "0")
                guard digit < 10, seconds < 100_000_000 else { break }
                seconds = seconds * 10 + UInt32(digit)
            }
            guard seconds > 0 else { return nil }
            return max(seconds, sessionLimitSeconds) / 2 * 3
        }
        return nil
    }
}
