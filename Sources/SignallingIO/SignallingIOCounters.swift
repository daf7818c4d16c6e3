/// What the workers' sockets and queues have counted. Everything that is dropped is counted under a name of its own.
package struct SignallingIOCounters: Sendable {
    /// Datagrams that the sockets gave.
    package var datagramsReceived: UInt64 = 0
    /// Datagrams that the kernel took.
    package var datagramsSent: UInt64 = 0
    /// Batches of datagrams, timers and letters that were worked off.
    package var batches: UInt64 = 0
    /// Received datagrams that did not fit into the buffer.
    package var truncatedDropped: UInt64 = 0
    /// Received datagrams whose source can't be answered: port 0 or no address.
    package var unanswerableDropped: UInt64 = 0
    /// Datagrams for another worker, whose mailbox was full.
    package var mailboxFullDropped: UInt64 = 0
    /// Datagrams to send for which socket and backlog had no room.
    package var backlogFullDropped: UInt64 = 0
    /// Datagrams that the kernel refused to send.
    package var sendErrors: UInt64 = 0
    /// Datagrams that could not be delivered, as ICMP said afterwards.
    package var deliveryErrors: UInt64 = 0
    /// Status changes that found the way to the observer full; the table has them all the same.
    package var transitionsDropped: UInt64 = 0

    /// No counts.
    package init() {}

    /// Calls `body` with each count: the metric's name, its label as it stands in Prometheus text (empty for none),
    /// what it counts, and the number.
    package func forEach(_ body: (_ name: StaticString, _ label: StaticString, _ help: StaticString, UInt64) -> Void) {
        body("tandem_udp_datagrams_received_total", "", "Datagrams received.", datagramsReceived)
        body("tandem_udp_datagrams_sent_total", "", "Datagrams sent.", datagramsSent)
        body("tandem_udp_batches_total", "", "Batches that the workers worked off.", batches)
        let dropped: StaticString = "Datagrams dropped before or behind the protocol, by reason."
        body("tandem_udp_datagrams_dropped_total", "reason=\"truncated\"", dropped, truncatedDropped)
        body("tandem_udp_datagrams_dropped_total", "reason=\"unanswerable-source\"", dropped, unanswerableDropped)
        body("tandem_udp_datagrams_dropped_total", "reason=\"mailbox-full\"", dropped, mailboxFullDropped)
        body("tandem_udp_datagrams_dropped_total", "reason=\"send-queue-full\"", dropped, backlogFullDropped)
        body("tandem_udp_datagrams_dropped_total", "reason=\"send-error\"", dropped, sendErrors)
        body("tandem_udp_delivery_errors_total", "", "Datagrams that ICMP reported undeliverable.", deliveryErrors)
        body(
            "tandem_status_changes_unqueued_total", "",
            "Status changes found by the network manager in the table only, since the queue was full.",
            transitionsDropped)
    }

    /// Adds another worker's counts.
    mutating func add(_ other: SignallingIOCounters) {
        datagramsReceived &+= other.datagramsReceived
        datagramsSent &+= other.datagramsSent
        batches &+= other.batches
        truncatedDropped &+= other.truncatedDropped
        unanswerableDropped &+= other.unanswerableDropped
        mailboxFullDropped &+= other.mailboxFullDropped
        backlogFullDropped &+= other.backlogFullDropped
        sendErrors &+= other.sendErrors
        deliveryErrors &+= other.deliveryErrors
        transitionsDropped &+= other.transitionsDropped
    }
}
