import Synchronization

extension GatewayInformationTable {
    /// Makes a row read as another table's row does now to whoever selects: status, calls, trial, ramp, suspicion.
    package func copy(_ other: GatewaySlot, of source: GatewayInformationTable, to slot: GatewaySlot) {
        let word = source.status(of: other)
        restore(slot, word.status, cause: word.cause, timeValue: word.timeValue)
        rows[slot.index].pointee.copyLoad(
            of: source.rows[other.index], liveCalls: source.liveCalls(other), generation: slot.generation)
    }
}

extension TableRow {
    fileprivate func copyLoad(of other: UnsafePointer<TableRow>, liveCalls calls: UInt32, generation: UInt8) {
        liveCalls.store(UInt64(generation) << 32 | UInt64(calls), ordering: .relaxed)
        callRate.store(other.pointee.callRate.load(ordering: .relaxed), ordering: .relaxed)
        trialUntil.store(other.pointee.trialUntil.load(ordering: .relaxed), ordering: .relaxed)
        rampBegan.store(other.pointee.rampBegan.load(ordering: .relaxed), ordering: .relaxed)
        suspectUntil.store(other.pointee.suspectUntil.load(ordering: .relaxed), ordering: .relaxed)
    }
}
