package import Addressing
package import Routing
package import SIPMessage
package import Time

/// What the owner of a `SignallingCore` must do after it was given something: the core writes, the owner carries out
/// and clears. All arrays keep their memory.
package struct SignallingActions: ~Copyable, Sendable {
    /// One datagram to send: bytes of `bytes`, through the socket of a listener.
    package struct OutgoingDatagram: Sendable, BitwiseCopyable {
        /// Where its bytes begin in `SignallingActions.bytes`.
        package let start: Int
        /// How many bytes.
        package let count: Int
        /// Where it goes.
        package let destination: TransportAddress
        /// Whose socket it leaves through.
        package let listener: ListenerNumber
        /// True for a request within a dialog: where that goes is the word of whoever is in the dialog.
        package let isWithinDialog: Bool
    }

    /// One timer to start: give `token` back through `SignallingCore.fire` at this time. None is ever cancelled; the
    /// core knows a stale one.
    package struct ArmedTimer: Sendable, BitwiseCopyable {
        /// When.
        package let at: Instant
        /// What to give back.
        package let token: TimerToken
    }

    /// The bytes of all datagrams, one behind the other.
    package var bytes = OutputBuffer(capacity: 65_536)
    /// In the order in which they are to leave.
    package var datagrams: [OutgoingDatagram] = []
    /// In no order.
    package var timers: [ArmedTimer] = []
    /// Status changes for the network manager; each is in the table already.
    package var transitions: [StatusTransition] = []
    /// What attempts showed of gateways that are provisioned elsewhere.
    package var sightings: [GatewaySighting] = []
    /// What came of probes that were asked for by `SignallingCore.probeNow`.
    package var probeAnswers: [ProbeAnswer] = []
    /// Calls that have got their answer, and answered ones that are over.
    package var calls = CallNews()
    /// What became of live calls that other workers have: pass it on to them.
    package var notices: [CallNotice] = []
    /// The worker that owns the transaction of the datagram just received: pass that datagram on to it.
    package var handOver: UInt8?

    /// No actions.
    package init() {}

    /// Adds a datagram, which `write` appends to the buffer.
    @inline(__always)
    mutating func send(
        to destination: TransportAddress, through listener: ListenerNumber, isWithinDialog: Bool = false,
        _ write: (inout OutputBuffer) -> Void
    ) {
        let start = bytes.count
        write(&bytes)
        datagrams.append(
            OutgoingDatagram(
                start: start, count: bytes.count - start, destination: destination, listener: listener,
                isWithinDialog: isWithinDialog))
    }

    /// Adds a datagram that is written already.
    mutating func send(_ datagram: Span<UInt8>, to destination: TransportAddress, through listener: ListenerNumber) {
        send(to: destination, through: listener) { $0.append(datagram) }
    }

    /// Forgets everything and keeps the memory.
    package mutating func removeAll() {
        bytes.removeAll()
        datagrams.removeAll(keepingCapacity: true)
        timers.removeAll(keepingCapacity: true)
        transitions.removeAll(keepingCapacity: true)
        sightings.removeAll(keepingCapacity: true)
        probeAnswers.removeAll(keepingCapacity: true)
        notices.removeAll(keepingCapacity: true)
        calls.removeAll()
        handOver = nil
    }
}

/// Which listener of the process: an index into `SignallingSettings.listeners`.
package struct ListenerNumber: Hashable, Sendable, BitwiseCopyable {
    /// The index.
    package let index: UInt8

    /// The listener with this index.
    package init(_ index: UInt8) { self.index = index }
}

/// Names a timer of one core: which record, which generation of it, which timer.
package struct TimerToken: Hashable, Sendable, BitwiseCopyable {
    /// Meaningful to the core alone.
    package let bits: UInt64

    /// A token of its bits.
    package init(bits: UInt64) { self.bits = bits }
}
