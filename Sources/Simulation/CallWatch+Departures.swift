import Addressing
import SIPMessage
import Time

// What goes out, and whether it may.
extension CallWatch {
    /// A datagram leaves, for a caller or a gateway or for whoever sent noise.
    mutating func left(_ parcel: Parcel, to destination: TransportAddress, isPeer: Bool) {
        if isPeer {
            check(.readable, parcel.isReadable, parcel.call, "what leaves for \(destination) can't be read")
        }
        guard parcel.isReadable, parcel.call >= 0 else { return }
        if case .nothing = step.cause {
            check(.nothingOutOfNothing, false, parcel.call, "\(parcel.title) leaves for \(destination)")
        }
        guard parcel.message.isRequest else {
            responseLeft(parcel, destination)
            return
        }
        switch parcel.message.method {
        case .ack: acknowledgementLeft(parcel, destination)
        case .cancel: cancelLeft(parcel, destination)
        default: requestLeft(parcel, destination)
        }
    }

    // MARK: requests

    private mutating func requestLeft(_ parcel: Parcel, _ destination: TransportAddress) {
        if let known = branchesByBranch[parcel.branch] {
            copyLeft(parcel, known)
            return
        }
        let method = parcel.message.method
        guard let index = requestsByKey[Self.key(parcel.upstreamBranch, method)] else {
            check(.nothingOutOfNothing, false, parcel.call, "\(parcel.title) leaves, but none has come")
            return
        }
        let request = requests[index]
        check(.redirectForwardsNothing, !request.isRedirect, parcel.call, "\(parcel.title) to \(destination)")
        var earlier = request.lastBranch
        while earlier >= 0 {
            let isSame = branches[earlier].destination == destination || request.isWithinDialog
            check(.forwardedOnce, !isSame, parcel.call, "\(parcel.title) to \(destination) by two branches")
            earlier = branches[earlier].previous
        }
        check(
            .serialSearch, request.cancelledAt == nil && request.finalStatus == 0 && !request.isDecided, parcel.call,
            "\(destination) is tried after the end")
        check(
            .givesUp, request.giveUpAt.map { now < $0 } ?? true, parcel.call,
            "\(destination) is tried behind the bound of the search")
        if request.lastBranch >= 0 {
            let last = branches[request.lastBranch]
            check(
                .serialSearch, hasFailed(last), parcel.call, "\(destination) is tried beside \(last.destination)")
        }
        branches.append(
            Forwarded(
                request: index, previous: request.lastBranch, branch: parcel.branch, destination: destination,
                fingerprint: parcel.fingerprint, firstAt: now, lastAt: now))
        branchesByBranch[parcel.branch] = branches.count - 1
        openedTo[Way(worker: parcel.worker, destination: destination), default: []].append(branches.count - 1)
        requests[index].lastBranch = branches.count - 1
    }

    private func hasFailed(_ branch: Forwarded) -> Bool {
        if branch.finalStatus >= 300 || branch.hasFailed { return true }
        if servers.contains(branch.destination), requests[branch.request].isRouted { return true }
        // It may have been tried and found dead in one step.
        if branch.provisionalAt == nil, step.fallen.contains(branch.destination) { return true }
        let isAwaited = !branch.hasFallen && now - branch.firstAt < responseTimeout
        if branch.provisionalAt == nil, !isAwaited { return true }
        return isStalled(branch) || now - branch.firstAt >= Self.timerC
    }

    /// A 100 came, and then nothing in time.
    private func isStalled(_ branch: Forwarded) -> Bool {
        guard let progressTimeout, let provisionalAt = branch.provisionalAt else { return false }
        return !branch.hasProgress && now - provisionalAt >= progressTimeout
    }

    private mutating func copyLeft(_ parcel: Parcel, _ index: Int) {
        let branch = branches[index]
        let request = requests[branch.request]
        check(.resentInTime, branch.fingerprint == parcel.fingerprint, parcel.call, "\(parcel.title) is changed")
        let isInvite = request.method == .invite
        let wait = isInvite ? Self.t1 * (1 << min(branch.copies - 1, 6)) : Self.t1
        let limit = request.isWithinDialog ? 10 : resendLimit
        let waited = now - branch.lastAt
        check(
            .resentInTime, waited >= wait && branch.copies <= limit, parcel.call,
            "\(parcel.title) leaves for the \(branch.copies + 1)th time \(waited) after the last")
        let isAnswered = branch.finalStatus != 0 || (isInvite && branch.provisionalAt != nil)
        check(.resentInTime, !isAnswered, parcel.call, "\(parcel.title) is sent again after an answer")
        branches[index].copies += 1
        branches[index].lastAt = now
    }

    private mutating func acknowledgementLeft(_ parcel: Parcel, _ destination: TransportAddress) {
        step.acknowledgements += 1
        check(
            .acknowledgedOnce, step.acknowledgements == 1, parcel.call, "two ACKs leave for one message")
        if let index = branchesByBranch[parcel.branch] {
            check(
                .acknowledgedOnce, step.owesAcknowledgement == index || branches[index].finalStatus >= 300, parcel.call,
                "an ACK for what was not refused leaves for \(destination)")
            if step.owesAcknowledgement == index { step.owesAcknowledgement = -1 }
            return
        }
        var isForwarded = false
        if case .acknowledgement = step.cause { isForwarded = true }
        check(.acknowledgedOnce, isForwarded, parcel.call, "an ACK leaves for \(destination) and none has come")
        step.owesForwardedAcknowledgement = false
    }

