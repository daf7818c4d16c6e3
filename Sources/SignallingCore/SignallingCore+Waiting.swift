import Addressing

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
}
