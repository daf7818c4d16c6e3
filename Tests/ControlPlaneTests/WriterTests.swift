import ControlPlane
import Fixtures
import JSON
import NetworkManager
import Routing
import Store
import Synchronization
import Testing
import Time

@Suite struct WriterTests {
    @Test func `a new database has the plan default and the peer loopback as revision 1, once`() async throws {
        let fixture = try ControlPlaneFixture()
        #expect(fixture.plane.revision == 1)
        let peer = try fixture.plane.view(ResourcePath(.ingressPeers, "loopback")).value
        #expect(peer.body["networks"] == (try json(#"["127.0.0.0/8","::1/128"]"#)))
        #expect(peer.body["effective"]?["routing_plan"] == .string("default"))
        #expect(try fixture.plane.list(ListQuery(.routingPlans)).items.compactMap { $0["id"]?.text } == ["default"])
        try await fixture.commit(try delete("ingress-peers/loopback"))
        fixture.close()
        let again = try ControlPlaneFixture(folder: fixture.folder)
        #expect(again.plane.revision == 2)
        #expect(throws: Refusal.self) { try again.plane.view(ResourcePath(.ingressPeers, "loopback")) }
        again.close()
    }

    @Test func `a new database whose first revision can't be written does not start`() throws {
        let folder = try TemporaryFolder()
        let clock = StandingClock()
        let store = try Store(path: folder.path + "/tandem.db", node: "n1", at: clock.wallTime)
        let log = OrderedChangeLog(store: store)
        log.order(.answer(.readOnly(reason: "disk full")))
        #expect(throws: StoreError.self) { try ControlPlane(store: store, changeLog: log, clock: clock) }
        #expect(try ControlPlane(store: store, changeLog: log, clock: clock).revision == 1)
        store.close()
    }

    @Test func `a completion comes after the commit and the swap`() async throws {
        let fixture = try ControlPlaneFixture()
        for number in 0..<20 {
            let seen = try await withCheckedThrowingContinuation {
                (continuation: CheckedContinuation<(ChangeResult, Int64, Int64), any Error>) in
                let body: JSONValue = .object(["uri": .string("sip:192.0.2.\(number + 1)")])
                let change = Change([.put(ResourcePath(.gateways, "g\(number)"), body, Precondition())], who: "test")
                fixture.plane.submit(change) { result in
                    let live = fixture.plane.snapshots.latest.revision.number
                    let stored = fixture.store.position.revision.number
                    continuation.resume(with: result.map { ($0, live, stored) }.mapError { $0 as any Error })
                }
            }
            #expect(seen.0.revision == Int64(number) + 2)
            #expect(seen.1 >= seen.0.revision)
            #expect(seen.2 >= seen.0.revision)
        }
        #expect(fixture.plane.snapshots.latest.gatewayCount == 20)
        fixture.close()
    }

