import Addressing
import SIPMessage
import Time

/// A source user agent that makes one call by RFC 3261's rules, over a network that loses, repeats and reorders. Where
/// it is redirected it follows the Contacts, one after another.
struct SimulatedCaller {
    enum Wake {
        case start
        case resendInvite(attempt: Int, after: Duration)
        case giveUp(attempt: Int)
        case progressLimit
        case cancel(attempt: Int)
        case resendCancel(attempt: Int, after: Duration)
        case dialog(Int, Dialog.Wake)
    }

    /// How the call ended for its caller.
    enum End: Equatable {
        case answered
        case refused(status: Int)
        case gaveUp
    }

    /// One INVITE: to the proxy or the redirect server first, then to what the redirect server named.
    private struct Attempt {
        let destination: TransportAddress
        let uri: [UInt8]
        let branch: [UInt8]
        let invite: [UInt8]
        var hasProvisional = false
        var isAbandoned = false
        var isCancelled = false
        var isCancelAnswered = false
        var finalStatus = 0
        var finalFingerprint: UInt64 = 0
        var epoch = 0
    }

    let number: Int
    let address: TransportAddress
    let isRedirected: Bool
    private let server: TransportAddress
    private let to: [UInt8]
    private let from: [UInt8]
    private let dialled: String
    /// Hangs up while it rings.
    private let isImpatient: Bool

    private(set) var end: End?
    private(set) var violations: [Violation] = []
    private var isCancelling = false
    private var attempts: [Attempt] = []
    private var contacts: [(uri: [UInt8], address: TransportAddress)] = []
    private var dialogs: [Dialog] = []
    /// Whether a 2xx came for each of them.
    private var confirmed: [Bool] = []
    private var dialogEffects = EndpointEffects<Dialog.Wake>()

    init(
        number: Int, address: TransportAddress, server: TransportAddress, isRedirected: Bool, dialled: String,
        isImpatient: Bool
    ) {
        (self.number, self.address, self.server, self.isRedirected) = (number, address, server, isRedirected)
        (self.dialled, self.isImpatient) = (dialled, isImpatient)
        to = Array("<sip:\(dialled)@\(server.hostPort)>".utf8)
        from = Array("<sip:c@\(address.hostPort)>;tag=c\(number)".utf8)
    }

    // MARK: time

    mutating func wake(_ wake: Wake, _ generator: inout SeededGenerator, _ effects: inout EndpointEffects<Wake>) {
        switch wake {
        case .start: attempt(Array("sip:\(dialled)@\(server.hostPort)".utf8), server, &effects)
        case .resendInvite(let attempt, let after):
            let state = attempts[attempt]
            guard state.finalStatus == 0, !state.hasProvisional, !state.isAbandoned, after < .seconds(16) else {
                return
            }
            effects.send(state.invite, to: state.destination)
            effects.wake(.resendInvite(attempt: attempt, after: after * 2), after: after * 2)
        case .giveUp(let attempt):
            guard !attempts[attempt].hasProvisional, attempts[attempt].finalStatus == 0 else { return }
            attempts[attempt].isAbandoned = true
            followOn(refusedWith: 408, &effects)
        case .progressLimit: if end == nil { end = .gaveUp }
        case .cancel(let attempt):
            guard end == nil, attempts[attempt].finalStatus == 0 else { return }
            isCancelling = true
            cancel(attempt, &effects)
        case .resendCancel(let attempt, let after):
            guard !attempts[attempt].isCancelAnswered, after < .seconds(16) else { return }
            effects.send(request(.cancel, attempt).bytes, to: attempts[attempt].destination)
            effects.wake(.resendCancel(attempt: attempt, after: after * 2), after: after * 2)
        case .dialog(let dialog, let wake):
            dialogs[dialog].wake(wake, &dialogEffects)
            passOn(dialog, &effects)
        }
    }

    private mutating func attempt(
        _ uri: [UInt8], _ destination: TransportAddress, _ effects: inout EndpointEffects<Wake>
    ) {
        let attempt = attempts.count
        let branch = SimulatedRequest.branch("i", number, attempt)
        let invite = SimulatedRequest(
            method: .invite, uri: uri, sender: address, branch: branch, from: from, to: to, call: number,
            cSeq: UInt32(truncatingIfNeeded: attempt + 1), hasBody: true)
        attempts.append(Attempt(destination: destination, uri: uri, branch: branch, invite: invite.bytes))
        effects.send(attempts[attempt].invite, to: destination)
        let first = Duration.milliseconds(500)
        effects.wake(.resendInvite(attempt: attempt, after: first), after: first)
        effects.wake(.giveUp(attempt: attempt), after: attempt == 0 ? .seconds(32) : .seconds(4))
    }

