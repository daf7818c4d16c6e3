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
    mutating func beginRecord(
        _ request: Message, _ datagram: Span<UInt8>, _ arrival: Arrival
    ) -> Slab<CallRecord>.Handle? {
        guard request.method == .invite, request.toTag == nil else { return nil }
        return records.take(newRecord(request, datagram, arrival))
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
        actions.records.append(record)
    }

    /// Notes that an attempt begins.
    mutating func recordAttempt(_ handle: ClientRecord.Handle, of context: ContextRecord.Handle, _ now: Instant) {
        guard let record = contexts[context].record, let gateway = clients[handle].claim.gateway else { return }
        let branch = Branch(worker: settings.worker, slot: handle.slot, generation: handle.generation)
        let attempt = CallRecord.Attempt(
            gateway: gateway, sentAt: records[record].milliseconds(at: now),
            branch: (branch.worker, branch.slot, branch.generation, branch.check(settings.workerSecret)))
        clients[handle].attemptNumber = records[record].begin(attempt)
    }

    /// Changes what is recorded of an attempt, where it is.
    mutating func changeRecord(
        of handle: ClientRecord.Handle, _ now: Instant, _ change: (inout CallRecord.Attempt, UInt32) -> Void
    ) {
        guard let number = clients[handle].attemptNumber, case .attempt(let context, _) = clients[handle].purpose,
            contexts.contains(context), let record = contexts[context].record
        else { return }
        let milliseconds = records[record].milliseconds(at: now)
        records[record].change(number) { change(&$0, milliseconds) }
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
        guard let context = servers[server].context, contexts.contains(context), let record = contexts[context].record
        else { return }
        records[record].noteCopy(at: now)
    }

    /// Notes what the caller is sent.
    mutating func noteAnswer(_ handle: ContextRecord.Handle, _ status: Int, isForwarded: Bool) {
        guard status >= 200 else { return }
        if contexts[handle].answer == 0 { contexts[handle].answer = status }
        guard let record = contexts[handle].record else { return }
        (records[record].status, records[record].isForwarded) = (UInt16(clamping: status), isForwarded)
        records[record].isOfRedirectServer = isForwarded && contexts[handle].machine.isAsking
    }

    /// The search is over: its record is handed on.
    mutating func endRecord(of handle: ContextRecord.Handle, _ now: Instant, _ actions: inout SignallingActions) {
        guard let place = contexts[handle].record else { return }
        contexts[handle].record = nil
        contexts[handle].recordID = records[place].id
        records[place].endedAt = records[place].milliseconds(at: now)
        if records[place].result == .searching {
            let (status, isForwarded) = (records[place].status, records[place].isForwarded)
            switch status {
            case 200..<300: records[place].result = .answered
            case _ where contexts[handle].machine.isCancelled: records[place].result = .cancelled
            case _ where isForwarded: records[place].result = .refused
            default: records[place].result = .failed
            }
        }
        actions.records.append(records[place])
        records.giveBack(place)
    }

    /// An answered call is over.
    func noteEnding(of call: LiveCall, isByRequest: Bool, _ now: Instant, _ actions: inout SignallingActions) {
        guard call.record != 0 else { return }
        actions.endings.append(CallRecord.Ending(call: call.record, at: now, isByRequest: isByRequest))
    }
}
