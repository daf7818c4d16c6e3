import Addressing
import Routing
import SIPTransaction
import Time

/// A dialog that a call made through us, as long as it is alive: what holds a place at its gateway.
struct LiveCall: BitwiseCopyable {
    /// Names the dialog in either direction.
    let dialog: UInt64
    let gateway: GatewaySlot
    /// Whose call it is; nil where it is counted already, or has no ingress peer.
    let peer: PeerSlot?
    /// Whom the call went to, and where its caller is answered: our neighbours on either side.
    let callee: TransportAddress
    let caller: TransportAddress
    /// The call's record; 0: it has none.
    let record: UInt64
    /// How long it is counted without a sign of life.
    var leaseSeconds: UInt32
    /// Until when it is counted.
    var until: Instant
}

/// The live calls of one worker, found by their dialogs. Its memory is used again; nothing of it is copied when it
/// grows.
struct LiveCalls: ~Copyable {
    private var calls = Slab<LiveCall>()
    private var index = ServerTransactionTable(expectedCount: expectedCount)
    private var swept = 0

    private static let expectedCount = 1 << 12

    init() {}

    /// How many there are.
    var count: Int { calls.liveCount }

    /// Puts a call in. False when its dialog is there already.
    mutating func begin(_ call: LiveCall) -> Bool {
        guard handle(of: call.dialog) == nil else { return false }
        index.insert(calls.take(call).slot, of: ServerTransactionKey(hash: call.dialog))
        return true
    }

    /// Takes a call out; nil when it is not there.
    mutating func end(_ dialog: UInt64) -> LiveCall? {
        guard let handle = handle(of: dialog) else { return nil }
        return takeOut(handle)
    }

    /// The call of a dialog; nil when it is not there.
    func call(of dialog: UInt64) -> LiveCall? { handle(of: dialog).map { calls[$0] } }

    /// A sign of life. False when the call is not there.
    mutating func renew(_ dialog: UInt64, leaseSeconds: UInt32?, _ now: Instant) -> Bool {
        guard let handle = handle(of: dialog) else { return false }
        let lease = max(calls[handle].leaseSeconds, leaseSeconds ?? 0)
        calls[handle].leaseSeconds = lease
        calls[handle].until = now + .seconds(Int64(lease))
        return true
    }

    /// How many places are looked at in one step of a second: the whole is seen once in about a minute.
    var sweepStepCount: Int { min(max(64, calls.placeCount / 60), calls.placeCount) }

    /// Looks at the next place and takes out what has had no sign of life.
    mutating func takeExpired(_ now: Instant) -> LiveCall? {
        let handle = calls.tenant(at: swept)
        swept = swept + 1 < calls.placeCount ? swept + 1 : 0
        guard let handle, calls[handle].until <= now else { return nil }
        return takeOut(handle)
    }

    func forEach(_ body: (LiveCall) -> Void) {
        for place in 0..<calls.placeCount {
            if let handle = calls.tenant(at: place) { body(calls[handle]) }
        }
    }

    private func handle(of dialog: UInt64) -> Slab<LiveCall>.Handle? {
        index.slot(of: ServerTransactionKey(hash: dialog)) { calls[calls.handle(at: $0)].dialog == dialog }
            .map { calls.handle(at: $0) }
    }

    private mutating func takeOut(_ handle: Slab<LiveCall>.Handle) -> LiveCall {
        let call = calls[handle]
        index.remove(handle.slot, of: ServerTransactionKey(hash: call.dialog))
        calls.giveBack(handle)
        return call
    }
}

/// The dialogs that the answers to one INVITE have made, so that a copy of a 2xx makes none again when its dialog is
/// over: 16 bits of each of the last four. More callees hardly ever answer one call.
struct AnsweredDialogs: BitwiseCopyable {
    private var marks: UInt64 = 0  // 0: none

    /// Puts a dialog in. False when it is there already.
    mutating func insert(_ dialog: UInt64) -> Bool {
        let mark = max(1, dialog >> 48)
        for lane: UInt64 in 0..<4 where marks >> (16 * lane) & 0xFFFF == mark { return false }
        marks = marks << 16 | mark
        return true
    }
}
