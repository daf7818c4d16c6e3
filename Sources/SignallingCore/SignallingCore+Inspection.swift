import Routing
import SIPMessage
package import SIPTransaction

// What is alive and why, for whoever proves that nothing lives too long. Nothing on the path of a call asks.

/// Names one record of one core: a transaction or a response context.
package struct RecordName: Hashable, Sendable, BitwiseCopyable {
    /// What it is. The CANCEL of an INVITE lives in the INVITE's client transaction.
    package enum Kind: UInt8, Sendable, BitwiseCopyable, CaseIterable { case server, client, context }

    /// What it is.
    package let kind: Kind
    /// Its place.
    package let slot: UInt32
    /// Which tenant of that place it is; never 0.
    package let generation: UInt32

    /// A name of its parts.
    package init(kind: Kind, slot: UInt32, generation: UInt32) {
        (self.kind, self.slot, self.generation) = (kind, slot, generation)
    }
}

extension TimerToken {
    /// The record that the timer belongs to; nil for the timer that begins probes.
    package var record: RecordName? {
        let kind: RecordName.Kind
        switch owner {
        case .server: kind = .server
        case .client, .cancel: kind = .client
        case .context: kind = .context
        case .probing, .liveCalls, nil: return nil
        }
        return RecordName(kind: kind, slot: slot, generation: generation)
    }

    /// The timer's letter where it is a transaction's.
    package var letter: TransactionTimer? { timer }

    /// True for what wakes a response context: Timer C (RFC 3261 section 16.8) and its other bounds.
    package var isTimerC: Bool { owner == .context }
}

/// How much a core holds.
package struct SignallingInspection: Equatable, Sendable {
    /// Server transactions.
    package var servers = 0
    /// Client transactions.
    package var clients = 0
    /// Response contexts.
    package var contexts = 0
    /// Probes that nobody has answered yet.
    package var probes = 0
    /// Entries of the table that finds server transactions.
    package var serverKeys = 0
    /// Destinations from which a first response is awaited.
    package var waitingChains = 0
    /// Searches that go on.
    package var searches = 0
    /// Bytes of the requests under way.
    package var heldBytes = 0
    /// Dialogs that are alive.
    package var liveCalls = 0
    /// Calls of ingress peers.
    package var heldPeerCalls = 0
    /// Places among the live calls of gateways: of attempts and of dialogs.
    package var heldCalls = 0

    /// Nothing.
    package init() {}
}

extension SignallingCore {
    /// How much it holds now.
    package var inspection: SignallingInspection {
        var inspection = SignallingInspection()
        inspection.servers = servers.liveCount
        inspection.clients = clients.liveCount
        inspection.contexts = contexts.liveCount
        inspection.probes = probes.liveCount
        inspection.serverKeys = transactions.count
        inspection.waitingChains = waitingClients.count
        inspection.searches = searchingCount
        inspection.heldBytes = heldByteCount + store.keptBytes
        inspection.liveCalls = liveCalls.count
        inspection.heldCalls = heldCallCount
        inspection.heldPeerCalls = heldPeerCallCount
        return inspection
    }

    /// Adds the places among the live calls of each gateway that are held here, by its row.
    package func addHeldCalls(to counts: inout [UInt16: Int]) {
        for index in 0..<clients.placeCount {
            guard let handle = clients.tenant(at: index), clients[handle].claim.holdsCall,
                let gateway = clients[handle].claim.gateway
            else { continue }
            counts[gateway.index, default: 0] += 1
        }
        liveCalls.forEach { counts[$0.gateway.index, default: 0] += 1 }
    }

    /// True while the record is there.
    package func isAlive(_ record: RecordName) -> Bool {
        switch record.kind {
        case .server: servers.contains(.init(slot: record.slot, generation: record.generation))
        case .client: clients.contains(.init(slot: record.slot, generation: record.generation))
        case .context: contexts.contains(.init(slot: record.slot, generation: record.generation))
        }
    }

    /// Whose timers a live record may rely on when it has none of its own any more: a transaction on its response
    /// context, an ended response context on its client transactions.
    package func supports(of record: RecordName) -> [RecordName] {
        guard isAlive(record) else { return [] }
        switch record.kind {
        case .server:
            let context = servers[.init(slot: record.slot, generation: record.generation)].context
            return context.map { [RecordName(kind: .context, slot: $0.slot, generation: $0.generation)] } ?? []
        case .client:
            guard
                case .attempt(let context, _) = clients[.init(slot: record.slot, generation: record.generation)].purpose
            else { return [] }
            return [RecordName(kind: .context, slot: context.slot, generation: context.generation)]
        case .context:
            var names: [RecordName] = []
            var next = contexts[.init(slot: record.slot, generation: record.generation)].lastAttempt
            while let client = next {
                names.append(RecordName(kind: .client, slot: client.slot, generation: client.generation))
                next = clients[client].previousAttempt
            }
            return names
        }
    }
}