    /// The attempt has failed: the next Contact, or the end.
    private mutating func followOn(refusedWith status: Int, _ effects: inout EndpointEffects<Wake>) {
        guard end == nil else { return }
        let isOver = isCancelling || attempts.count > contacts.count
        if !isOver {
            let contact = contacts[attempts.count - 1]
            attempt(contact.uri, contact.address, &effects)
        } else if status == 408, attempts.count == 1, attempts[0].finalStatus == 0 {
            end = .gaveUp
        } else {
            end = .refused(status: status)
        }
    }

    private mutating func cancel(_ attempt: Int, _ effects: inout EndpointEffects<Wake>) {
        guard !attempts[attempt].isCancelled else { return }
        attempts[attempt].isCancelled = true
        effects.send(request(.cancel, attempt).bytes, to: attempts[attempt].destination)
        let first = Duration.milliseconds(500)
        effects.wake(.resendCancel(attempt: attempt, after: first), after: first)
    }

    /// A CANCEL, or the ACK of a refusal.
    private func request(_ method: Method, _ attempt: Int, to: [UInt8]? = nil) -> SimulatedRequest {
        SimulatedRequest(
            method: method, uri: attempts[attempt].uri, sender: address, branch: attempts[attempt].branch, from: from,
            to: to ?? self.to, call: number, cSeq: UInt32(truncatingIfNeeded: attempt + 1))
    }

    private mutating func passOn(_ dialog: Int, _ effects: inout EndpointEffects<Wake>) {
        effects.datagrams += dialogEffects.datagrams
        for wake in dialogEffects.wakes { effects.wake(.dialog(dialog, wake.wake), after: wake.after) }
        dialogEffects.removeAll()
    }

    // MARK: what arrives

    mutating func receive(
        _ parcel: Parcel, from source: TransportAddress, _ now: Instant, _ generator: inout SeededGenerator,
        _ effects: inout EndpointEffects<Wake>
    ) {
        let message = parcel.message
        guard parcel.isReadable else {
            violations.append(Violation(.readable, call: number, now, "the caller got what is no message"))
            return
        }
        if message.isRequest {
            receiveRequest(parcel, source, &generator, &effects)
            return
        }
        guard parcel.viaCount == 1, parcel.call == number else {
            let text = "the caller got a response with \(parcel.viaCount) Vias, of call \(parcel.call)"
            violations.append(Violation(.rightUpstream, call: number, now, text))
            return
        }
        let attempt = attempt(of: parcel)
        if let attempt, message.cSeqMethod == .invite {
            receiveInviteResponse(parcel, attempt, now, &generator, &effects)
        } else if let attempt, message.cSeqMethod == .cancel {
            if message.status >= 200 { attempts[attempt].isCancelAnswered = true }
        } else if let dialog = dialog(of: message.toTag, parcel) {
            dialogs[dialog].receiveResponse(parcel, &dialogEffects)
            passOn(dialog, &effects)
        }
    }

    /// The attempt whose branch stands in the Via.
    private func attempt(of parcel: Parcel) -> Int? {
        guard let range = parcel.message.topVia.branch else { return nil }
        let branch = parcel.copy(of: range).dropFirst(7)
        return attempts.firstIndex { $0.branch.elementsEqual(branch) }
    }

    private func dialog(of tag: ByteRange?, _ parcel: Parcel) -> Int? {
        let tag = parcel.fingerprint(of: tag)
        return dialogs.firstIndex { $0.remoteTag == tag }
    }

    private mutating func receiveRequest(
        _ parcel: Parcel, _ source: TransportAddress, _ generator: inout SeededGenerator,
        _ effects: inout EndpointEffects<Wake>
    ) {
        if let dialog = dialog(of: parcel.message.fromTag, parcel) {
            dialogs[dialog].receiveRequest(parcel, from: source, &generator, &dialogEffects)
            passOn(dialog, &effects)
        } else if parcel.message.method != .ack {
            effects.send(parcel.response(481, tag: [], contact: address), to: source)
        }
    }

