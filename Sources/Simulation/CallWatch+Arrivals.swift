import Addressing
import SIPMessage
import Time

// What comes in, and what it obliges the process to.
extension CallWatch {
    /// A datagram comes in at one of the listeners.
    mutating func arrived(_ parcel: Parcel, from source: TransportAddress, isRedirect: Bool, _ now: Instant) {
        guard parcel.isReadable, parcel.call >= 0 else {
            begin(.unwatched, now)
            return
        }
        begin(.nothing, now)
        step.call = parcel.call
        guard parcel.message.isRequest else {
            responseArrived(parcel)
            return
        }
        switch parcel.message.method {
        case .ack: acknowledgementArrived(parcel, isRedirect)
        case .cancel: cancelArrived(parcel, source)
        default: requestArrived(parcel, source, isRedirect)
        }
    }

    private mutating func requestArrived(_ parcel: Parcel, _ source: TransportAddress, _ isRedirect: Bool) {
        let message = parcel.message
        let key = Self.key(parcel.branch, message.method)
        if let known = requestsByKey[key], isRemembered(requests[known]) {
            step.cause = .request(known)
            let request = requests[known]
            let isRepeated = request.finalStatus >= 300 || (request.finalStatus >= 200 && request.method != .invite)
            if isRepeated, request.acknowledgedAt == nil { step.owesCopy = known }
            return
        }
        if message.toTag != nil { withinDialogCount += 1 }
        var request = Request(
            call: parcel.call, method: message.method, isRedirect: isRedirect, isWithinDialog: message.toTag != nil,
            source: source, firstAt: now)
        if message.method == .invite, !isRedirect, message.toTag == nil, !searchBounds.isEmpty {
            request.giveUpAt = searchBounds[parcel.call % searchBounds.count].map { now + $0 }
        }
        requests.append(request)
        requestsByKey[key] = requests.count - 1
        step.cause = .request(requests.count - 1)
        if message.method == .invite { step.owesAnswer = requests.count - 1 }
    }

    /// False when the server transaction may be over, so that a copy would be a new request.
    private func isRemembered(_ request: Request) -> Bool {
        if let acknowledged = request.acknowledgedAt, now - acknowledged >= Self.t4 { return false }
        guard let end = request.finalAt else { return true }
        return now - end < Self.transaction
    }

    private mutating func acknowledgementArrived(_ parcel: Parcel, _ isRedirect: Bool) {
        if let request = requestsByKey[Self.key(parcel.branch, .invite)] {
            if requests[request].acknowledgedAt == nil, requests[request].finalStatus >= 300 {
                requests[request].acknowledgedAt = now
            }
            return
        }
        guard !isRedirect, parcel.message.first(.route) != nil else { return }
        step.cause = .acknowledgement
        step.owesForwardedAcknowledgement = true
    }

    private mutating func cancelArrived(_ parcel: Parcel, _ source: TransportAddress) {
        cancelCount += 1
        step.cause = .cancel(branch: parcel.branch, source: source)
        step.owesCancelAnswer = true
        guard let index = requestsByKey[Self.key(parcel.branch, .invite)], requests[index].finalStatus == 0,
            !requests[index].isRedirect
        else { return }
        if requests[index].cancelledAt == nil { requests[index].cancelledAt = now }
        var branch = requests[index].lastBranch
        while branch >= 0 {
            let forwarded = branches[branch]
            if forwarded.provisionalAt != nil, forwarded.finalStatus == 0, forwarded.cancelAt == nil {
                step.owesCancel.append(branch)
            }
            branch = forwarded.previous
        }
    }

    // MARK: responses

    private mutating func responseArrived(_ parcel: Parcel) {
        guard let index = branchesByBranch[parcel.branch] else { return }
        let status = parcel.message.status
        step.cause = .response(index, status: status)
        guard parcel.message.cSeqMethod != .cancel else { return }
        if requests[branches[index].request].method == .invite {
            inviteResponseArrived(status, index)
        } else if status >= 200, branches[index].finalStatus == 0 {
            guard isAlive(branches[index]) else { return }
            (branches[index].finalStatus, branches[index].finalAt) = (status, now)
            let request = branches[index].request
            // RFC 4320 section 4.2: a 408 is not passed on.
            if requests[request].finalStatus == 0, status != 408 { step.owesFinal = request }
        }
    }

    /// True while the client transaction is certain to be there.
    private func isAlive(_ branch: Forwarded) -> Bool {
        if branch.hasFailed { return false }
        if let end = branch.finalAt { return now - end < Self.transaction }
        let isInvite = requests[branch.request].method == .invite
        if isInvite, branch.provisionalAt != nil {
            guard let cancel = branch.cancelAt else { return true }
            return now - cancel < Self.transaction
        }
        return now - branch.firstAt < Self.transaction
    }

    private mutating func inviteResponseArrived(_ status: Int, _ index: Int) {
        let branch = branches[index]
        let isAlive = isAlive(branch)
        let request = branch.request
        switch status {
        case ..<200:
            guard isAlive, branch.finalStatus == 0 else { return }
            if status > 100 { branches[index].hasProgress = true }
            if (180..<190).contains(status) { branches[index].hasRung = true }
            guard branch.provisionalAt == nil else { return }
            branches[index].provisionalAt = now
            let isGivenUp =
                requests[request].cancelledAt != nil || requests[request].finalStatus != 0
                || requests[request].lastBranch != index
            if isGivenUp, branch.cancelAt == nil { step.owesCancel.append(index) }
        case ..<300:
            requests[request].successesIn += 1
            guard isAlive, branch.finalStatus < 300 else { return }
            if branch.finalStatus == 0 { (branches[index].finalStatus, branches[index].finalAt) = (status, now) }
            requests[request].isDecided = true
            step.owesSuccess = request
        default:
            guard isAlive, branch.finalStatus == 0 || branch.finalStatus >= 300 else { return }
            if branch.finalStatus == 0 { (branches[index].finalStatus, branches[index].finalAt) = (status, now) }
            if (300...302).contains(status), servers.contains(branch.destination) { requests[request].isRouted = true }
            if status >= 600 { requests[request].isDecided = true }
            step.owesAcknowledgement = index
        }
    }
}
