import Proxy
import Redirect
import Routing
import SIPMessage
import SIPTransaction
import Time

// Call records (API section 8): one for each INVITE that makes a dialog or would have. It is kept beside the response
// context while the search goes on, and handed on once when that ends; the end of an answered call follows by itself.
extension SignallingCore {
    /// Refusals that cost their senders nothing are recorded up to so many a second, so that a flood of them neither
    /// costs much nor drives out the records of calls.
    private static var floodLimitCount: Int { 20 }

    private mutating func newRecord(
        _ request: Message, _ datagram: Span<UInt8>, _ arrival: Arrival
    ) -> CallRecord {
        recordCount &+= 1
        var record = CallRecord(
            id: UInt64(settings.worker) << 56 | recordCount & (1 << 56 - 1), receivedAt: arrival.now,
            source: arrival.source)
        record.callID = ShortText(datagram, request.callID.lowerBound..<request.callID.upperBound)
        if let user = request.target?.userinfo {
            record.dialled = ShortText(datagram, user.lowerBound..<user.upperBound)
        }
        let caller = Self.caller(of: request, in: datagram)
        record.caller = ShortText(datagram, caller.lowerBound..<caller.upperBound)
        if let pinned { record.revision = pinned._withUnsafeGuaranteedRef { $0.revision } }
        return record
    }

    private static func caller(of request: Message, in datagram: Span<UInt8>) -> ByteRange {
        do {
            let uri = try NameAddress.parse(datagram, request.from).uri
            return try SIPURI.parse(datagram, uri).userinfo ?? uri
        } catch {
            return request.from
        }
    }

    /// Begins the record of a call that has targets.
    mutating func beginSearch(
        _ request: Message, _ datagram: Span<UInt8>, _ arrival: Arrival
    ) -> Slab<CallSearch>.Handle? {
        guard request.method == .invite, request.toTag == nil else { return nil }
        return searches.take(CallSearch(newRecord(request, datagram, arrival)))
    }

    /// Makes the whole record of a call that gets no further.
    mutating func record(
        _ result: CallRecord.Result, _ status: Int, of request: Message, _ datagram: Span<UInt8>, _ arrival: Arrival,
        _ actions: inout SignallingActions
    ) {
        guard request.method == .invite, request.toTag == nil else { return }
        if result == .unknownPeer || result == .overload {
            let second = arrival.now.nanoseconds / 1_000_000_000
            if second != floodSecond { (floodSecond, floodCount) = (second, 0) }
            floodCount += 1
            guard floodCount <= Self.floodLimitCount else {
                counters.callsUnrecorded &+= 1
                return
            }
        }
        var record = newRecord(request, datagram, arrival)
        (record.result, record.status) = (result, UInt16(clamping: status))
        actions.calls.records.append(record)
    }

    /// Notes that an attempt begins.
    mutating func recordAttempt(_ handle: ClientRecord.Handle, of context: ContextRecord.Handle, _ now: Instant) {
        guard let search = contexts[context].search, let gateway = clients[handle].claim.gateway else { return }
        let branch = Branch(worker: settings.worker, slot: handle.slot, generation: handle.generation)
        let attempt = CallRecord.Attempt(
            gateway: gateway, sentAt: searches[search].record.milliseconds(at: now),
            branch: (branch.worker, branch.slot, branch.generation, branch.check(settings.workerSecret)))
        clients[handle].attemptNumber = searches[search].begin(attempt)
    }

    /// Changes what is recorded of an attempt, where it is.
    mutating func changeRecord(
        of handle: ClientRecord.Handle, _ now: Instant, _ change: (inout CallRecord.Attempt, UInt32) -> Void
    ) {
        guard let number = clients[handle].attemptNumber, case .attempt(let context, _) = clients[handle].purpose,
            contexts.contains(context), let search = contexts[context].search
        else { return }
        let milliseconds = searches[search].record.milliseconds(at: now)
        searches[search].change(number) { change(&$0, milliseconds) }
    }

    /// Notes what a response says of its attempt.
    mutating func recordResponse(_ handle: ClientRecord.Handle, _ status: Int, _ now: Instant) {
        let isFirst = clients[handle].isWaiting
        guard isFirst || status >= 200 else { return }
        changeRecord(of: handle, now) { attempt, milliseconds in
            if attempt.firstResponseAt == nil { attempt.firstResponseAt = milliseconds }
            if status >= 200 { attempt.finalStatus = UInt16(clamping: status) }
        }
    }

    /// Notes a copy of a request whose search goes on.
    mutating func recordCopy(of server: ServerRecord.Handle, _ now: Instant) {
        guard let context = servers[server].context, contexts.contains(context), let search = contexts[context].search
        else { return }
        searches[search].record.noteCopy(at: now)
    }

    /// Notes what the caller is sent.
    mutating func noteAnswer(_ handle: ContextRecord.Handle, _ status: Int, isForwarded: Bool) {
        guard status >= 200 else { return }
        if contexts[handle].answer == 0 { contexts[handle].answer = status }
        guard let search = contexts[handle].search else { return }
        (searches[search].record.status, searches[search].record.isForwarded) = (UInt16(clamping: status), isForwarded)
        searches[search].record.isOfRedirectServer = isForwarded && contexts[handle].machine.isAsking
    }

    /// The search is over: its record is handed on.
    mutating func endSearch(of handle: ContextRecord.Handle, _ now: Instant, _ actions: inout SignallingActions) {
        guard let place = contexts[handle].search else { return }
        contexts[handle].search = nil
        contexts[handle].recordID = searches[place].record.id
        searches[place].record.endedAt = searches[place].record.milliseconds(at: now)
        if searches[place].record.result == .searching {
            let (status, isForwarded) = (searches[place].record.status, searches[place].record.isForwarded)
            switch status {
            case 200..<300: searches[place].record.result = .answered
            case _ where contexts[handle].machine.isCancelled: searches[place].record.result = .cancelled
            case _ where isForwarded: searches[place].record.result = .refused
            default: searches[place].record.result = .failed
            }
        }
        actions.calls.searches.append(searches[place])
        searches.giveBack(place)
    }

    /// An answered call is over.
    func noteEnding(of call: LiveCall, isByRequest: Bool, _ now: Instant, _ actions: inout SignallingActions) {
        guard call.record != 0 else { return }
        actions.calls.endings.append(CallRecord.Ending(call: call.record, at: now, isByRequest: isByRequest))
    }
}