    private mutating func cancelLeft(_ parcel: Parcel, _ destination: TransportAddress) {
        guard let index = branchesByBranch[parcel.branch] else {
            check(.cancelHasCause, false, parcel.call, "\(destination) is sent CANCEL and never got the INVITE")
            return
        }
        let branch = branches[index]
        if branch.cancelAt != nil {
            check(
                .resentInTime, branch.cancelFingerprint == parcel.fingerprint, parcel.call, "the CANCEL is changed")
            let waited = now - (branch.cancelLastAt ?? now)
            check(.resentInTime, waited >= Self.t1, parcel.call, "CANCEL leaves again after \(waited)")
        } else {
            let request = requests[branch.request]
            let isOld = now - branch.firstAt >= Self.timerC
            let hasCause =
                request.cancelledAt != nil || request.finalStatus != 0 || request.lastBranch != index || isOld
                || request.isDecided || isStalled(branch) || request.giveUpAt.map { now >= $0 } ?? false
            check(.cancelHasCause, hasCause, parcel.call, "CANCEL leaves for \(destination)")
            check(
                .cancelHasCause, branch.provisionalAt != nil && branch.finalStatus == 0, parcel.call,
                "CANCEL leaves for \(destination), which has not answered or not only for the time being")
            branches[index].cancelAt = now
            branches[index].cancelFingerprint = parcel.fingerprint
        }
        branches[index].cancelLastAt = now
    }

    // MARK: responses

    private mutating func responseLeft(_ parcel: Parcel, _ destination: TransportAddress) {
        let message = parcel.message
        if message.cSeqMethod == .cancel {
            cancelAnswerLeft(parcel, destination)
            return
        }
        guard let index = requestsByKey[Self.key(parcel.branch, message.cSeqMethod)] else {
            check(.rightUpstream, false, parcel.call, "\(parcel.title) leaves for \(destination): no such request")
            return
        }
        let request = requests[index]
        check(
            .rightUpstream, destination == request.source && parcel.call == request.call, parcel.call,
            "\(parcel.title) leaves for \(destination), and not for \(request.source)")
        if step.owesAnswer == index { step.owesAnswer = -1 }
        switch message.status {
        case ..<200:
            check(
                .noProvisionalAfterFinal, request.finalStatus == 0, parcel.call,
                "\(parcel.title) after \(request.finalStatus)")
        case ..<300 where request.method == .invite: successLeft(parcel, index)
        default: finalLeft(parcel, index)
        }
    }

    private mutating func cancelAnswerLeft(_ parcel: Parcel, _ destination: TransportAddress) {
        var isAsked = false
        if case .cancel(let branch, let source) = step.cause {
            isAsked = branch == parcel.branch && source == destination && step.owesCancelAnswer
        }
        check(.rightUpstream, isAsked, parcel.call, "\(parcel.title) leaves for \(destination) unasked")
        step.owesCancelAnswer = false
    }

    /// A 2xx to INVITE: each that came goes upstream, even behind another final response (§16.7 step 5).
    private mutating func successLeft(_ parcel: Parcel, _ index: Int) {
        requests[index].successesOut += 1
        let request = requests[index]
        check(
            .successIsReceived, request.successesOut <= request.successesIn, parcel.call,
            "\(parcel.title) for the \(request.successesOut)th time, and \(request.successesIn) have come")
        if step.owesSuccess == index { step.owesSuccess = -1 }
        guard request.finalStatus == 0 else { return }
        (requests[index].finalStatus, requests[index].finalAt) = (parcel.message.status, now)
        requests[index].finalFingerprint = parcel.fingerprint
    }

    private mutating func finalLeft(_ parcel: Parcel, _ index: Int) {
        if step.owesFinal == index { step.owesFinal = -1 }
        let request = requests[index]
        guard request.finalStatus != 0 else {
            (requests[index].finalStatus, requests[index].finalAt) = (parcel.message.status, now)
            requests[index].finalFingerprint = parcel.fingerprint
            return
        }
        check(
            .oneFinal, request.finalFingerprint == parcel.fingerprint, parcel.call,
            "\(parcel.title) after \(request.finalStatus)")
        check(
            .silentAfterAcknowledgement, request.acknowledgedAt == nil, parcel.call,
            "\(parcel.title) after its ACK")
        let isLate = now - (request.finalAt ?? now) > Self.transaction
        check(.lastTimer, !isLate, parcel.call, "\(parcel.title) is still sent after 64 T1")
        if step.owesCopy == index {
            step.owesCopy = -1
        } else if request.method != .invite {
            check(.nothingOutOfNothing, false, parcel.call, "\(parcel.title) is sent again unasked")
        }
    }
}
