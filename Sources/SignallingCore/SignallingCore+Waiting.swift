import Addressing
import Proxy
package import Routing
package import Time

// Who waits for a first response from where: what a transport error has to find without a look at every transaction.
extension SignallingCore {
    /// Puts a new client transaction at the head of its destination's chain.
    mutating func startWaiting(_ handle: ClientRecord.Handle) {
        let destination = clients[handle].destination
        let head = waitingClients[destination]
        clients[handle].previousWaiting = nil
        clients[handle].nextWaiting = head
        clients[handle].isWaiting = true
        if let head { clients[head].previousWaiting = handle }
        waitingClients[destination] = handle
    }

    /// Takes a client transaction out of its chain, where it still is in one.
    mutating func endWaiting(_ handle: ClientRecord.Handle) {
        guard clients[handle].isWaiting else { return }
        let (previous, next) = (clients[handle].previousWaiting, clients[handle].nextWaiting)
        clients[handle].isWaiting = false
        if let next { clients[next].previousWaiting = previous }
        if let previous {
            clients[previous].nextWaiting = next
        } else {
            waitingClients[clients[handle].destination] = next
        }
    }

    /// All that wait for a first response from there.
    func waiting(for destination: TransportAddress) -> [ClientRecord.Handle] {
        var found: [ClientRecord.Handle] = []
        var next = waitingClients[destination]
        while let handle = next {  // at most as many as are alive
            found.append(handle)
            next = clients[handle].nextWaiting
        }
        return found
    }

    // MARK: gateways that others found dead

    /// Tells all workers of the gateways that were found dead by the last message or timer.
    func noteFallen(behind transitionCount: Int, _ actions: borrowing SignallingActions) {
        guard actions.transitions.count > transitionCount else { return }
        for transition in actions.transitions[transitionCount...] where transition.isFall {
            table.fallen.note(transition.slot)
        }
    }

    /// Lets the calls that wait for a first response from a gateway that was found dead, here or by another worker,
    /// move on at once, not each after its own timer. Costs one look at a word where nothing fell.
    package mutating func moveWaitingCallsOn(
        snapshot: borrowing PinnedSnapshot, now: Instant, into actions: inout SignallingActions
    ) {
        // What follows may find more of them dead; the rest comes with the next message.
        for _ in 0..<Self.fallenLimitCount {
            guard seenFallenCount != fallen._withUnsafeGuaranteedRef({ $0.count }) else { return }
            pinned = snapshot.withSnapshot { .passUnretained($0) }
            switch table.fallen.entry(seenFallenCount) {
            case .unwritten: return
            case .gateway(let slot):
                seenFallenCount &+= 1
                guard movesWaitingCallsOn else { continue }
                moveWaitingCallsOn(from: slot, snapshot, now, &actions)
            case .lost:
                seenFallenCount = table.fallen.count
                guard movesWaitingCallsOn else { return }
                moveAllWaitingCallsOn(snapshot, now, &actions)
            }
        }
    }

    private var movesWaitingCallsOn: Bool {
        settings.movesWaitingCallsOn && pinned?._withUnsafeGuaranteedRef { $0.settings.movesWaitingCallsOn } ?? true
    }

    private static var fallenLimitCount: Int { 64 }

    private mutating func moveAllWaitingCallsOn(
        _ snapshot: borrowing PinnedSnapshot, _ now: Instant, _ actions: inout SignallingActions
    ) {
        let transitionCount = actions.transitions.count
        var index = -1
        while let gateway = snapshot.withSnapshot({ $0.gateway(after: index) }) {  // by slot, of which there are 2^16
            index = Int(gateway.slot.index)
            if waitingClients[gateway.address] != nil {
                moveWaitingCallsOn(from: gateway.slot, snapshot, now, &actions)
            }
        }
        for slot in table.remoteSlots { moveWaitingCallsOn(from: slot, snapshot, now, &actions) }
        noteFallen(behind: transitionCount, actions)
    }

    private mutating func moveWaitingCallsOn(
        from slot: GatewaySlot, _ snapshot: borrowing PinnedSnapshot, _ now: Instant,
        _ actions: inout SignallingActions
    ) {
        let status = table.status(of: slot)
        guard status.status == .outOfService, status.generation == slot.generation, status.cause?.isSilence ?? false,
            let address =
                slot.isRemote
                ? table.remoteGateway(in: slot)?.address : snapshot.withSnapshot({ $0.gateway(in: slot)?.address })
        else { return }
        let transitionCount = actions.transitions.count
        for handle in waiting(for: address) where clients.contains(handle) && clients[handle].isWaiting {
            guard case .attempt(let context, let target) = clients[handle].purpose, contexts.contains(context),
                contexts[context].targets[target]?.slot == slot, hasUsableTarget(behind: target, of: context, now)
            else { continue }
            drive(context, .gatewayFell(target: target), now, &actions)
        }
        noteFallen(behind: transitionCount, actions)
    }

    /// True when a later target can be had as far as its status goes: from a dead gateway to others that are out a call
    /// would only come sooner to its end.
    private func hasUsableTarget(behind target: Int, of context: ContextRecord.Handle, _ now: Instant) -> Bool {
        let count = contexts[context].targets.count
        return (target + 1..<max(target + 1, count)).contains { reasonToSkip($0, of: context, now) == nil }
    }
}

extension StatusTransition {
    /// True when it says that the gateway was found dead.
    package var isFall: Bool { after.status == .outOfService && after.cause?.isSilence ?? false }
}