    @Test func `when the disk is well again that is seen without a change to try`() async throws {
        let fixture = try ControlPlaneFixture()
        try await fixture.settle()
        fixture.log.order(.answer(.readOnly(reason: "disk full")))
        let refusal = await fixture.change(try put("gateways/a", #"{"uri":"sip:192.0.2.1"}"#)).refusal
        #expect(refusal?.problem == .readOnly)
        fixture.log.becomeWell()
        let deadline = ContinuousClock.now + .seconds(30)
        while fixture.plane.readOnlyReason != nil, ContinuousClock.now < deadline {
            await Task.yield()
        }
        #expect(fixture.plane.readOnlyReason == nil)
        fixture.close()
    }

    @Test func `a refusal that rests on a change which was not written is not told as such`() async throws {
        let fixture = try ControlPlaneFixture(starts: false)
        fixture.log.order(.answer(.readOnly(reason: "disk full")))
        let answers = Mutex<[Refusal.Problem?]>([])
        for operation in [
            try delete("ingress-peers/none"), try delete("ingress-peers/loopback"),
            try delete("ingress-peers/loopback"),
            try put("gateways/a", "{}"),
        ] {
            fixture.plane.submit(Change([operation], who: "test")) { result in
                answers.withLock { $0.append(result.refusal?.problem) }
            }
        }
        fixture.plane.start()
        for _ in 0..<1_000_000 where answers.withLock({ $0.count }) < 4 { await Task.yield() }
        #expect(answers.withLock { $0 } == [.notFound, .readOnly, .readOnly, .invalid])
        fixture.close()
    }

    @Test func `what waits together shares one commit, and a refused one in the middle is left out`() async throws {
        let fixture = try ControlPlaneFixture(starts: false)
        let answers = Mutex<[String]>([])
        let bodies = [
            ("gateways/a", #"{"uri":"sip:192.0.2.1"}"#), ("gateway-groups/g", #"{"members":[{"gateway":"a"}]}"#),
            ("gateway-groups/h", #"{"members":[{"gateway":"b"}]}"#), ("gateways/b", #"{"uri":"sip:192.0.2.2"}"#),
            ("gateways/a", #"{"uri":"sip:192.0.2.1"}"#),
        ]
        for (place, body) in bodies {
            fixture.plane.submit(Change([try put(place, body)], who: "test")) { result in
                let text =
                    switch result {
                    case .success(let result): "\(result.revision) \(result.operations[0].outcome)"
                    case .failure(let refusal): refusal.problem.rawValue
                    }
                answers.withLock { $0.append(text) }
            }
        }
        #expect(fixture.plane.pendingChangeCount == 5)
        fixture.plane.start()
        try await fixture.settle()
        #expect(answers.withLock { $0 } == ["2 created", "3 created", "invalid", "4 created", "4 unchanged"])
        #expect(fixture.log.batches.dropFirst().first?.changes.map(\.revision.number).prefix(3) == [2, 3, 4])
        #expect(fixture.plane.pendingChangeCount == 0)
        fixture.close()
    }

    @Test func `unavailable is no-quorum and leaves nothing behind`() async throws {
        let fixture = try ControlPlaneFixture()
        try await fixture.settle()
        let revision = fixture.plane.revision
        fixture.log.order(.answer(.unavailable(reason: "no leader")))
        let refusal = await fixture.change(try put("gateways/a", #"{"uri":"sip:192.0.2.1"}"#)).refusal
        #expect(refusal?.problem == .noQuorum)
        #expect(refusal?.retryAfterSeconds == 1)
        #expect(fixture.plane.revision == revision)
        #expect(try await fixture.commit(try put("gateways/a", #"{"uri":"sip:192.0.2.1"}"#)).revision == revision + 1)
        fixture.close()
    }

    @Test func `read-only is told until the next success, and each new change tries again`() async throws {
        let fixture = try ControlPlaneFixture()
        try await fixture.settle()
        #expect(fixture.plane.readOnlyReason == nil)
        fixture.log.order(.answer(.readOnly(reason: "disk full")), .answer(.readOnly(reason: "disk still full")))
        for reason in ["disk full", "disk still full"] {
            let refusal = await fixture.change(try put("gateways/a", #"{"uri":"sip:192.0.2.1"}"#)).refusal
            #expect(refusal?.problem == .readOnly)
            #expect(refusal?.retryAfterSeconds != nil)
            #expect(fixture.plane.readOnlyReason == reason)
        }
        #expect(
            await fixture.change(try put("gateways/a", #"{"uri":"x"}"#)).refusal?.problem == .invalid,
            "a refusal of its own needs no disk")
        try await fixture.commit(try put("gateways/a", #"{"uri":"sip:192.0.2.1"}"#))
        #expect(fixture.plane.readOnlyReason == nil)
        fixture.close()
    }

    @Test func `stale: what another wrote is taken over and the change is evaluated again`() async throws {
        let fixture = try ControlPlaneFixture()
        try await fixture.provisionLondon()
        try fixture.takeOut("lon1")
        let slot = try fixture.slot("lon1")
        try await fixture.settle()
        try writeBeside(fixture.store, "gateways/theirs", #"{"uri":"sip:192.0.2.50"}"#)
        let result = try await fixture.commit(
            try put("gateway-groups/g", #"{"members":[{"gateway":"theirs"}]}"#))
        #expect(result.revision == fixture.store.position.revision.number)
        #expect(fixture.plane.snapshots.latest.gatewayCount == 3)
        #expect(try fixture.slot("lon1") == slot)
        #expect(fixture.plane.table.status(of: slot).status == .outOfService, "a reload forgets no status")
        fixture.log.order(.comeLate("gateways/theirs2", #"{"uri":"sip:192.0.2.51"}"#))
        let refusal = await fixture.change(
            try put("gateways/theirs2", #"{"uri":"sip:192.0.2.1"}"#, Precondition(ifNoneMatch: ["*"]))
        ).refusal
        #expect(refusal?.problem == .stale, "the condition is looked at again on the new state")
        #expect(fixture.plane.snapshots.latest.gatewayCount == 4)
        fixture.log.order(.comeLate("gateways/theirs3", #"{"uri":"sip:192.0.2.52"}"#))
        try await fixture.commit(try put("gateway-groups/h", "{}"))
        #expect(try fixture.plane.view(ResourcePath(.gateways, "theirs3")).revision == fixture.store.position.revision)
        #expect(try fixture.plane.lookup(LookupQuery(number: "+4420")).value["matched_prefix"] == .string("44"))
        fixture.close()
    }

    @Test func `a log that is always stale ends in no-quorum, not in a loop`() async throws {
        let fixture = try ControlPlaneFixture()
        try await fixture.settle()
        let count = fixture.log.batches.count
        let position = fixture.store.position
        for _ in 0..<4 { fixture.log.order(.answer(.stale(position))) }
        #expect(await fixture.change(try put("gateway-groups/g", "{}")).refusal?.problem == .noQuorum)
        #expect(fixture.log.batches.count == count + 4)
        fixture.close()
    }

    @Test func `unknown is told as unknown; what was taken after all is in force`() async throws {
        let fixture = try ControlPlaneFixture()
        try await fixture.settle()
        fixture.log.order(.answer(.unknown(reason: "lost")), .writeAndForget)
        let lost = await fixture.change(try put("gateways/a", #"{"uri":"sip:192.0.2.1"}"#)).refusal
        #expect(lost?.problem == .outcomeUnknown)
        #expect(lost?.retryAfterSeconds == 1)
        #expect(fixture.plane.snapshots.latest.gatewayCount == 0)
        let taken = await fixture.change(try put("gateways/b", #"{"uri":"sip:192.0.2.2"}"#)).refusal
        #expect(taken?.problem == .outcomeUnknown)
        #expect(fixture.plane.snapshots.latest.gateways.map(\.id) == ["b"])
        #expect(fixture.plane.revision == fixture.store.position.revision.number)
        let result = try await fixture.commit(try put("gateways/b", #"{"uri":"sip:192.0.2.2"}"#))
        #expect(result.operations.first?.outcome == .unchanged)
        fixture.close()
    }

    @Test func `status changes survive a failing disk, in order, each recorded once`() async throws {
        let fixture = try ControlPlaneFixture()
        try await fixture.provisionLondon()
        let full = OrderedChangeLog.Order.answer(.readOnly(reason: "disk full"))
        fixture.log.order(full, full)
        try fixture.takeOut("lon1")
        try fixture.takeOut("lon2")
        // Two failures are used up by whatever comes first: the status changes alone or with these. While the writer
        // has them in hand nothing seems to wait.
        while fixture.log.hasOrders || fixture.plane.readOnlyReason != nil
            || fixture.plane.networkManager.pendingCount > 0
        {
            _ = await fixture.change(try put("gateway-groups/try", "{}"))
        }
        try await fixture.settle()
        #expect(try fixture.statusRecords().map(\.gateway) == ["lon1", "lon2"])
        fixture.log.order(.writeAndForget)
        fixture.clock.move(by: .seconds(61))
        fixture.plane.networkManager.sweep()
        try await settleWhateverComes(fixture)
        #expect(
            try fixture.statusRecords().map(\.cause) == [
                .noResponse, .noResponse, .timeValueReached, .timeValueReached,
            ])
        fixture.close()
    }

    @Test func `status changes alone wake the writer, and subscribers hear of it`() async throws {
        let fixture = try ControlPlaneFixture()
        try await fixture.provisionLondon()
        let (stream, wakes) = AsyncStream<Void>.makeStream()
        let subscription = fixture.plane.networkManager.subscribe { wakes.yield() }
        try fixture.takeOut("lon1")
        for await _ in stream where try !fixture.statusRecords().isEmpty { break }
        fixture.plane.networkManager.end(subscription)
        #expect(try fixture.statusRecords().map(\.to) == [.outOfService])
        let events = try fixture.plane.events(after: 0, types: ["gateway.status.changed"], limit: 10).value
        #expect(events.map(\.subject) == ["gateways/lon1"])
        fixture.close()
    }

    @Test func `the first event of a run is server-started, and each change has its event`() async throws {
        let fixture = try ControlPlaneFixture()
        try await fixture.settle()
        let events = try fixture.plane.events(after: 0, types: [], limit: 100).value
        #expect(events.map(\.type).sorted() == ["routing.changed", "routing.changed", "server.started"])
        #expect(try fixture.plane.newestEvent() == 3)
        let started = try #require(events.first { $0.type == "server.started" })
        #expect(try json(started.data)["node"] == .string("n1"))
        fixture.close()
    }

    @Test func `after stop nothing is taken, and what waited is answered`() async throws {
        let fixture = try ControlPlaneFixture(starts: false)
        async let answer = fixture.change(try put("gateways/a", #"{"uri":"sip:192.0.2.1"}"#))
        while fixture.plane.pendingChangeCount == 0 { await Task.yield() }
        fixture.plane.stop()
        #expect(try await answer.refusal == nil)
        #expect(fixture.plane.revision == 2)
        #expect(await fixture.change(try put("gateways/b", #"{"uri":"sip:192.0.2.2"}"#)).refusal?.problem == .readOnly)
        fixture.plane.stop()
        fixture.store.close()
    }

    @Test func `more than ten thousand waiting changes are too many`() throws {
        let fixture = try ControlPlaneFixture(starts: false)
        let refused = Mutex<[Refusal]>([])
        let change = Change([try put("gateway-groups/g", "{}")], who: "test")
        for _ in 0..<10_001 {
            fixture.plane.submit(change) { result in
                if let refusal = result.refusal { refused.withLock { $0.append(refusal) } }
            }
        }
        #expect(refused.withLock { $0.map(\.problem) } == [.tooManyRequests])
        #expect(refused.withLock { $0.first?.retryAfterSeconds } == 1)
        fixture.close()
        #expect(fixture.plane.revision == 2, "ten thousand times the same is one change")
    }

    private func settleWhateverComes(_ fixture: ControlPlaneFixture) async throws {
        var number = 0
        repeat {
            _ = await fixture.change(try put("gateway-groups/settle-again-\(number)", "{}"))
            number += 1
        } while fixture.plane.networkManager.pendingCount > 0
    }
}
