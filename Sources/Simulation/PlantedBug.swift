import Addressing
import SIPTransaction
import SignallingCore

/// A bug put in between the core and its world, to show that the invariants find it.
package enum PlantedBug: String, Sendable, CaseIterable {
    /// Timer L never fires: what was answered 2xx is never forgotten.
    case forgottenTimerL = "forgotten-timer-l"
    /// Timer C never fires: what rings without end is never given up.
    case forgottenTimerC = "forgotten-timer-c"
    /// Some INVITEs leave twice, the second time by another branch.
    case doubleForward = "double-forward"
    /// No CANCEL reaches a gateway.
    case lostCancel = "lost-cancel"
    /// Some refusals of an INVITE are followed by another one.
    case doubleFinal = "double-final"
    /// Some responses lose the caller's Via.
    case wrongVia = "wrong-via"
    /// Some responses go to the neighbour of the one who asked.
    case wrongUpstream = "wrong-upstream"
    /// No refusal of a gateway is acknowledged.
    case lostAcknowledgement = "lost-acknowledgement"

    // In the world of the method:
    /// Some status records are never written.
    case lostRecord = "lost-record"
    /// Some status records are written twice.
    case doubledRecord = "doubled-record"
    /// Some calls are counted once more when they end.
    case counterLeak = "counter-leak"
    /// A search ends with its first gateway.
    case shortSearch = "short-search"
    /// The network manager sleeps five seconds of ten.
    case lateSweep = "late-sweep"
    /// The monotonic clock is set with the wall clock.
    case oneClock = "one-clock"
    /// One gateway can't be reached any more though it is well.
    case neverPutBack = "never-put-back"
    /// A process that begins anew takes all gateways for in-service.
    case forgottenStatus = "forgotten-status"
    /// A process that begins anew writes the last records once more.
    case repeatedRecord = "repeated-record"
    /// A good probe ends the operator's word.
    case overruledWord = "overruled-word"
    /// Calls follow routing data in which no gateway is locked.
    case ignoredLock = "ignored-lock"
    /// Searches know no bound of time.
    case endlessSearch = "endless-search"

    /// True for one that only the world of the method shows.
    package var isOfMethod: Bool {
        switch self {
        case .lostRecord, .doubledRecord, .counterLeak, .shortSearch, .lateSweep, .oneClock, .neverPutBack,
            .forgottenStatus, .repeatedRecord, .overruledWord, .ignoredLock, .endlessSearch:
            true
        case .forgottenTimerL, .forgottenTimerC, .doubleForward, .lostCancel, .doubleFinal, .wrongVia, .wrongUpstream,
            .lostAcknowledgement:
            false
        }
    }

    /// True for a timer that the bug swallows.
    func swallows(_ token: TimerToken) -> Bool {
        switch self {
        case .forgottenTimerL: token.letter == .l
        case .forgottenTimerC: token.isTimerC
        case .doubleForward, .lostCancel, .doubleFinal, .wrongVia, .wrongUpstream, .lostAcknowledgement, .lostRecord,
            .doubledRecord, .counterLeak, .shortSearch, .lateSweep, .oneClock, .neverPutBack, .forgottenStatus,
            .repeatedRecord, .overruledWord, .ignoredLock, .endlessSearch:
            false
        }
    }
}

/// Does to what leaves the workers what a planted bug would.
struct Saboteur {
    let bug: PlantedBug
    /// How many datagrams it could have spoilt so far; every fifth it does.
    private var chances = 0

    init(_ bug: PlantedBug) { self.bug = bug }

    /// What leaves instead of the datagram.
    mutating func spoil(_ datagram: VirtualWorker.Outgoing) -> [VirtualWorker.Outgoing] {
        switch bug {
        case .forgottenTimerL, .forgottenTimerC, .lostRecord, .doubledRecord, .counterLeak, .shortSearch, .lateSweep,
            .oneClock, .neverPutBack, .forgottenStatus, .repeatedRecord, .overruledWord, .ignoredLock, .endlessSearch:
            return [datagram]
        case .lostCancel: return begins(datagram, "CANCEL ") ? [] : [datagram]
        case .lostAcknowledgement: return begins(datagram, "ACK ") && !holds(datagram, "Route: ") ? [] : [datagram]
        case .doubleForward:
            guard begins(datagram, "INVITE "), isChosen(), let other = withOtherBranch(datagram) else {
                return [datagram]
            }
            return [datagram, other]
        case .doubleFinal:
            let isRefusal = begins(datagram, "SIP/2.0 4") || begins(datagram, "SIP/2.0 5")
            guard isRefusal, holds(datagram, " INVITE\r\n"), isChosen() else { return [datagram] }
            var bytes = datagram.bytes
            bytes.replaceSubrange(8..<11, with: Array("603".utf8))
            return [datagram, copy(datagram, bytes)]
        case .wrongVia:
            guard begins(datagram, "SIP/2.0 "), isChosen(), let via = position(of: "Via: ", in: datagram.bytes)
            else { return [datagram] }
            var bytes = datagram.bytes
            let end = bytes[via...].firstIndex(of: UInt8(ascii: "\n")) ?? via
            bytes.removeSubrange(via...end)
            return [copy(datagram, bytes)]
        case .wrongUpstream:
            guard begins(datagram, "SIP/2.0 "), isChosen() else { return [datagram] }
            let address = IPAddress(ipv4: UInt32(truncatingIfNeeded: datagram.destination.address.low ^ 1))
            let neighbour = TransportAddress(.udp, address, port: datagram.destination.port)
            return [
                VirtualWorker.Outgoing(bytes: datagram.bytes, destination: neighbour, listener: datagram.listener)
            ]
        }
    }

    private mutating func isChosen() -> Bool {
        chances += 1
        return chances % 5 == 0
    }

    private func begins(_ datagram: VirtualWorker.Outgoing, _ text: String) -> Bool {
        datagram.bytes.starts(with: text.utf8)
    }

    private func holds(_ datagram: VirtualWorker.Outgoing, _ text: String) -> Bool {
        position(of: text, in: datagram.bytes) != nil
    }

    private func position(of text: String, in bytes: [UInt8]) -> Int? {
        let wanted = Array(text.utf8)
        guard bytes.count >= wanted.count else { return nil }
        return (0...bytes.count - wanted.count).first { bytes[$0...].starts(with: wanted) }
    }

    /// The last digit of the branch is another one.
    private func withOtherBranch(_ datagram: VirtualWorker.Outgoing) -> VirtualWorker.Outgoing? {
        guard let start = position(of: "branch=", in: datagram.bytes) else { return nil }
        var bytes = datagram.bytes
        guard let end = bytes[start...].firstIndex(of: UInt8(ascii: "\r")), end > start else { return nil }
        bytes[end - 1] = bytes[end - 1] == UInt8(ascii: "0") ? UInt8(ascii: "1") : UInt8(ascii: "0")
        return copy(datagram, bytes)
    }

    private func copy(_ datagram: VirtualWorker.Outgoing, _ bytes: [UInt8]) -> VirtualWorker.Outgoing {
        VirtualWorker.Outgoing(bytes: bytes, destination: datagram.destination, listener: datagram.listener)
    }
}