    private mutating func receiveInviteResponse(
        _ parcel: Parcel, _ attempt: Int, _ now: Instant, _ generator: inout SeededGenerator,
        _ effects: inout EndpointEffects<Wake>
    ) {
        switch parcel.message.status {
        case ..<200: receiveProvisional(parcel, attempt, &generator, &effects)
        case ..<300: receiveSuccess(parcel, attempt, &generator, &effects)
        default:
            effects.send(
                request(.ack, attempt, to: parcel.copy(of: parcel.message.to)).bytes, to: attempts[attempt].destination)
            let state = attempts[attempt]
            guard state.finalStatus == 0 else {
                let isSame = state.finalFingerprint == parcel.fingerprint || state.epoch != parcel.epoch
                guard !isSame, parcel.epoch > 0 else { return }
                let text = "the caller got \(parcel.title) after \(state.finalStatus)"
                violations.append(Violation(.oneFinal, call: number, now, text))
                return
            }
            attempts[attempt].finalStatus = parcel.message.status
            attempts[attempt].finalFingerprint = parcel.fingerprint
            attempts[attempt].epoch = parcel.epoch
            if attempt == 0, isRedirected, parcel.message.status < 400 { readContacts(parcel) }
            if attempt == attempts.count - 1 { refused(parcel.message.status, attempt, &effects) }
        }
    }

    private mutating func refused(_ status: Int, _ attempt: Int, _ effects: inout EndpointEffects<Wake>) {
        let isFinal = isRedirected && attempt > 0 && (400..<500).contains(status) || status >= 600
        if isFinal, end == nil {
            end = .refused(status: status)
        } else {
            followOn(refusedWith: status, &effects)
        }
    }

    private mutating func readContacts(_ parcel: Parcel) {
        for value in parcel.values(of: .contact) {
            guard let uri = parcel.uri(in: value), let address = parcel.address(of: uri) else { continue }
            contacts.append((parcel.copy(of: uri), address))
        }
    }

    private mutating func receiveProvisional(
        _ parcel: Parcel, _ attempt: Int, _ generator: inout SeededGenerator, _ effects: inout EndpointEffects<Wake>
    ) {
        if attempts[attempt].isAbandoned { cancel(attempt, &effects) }
        if !attempts[attempt].hasProvisional {
            attempts[attempt].hasProvisional = true
            effects.wake(.progressLimit, after: .seconds(600))
            if isImpatient { effects.wake(.cancel(attempt: attempt), after: generator.milliseconds(1, 9000)) }
        }
        guard parcel.message.status > 100, parcel.message.toTag != nil, parcel.message.first(.require) != nil,
            let dialog = dialog(of: parcel.message.toTag, parcel) ?? makeDialog(parcel)
        else { return }
        dialogs[dialog].sendPrack(&dialogEffects)
        passOn(dialog, &effects)
    }

    private mutating func makeDialog(_ parcel: Parcel) -> Int? {
        guard
            let dialog = Dialog(
                answeredBy: parcel, call: number, number: dialogs.count, address: address,
                cSeq: parcel.message.cSeqNumber)
        else { return nil }
        dialogs.append(dialog)
        confirmed.append(false)
        return dialogs.count - 1
    }

    private mutating func receiveSuccess(
        _ parcel: Parcel, _ attempt: Int, _ generator: inout SeededGenerator, _ effects: inout EndpointEffects<Wake>
    ) {
        guard let dialog = dialog(of: parcel.message.toTag, parcel) ?? makeDialog(parcel) else { return }
        if attempts[attempt].finalStatus == 0 { attempts[attempt].finalStatus = 200 }
        if !confirmed[dialog] {
            confirmed[dialog] = true
            // Whoever answered second, or after the caller had turned away, is hung up at once (§13.2.2.4).
            let isWanted = end == nil && !isCancelling
            if end == nil { end = .answered }
            if isWanted {
                talk(dialog, &generator, &effects)
            } else {
                effects.wake(.dialog(dialog, .send(.bye)), after: .milliseconds(10))
            }
        }
        dialogs[dialog].acknowledge(parcel.message.cSeqNumber, &dialogEffects)
        passOn(dialog, &effects)
    }

    /// What the caller asks within the dialog.
    private func talk(
        _ dialog: Int, _ generator: inout SeededGenerator, _ effects: inout EndpointEffects<Wake>
    ) {
        switch generator.below(100) {
        case ..<10: effects.wake(.dialog(dialog, .send(.invite)), after: generator.milliseconds(200, 8000))
        case ..<18: effects.wake(.dialog(dialog, .send(.update)), after: generator.milliseconds(200, 8000))
        case ..<26: effects.wake(.dialog(dialog, .send(.info)), after: generator.milliseconds(200, 8000))
        default: break
        }
        effects.wake(.dialog(dialog, .send(.bye)), after: generator.milliseconds(500, 30_000))
    }
}
