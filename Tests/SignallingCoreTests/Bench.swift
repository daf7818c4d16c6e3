import Addressing
import Probing
import Routing
import SIPTransaction
import SignallingCore
import Simulation
import Testing
import Time

/// One message that the worker sent.
struct Sent {
    let at: Instant
    let to: TransportAddress
    let lines: [String]
    let body: String

    init(_ datagram: VirtualWorker.Outgoing, at instant: Instant) {
        (at, to) = (instant, datagram.destination)
        let text = String(decoding: datagram.bytes, as: UTF8.self)
        let parts = text.split(separator: "\r\n\r\n", maxSplits: 1, omittingEmptySubsequences: false)
        lines = parts[0].split(separator: "\r\n", omittingEmptySubsequences: false).map { String($0) }
        body = parts.count > 1 ? String(parts[1]) : ""
    }

    var startLine: String { lines.first ?? "" }
    /// `INVITE` or `200`.
    var kind: String {
        let words = startLine.split(separator: " ")
        return words.first == "SIP/2.0" && words.count > 1 ? String(words[1]) : String(words.first ?? "")
    }

    func all(_ name: String) -> [String] {
        lines.dropFirst().filter { $0.hasPrefix(name + ": ") }.map { String($0.dropFirst(name.count + 2)) }
    }

    func first(_ name: String) -> String { all(name).first ?? "" }
}

/// A worker between one caller and a few gateways, under virtual time.
struct Bench {
    static let proxy = ListenerNumber(0)
    static let redirect = ListenerNumber(1)
    static let start = Instant(nanoseconds: 1_000_000_000_000)

    let table = GatewayInformationTable()
    let peers = PeerTable()
    let worker: VirtualWorker
    let settings: SignallingSettings
    let caller: TransportAddress
    let stranger: TransportAddress
    private(set) var builder: SnapshotBuilder
    private(set) var snapshot: RoutingSnapshot
    private(set) var now = Bench.start
    private(set) var transitions: [StatusTransition] = []
    private(set) var sightings: [GatewaySighting] = []
    private(set) var probeAnswers: [ProbeAnswer] = []
    /// Of calls that no gateway was tried for and of those whose search has ended.
    private(set) var records: [CallRecord] = []
    private(set) var searches: [CallSearch] = []
    private(set) var endings: [CallRecord.Ending] = []
    /// All that was sent since the last look.
    private(set) var sent: [Sent] = []

