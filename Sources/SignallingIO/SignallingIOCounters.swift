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
    /// Call records, and ends of calls, that found the way to the observer full.
    package var callRecordsDropped: UInt64 = 0
    /// What was seen of gateways that are provisioned elsewhere and found the way to the observer full.
    package var sightingsDropped: UInt64 = 0
    /// Connections taken.
    package var streamsAccepted: UInt64 = 0
    /// Connections that we began to open.
    package var streamsOpened: UInt64 = 0
    /// Connections that we could not begin to open, for want of room or of a way there.
    package var streamsNotOpened: UInt64 = 0
    /// Connections refused: there are as many as may be.
    package var streamsRefusedFull: UInt64 = 0
    /// Connections refused: their source has as many as it may have.
    package var streamsRefusedSource: UInt64 = 0
    /// Connections refused: the process has no descriptor for them.
    package var streamsRefusedDescriptors: UInt64 = 0
    /// Connections that their peer ended.
    package var streamsClosedByPeer: UInt64 = 0
    /// Connections ended since nothing came for long.
    package var streamsClosedIdle: UInt64 = 0
    /// Connections ended since a message that had begun did not come whole in time.
    package var streamsClosedSlowSender: UInt64 = 0
    /// Connections ended since their peer did not take what was sent.
    package var streamsClosedSlowReader: UInt64 = 0
    /// Connections ended since the end of a message could not be told.
    package var streamsClosedUnframed: UInt64 = 0
    /// Connections that broke, or could not be made.
    package var streamsClosedFailed: UInt64 = 0
    /// Messages that came over streams.
    package var streamMessagesReceived: UInt64 = 0
    /// Messages given to streams.
    package var streamMessagesSent: UInt64 = 0
    /// Keep-alives answered.
    package var streamPings: UInt64 = 0
    /// Responses whose connection has gone.
    package var streamUndeliverable: UInt64 = 0

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
        body(
            "tandem_call_records_dropped_total", "", "Call records for which the queue had no room.",
            callRecordsDropped)
        body(
            "tandem_sightings_dropped_total", "",
            "What was seen of gateways that are provisioned elsewhere, for which the queue had no room.",
            sightingsDropped)
        forEachOfStreams(body)
    }

    private func forEachOfStreams(
        _ body: (_ name: StaticString, _ label: StaticString, _ help: StaticString, UInt64) -> Void
    ) {
        body("tandem_tcp_connections_accepted_total", "", "Connections taken.", streamsAccepted)
        body("tandem_tcp_connections_opened_total", "", "Connections that we began to open.", streamsOpened)
        let refused: StaticString = "Connections not taken, or not opened, by reason."
        body("tandem_tcp_connections_refused_total", "reason=\"limit\"", refused, streamsRefusedFull)
        body("tandem_tcp_connections_refused_total", "reason=\"source-limit\"", refused, streamsRefusedSource)
        body("tandem_tcp_connections_refused_total", "reason=\"descriptors\"", refused, streamsRefusedDescriptors)
        body("tandem_tcp_connections_refused_total", "reason=\"not-opened\"", refused, streamsNotOpened)
        let closed: StaticString = "Connections that ended, by reason."
        body("tandem_tcp_connections_closed_total", "reason=\"peer\"", closed, streamsClosedByPeer)
        body("tandem_tcp_connections_closed_total", "reason=\"idle\"", closed, streamsClosedIdle)
        body("tandem_tcp_connections_closed_total", "reason=\"slow-sender\"", closed, streamsClosedSlowSender)
        body("tandem_tcp_connections_closed_total", "reason=\"slow-reader\"", closed, streamsClosedSlowReader)
        body("tandem_tcp_connections_closed_total", "reason=\"unframed\"", closed, streamsClosedUnframed)
        body("tandem_tcp_connections_closed_total", "reason=\"error\"", closed, streamsClosedFailed)
        body("tandem_tcp_messages_received_total", "", "Messages that came over streams.", streamMessagesReceived)
        body("tandem_tcp_messages_sent_total", "", "Messages given to streams.", streamMessagesSent)
        body("tandem_tcp_keep_alives_total", "", "Keep-alives answered.", streamPings)
        body(
            "tandem_tcp_messages_dropped_total", "reason=\"no-connection\"", "Responses whose connection has gone.",
            streamUndeliverable)
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
        callRecordsDropped &+= other.callRecordsDropped
        streamsAccepted &+= other.streamsAccepted
        streamsOpened &+= other.streamsOpened
        streamsNotOpened &+= other.streamsNotOpened
        streamsRefusedFull &+= other.streamsRefusedFull
        streamsRefusedSource &+= other.streamsRefusedSource
        streamsRefusedDescriptors &+= other.streamsRefusedDescriptors
        streamsClosedByPeer &+= other.streamsClosedByPeer
        streamsClosedIdle &+= other.streamsClosedIdle
        streamsClosedSlowSender &+= other.streamsClosedSlowSender
        streamsClosedSlowReader &+= other.streamsClosedSlowReader
        streamsClosedUnframed &+= other.streamsClosedUnframed
        streamsClosedFailed &+= other.streamsClosedFailed
        streamMessagesReceived &+= other.streamMessagesReceived
        streamMessagesSent &+= other.streamMessagesSent
        streamPings &+= other.streamPings
        streamUndeliverable &+= other.streamUndeliverable
    }
}
