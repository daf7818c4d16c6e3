/// The gateways of a snapshot by their row in the gateway information table, in parts of 256 that successive snapshots
/// share: a change copies the part that it lies in.
struct GatewayRows: Sendable {
    private static let partRows = 256

    /// How many gateways there are.
    private(set) var gatewayCount = 0

    private var parts: [[SnapshotGateway?]] = []

    /// The gateway in a row; nil when there is none.
    subscript(row: Int) -> SnapshotGateway? {
        let (part, place) = row.quotientAndRemainder(dividingBy: Self.partRows)
        return part < parts.count ? parts[part][place] : nil
    }

    /// All gateways in the order of their rows.
    var gateways: some Sequence<SnapshotGateway> { parts.lazy.joined().compactMap { $0 } }

    /// The gateway in the first occupied row behind this one.
    func first(behind row: Int) -> SnapshotGateway? {
        guard row < parts.count * Self.partRows else { return nil }
        var (part, place) = max(0, row + 1).quotientAndRemainder(dividingBy: Self.partRows)
        while part < parts.count {
            for gateway in parts[part][place...] {
                if let gateway { return gateway }
            }
            (part, place) = (part + 1, 0)
        }
        return nil
    }

    /// Puts a gateway into its row, or takes it out.
    mutating func set(_ row: UInt16, to gateway: SnapshotGateway?) {
        let (part, place) = Int(row).quotientAndRemainder(dividingBy: Self.partRows)
        while parts.count <= part { parts.append(Array(repeating: nil, count: Self.partRows)) }
        let had = parts[part][place] != nil
        parts[part][place] = gateway
        gatewayCount += (gateway == nil ? 0 : 1) - (had ? 1 : 0)
    }
}