    init(
        gateways: Int = 2, prefix: String = "44", timing: GatewayTiming = GatewayTiming(), isProbing: Bool = false,
        changing change: (inout SignallingSettings) -> Void = { _ in }
    ) throws {
        caller = try Self.address("10.1.0.1:5080")
        stranger = try Self.address("198.51.100.1:5060")
        var builder = SnapshotBuilder()
        for number in 1...gateways {
            let isPut = builder.put(
                Gateway(
                    id: "g\(number)", uri: "sip:10.2.0.\(number)", address: try Self.address("10.2.0.\(number):5060"),
                    requestURISuffix: "@10.2.0.\(number):5060", timing: timing), in: table)
            #expect(isPut)
        }
        builder.put(GatewayGroup(id: "g", members: (1...gateways).map { .init(gateway: "g\($0)") }))
        builder.put(RoutingList(id: "l", entries: [.init(group: "g")]))
        builder.changeRoutes(in: "default", [(try #require(Prefix(prefix)), Route(.routingList("l")))])
        builder.put(IngressPeer(id: "p", networks: [try #require(Network("10.1.0.0/16"))]))
        self.builder = builder
        snapshot = self.builder.snapshot(revision: Revision(1))
        var settings = SignallingSettings(
            listeners: [
                .init(
                    role: .proxy, bound: try Self.address("10.0.0.1:5060"),
                    advertised: try Self.address("10.0.0.1:5060")),
                .init(
                    role: .redirect, bound: try Self.address("10.0.0.1:5070"),
                    advertised: try Self.address("10.0.0.1:5070")),
            ], routeSecret: KeyedHash.Key(1, 2), workerSecret: KeyedHash.Key(3, 4), serverName: "Tandem/test")
        if !isProbing { settings.probing.isEnabled = false }
        change(&settings)
        self.settings = settings
        worker = VirtualWorker(settings: settings, table: table, peers: peers, now: now)
    }

    static func address(_ text: String) throws -> TransportAddress {
        let parts = text.split(separator: ":")
        return TransportAddress(
            .udp, try #require(IPAddress(parts[0])), port: try #require(parts.last.flatMap { UInt16($0) }))
    }

    func gateway(_ number: Int) throws -> TransportAddress { try Self.address("10.2.0.\(number):5060") }

    func status(_ number: Int) throws -> StatusWord { table.status(of: try #require(builder.slot(of: "g\(number)"))) }

    func slot(_ number: Int) throws -> GatewaySlot { try #require(builder.slot(of: "g\(number)")) }

    func liveCalls(_ number: Int) throws -> UInt32 { table.liveCalls(try slot(number)) }

    /// The next snapshot bounds the caller's calls.
    mutating func limitCaller(_ limits: CallLimits) {
        builder.put(IngressPeer(id: "p", networks: builder.peers["p"]?.networks ?? [], limits: limits))
        snapshot = builder.snapshot(revision: Revision(2))
    }

    /// How many calls the caller has, as his ingress peer is counted.
    func callerCalls() throws -> UInt32 { peers.liveCalls(try #require(snapshot.peer(for: caller.address)).slot) }

    mutating func forgetRecords() { (records, searches, endings) = ([], [], []) }

    /// The next snapshot has the gateway like this.
    mutating func changeGateway(_ number: Int, _ change: (inout Gateway) -> Void) throws {
        var gateway = try #require(builder.gateways["g\(number)"])
        change(&gateway)
        let isPut = builder.put(gateway, in: table)
        #expect(isPut)
        snapshot = builder.snapshot(revision: Revision(2))
    }

    /// The next snapshot has these settings.
    mutating func changeSettings(_ change: (inout RoutingSettings) -> Void) {
        var settings = builder.settings
        change(&settings)
        builder.put(settings, in: table)
        snapshot = builder.snapshot(revision: Revision(2))
    }

    /// The next snapshot has the group with these causes, and bounds the search to 9 s.
    mutating func regroup(failoverCauses: CauseSet, failsOverAfterRinging: Bool) {
        builder.put(
            GatewayGroup(
                id: "g", members: builder.groups["g"]?.members ?? [], failoverCauses: failoverCauses,
                failsOverAfterRinging: failsOverAfterRinging))
        builder.put(RoutingList(id: "l", entries: [.init(group: "g")], giveUpAfterMilliseconds: 9000))
        snapshot = builder.snapshot(revision: Revision(3))
    }

    /// The next snapshot has gateways tried though all of them are out.
    mutating func tryAllOut() {
        builder.put(RoutingList(id: "l", entries: [.init(group: "g")], whenAllOut: .try))
        snapshot = builder.snapshot(revision: Revision(2))
    }

    /// Whether the identities that the caller asserts are believed.
    mutating func trustCaller(_ isTrusted: Bool) {
        let networks = builder.peers["p"]?.networks ?? []
        builder.put(IngressPeer(id: "p", networks: networks, isIdentityTrusted: isTrusted))
        snapshot = builder.snapshot(revision: Revision(2))
    }

    /// Puts a route into the plan of the caller.
    mutating func route(_ prefix: String, _ route: Route) throws {
        builder.changeRoutes(in: "default", [(try #require(Prefix(prefix)), route)])
        snapshot = builder.snapshot(revision: Revision(snapshot.revision.number + 1))
    }

    /// Changes a gateway as an API change does.
    mutating func change(_ number: Int, _ body: (inout Gateway) -> Void) {
        guard var gateway = builder.gateways["g\(number)"] else { return }
        body(&gateway)
        _ = builder.put(gateway, in: table)
        snapshot = builder.snapshot(revision: Revision(snapshot.revision.number + 1))
    }

    // MARK: driving

    mutating func probeNow(_ number: Int, ticket: UInt64) {
        if let slot = builder.slot(of: "g\(number)") { probeNow(slot, ticket: ticket) }
    }

    mutating func probeNow(_ slot: GatewaySlot, ticket: UInt64) {
        take(worker.probeNow(slot, ticket: ticket, snapshot: snapshot, now: now))
    }

    mutating func receive(_ text: String, from source: TransportAddress, on listener: ListenerNumber = Bench.proxy) {
        receive(Array(text.utf8), from: source, on: listener)
    }

    mutating func receive(_ bytes: [UInt8], from source: TransportAddress, on listener: ListenerNumber = Bench.proxy) {
        take(worker.receive(bytes, from: source, on: listener, snapshot: snapshot, now: now))
    }

    /// Gives the worker datagrams that came together.
    mutating func receive(batch: [String], from source: TransportAddress, on listener: ListenerNumber) {
        let batch = batch.map { Array($0.utf8) }
        take(worker.receive(batch: batch, from: source, on: listener, snapshot: snapshot, now: now))
    }

    /// Gives the worker a datagram that came to the worker `origin` first; returns the worker that is to have it next.
    mutating func pass(_ text: String, from source: TransportAddress, origin: UInt8) -> UInt8? {
        let output = worker.receive(
            Array(text.utf8), from: source, on: Bench.proxy, origin: origin, snapshot: snapshot, now: now)
        take(output)
        return output.handOver
    }

    /// Lets time pass and fires every timer at its instant.
    mutating func advance(_ duration: Duration) {
        let end = now + duration
        while let next = worker.nextTimer, next <= end {
            now = max(now, next)
            take(worker.fireDue(snapshot: snapshot, now: now))
        }
        now = end
    }

    mutating func transportFailed(to destination: TransportAddress) {
        take(worker.transportFailed(to: destination, snapshot: snapshot, now: now))
    }

    /// Lets the worker look at what other workers found of gateways.
    mutating func lookAround() { take(worker.lookAround(snapshot: snapshot, now: now)) }

    /// Another worker of the same process.
    func neighbour() -> VirtualWorker {
        var settings = settings
        (settings.worker, settings.workerSecret) = (1, KeyedHash.Key(5, 6))
        return VirtualWorker(settings: settings, table: table, peers: peers, now: now)
    }

    private mutating func take(_ output: VirtualWorker.Output) {
        sent += output.datagrams.map { Sent($0, at: now) }
        transitions += output.transitions
        sightings += output.sightings
        probeAnswers += output.probeAnswers
        records += output.calls.records + output.calls.searches.map(\.record)
        searches += output.calls.searches
        endings += output.calls.endings
    }

    /// What was sent since the last look; looking forgets.
    mutating func look() -> [Sent] {
        defer { sent = [] }
        return sent
    }

    /// The last message of that kind that was sent to an address since the last look.
    func last(_ kind: String, to address: TransportAddress) throws -> Sent {
        try #require(sent.last { $0.kind == kind && $0.to == address }, "no \(kind) to \(address)")
    }

    /// `kind>address` of all that was sent since the last look; looking forgets.
    mutating func trace() -> [String] {
        look().map { message in
            let name =
                message.to == caller
                ? "caller" : message.to.address.description.split(separator: ".").last.map { "g\($0)" } ?? "?"
            return "\(message.kind)>\(name)"
        }
    }

    // MARK: messages

    /// A request of the caller; CSeq's method is the request's.
    func request(
        _ method: String, uri: String = "sip:+442071234567@10.0.0.1", branch: String = "z9hG4bKcaller1",
        toTag: String? = nil,
        cSeq: Int = 1, callID: String = "call-1@10.1.0.1", extra: [String] = [], body: String = ""
    ) -> String {
        var lines = [
            "\(method) \(uri) SIP/2.0", "Via: SIP/2.0/UDP 10.1.0.1:5080;branch=\(branch)", "Max-Forwards: 70",
            "From: \"A\" <sip:a@10.1.0.1>;tag=from1",
            "To: <sip:+442071234567@10.0.0.1>" + (toTag.map { ";tag=\($0)" } ?? ""),
            "Call-ID: \(callID)", "CSeq: \(cSeq) \(method)", "Contact: <sip:a@10.1.0.1:5080>",
        ]
        lines += extra
        lines += ["Content-Length: \(body.utf8.count)", "", body]
        return lines.joined(separator: "\r\n")
    }

    /// The response of whoever got the request.
    func response(
        _ status: Int, to request: Sent, toTag: String? = "to1", contact: String = "<sip:gw@10.2.0.1:5060>",
        extra: [String] = []
    ) -> String {
        var lines = ["SIP/2.0 \(status) Text"]
        lines += request.all("Via").map { "Via: \($0)" }
        lines += request.all("Record-Route").map { "Record-Route: \($0)" }
        let to = request.first("To")
        lines += [
            "From: \(request.first("From"))",
            "To: " + to + (to.contains("tag=") ? "" : toTag.map { ";tag=\($0)" } ?? ""),
            "Call-ID: \(request.first("Call-ID"))", "CSeq: \(request.first("CSeq"))", "Contact: \(contact)",
        ]
        lines += extra
        return (lines + ["Content-Length: 0", "", ""]).joined(separator: "\r\n")
    }

    /// A request of the caller within the dialog that a 2xx made: Route from its Record-Route, Request-URI from its
    /// Contact.
    func withinDialog(
        _ method: String, of answer: Sent, cSeq: Int, branch: String, callID: String = "call-1@10.1.0.1"
    ) throws -> String {
        let contact = answer.first("Contact").drop { $0 == "<" }.prefix { $0 != ">" }
        let tag = try #require(answer.first("To").split(separator: "tag=").last)
        return request(
            method, uri: String(contact), branch: branch, toTag: String(tag), cSeq: cSeq, callID: callID,
            extra: answer.all("Record-Route").reversed().map { "Route: \($0)" })
    }
}
