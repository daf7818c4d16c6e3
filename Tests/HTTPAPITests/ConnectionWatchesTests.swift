import Addressing
import Testing
import Time

@testable import HTTPAPI

/// Who gets a connection, and who has to go: API section 9.
struct ConnectionWatchesTests {
    private let watches = ConnectionWatches(limits: ConnectionWatches.Limits(total: 4, perAddress: 2))
    private let start = Instant(nanoseconds: 0)

    /// A connection from 192.0.2.`host` that has kept us waiting since then.
    private func watch(_ host: UInt32, waitingSince instant: Instant? = nil) -> ConnectionWatch {
        let watch = ConnectionWatch(descriptor: -1, address: IPAddress(ipv4: 0xC000_0200 + host), isTLS: false)
        if let instant { watch.expect(within: .seconds(10), from: instant, orElse: nil) }
        return watch
    }

    private func isAdmitted(_ watch: ConnectionWatch, at now: Instant) -> Bool {
        if case .admitted = watches.insert(watch, at: now) { return true }
        return false
    }

    @Test func `one address does not take what is another's`() {
        #expect(isAdmitted(watch(1), at: start) && isAdmitted(watch(1), at: start))
        guard case .refused(.address) = watches.insert(watch(1), at: start) else {
            Issue.record("a third one of the same address")
            return
        }
        #expect(isAdmitted(watch(2), at: start) && isAdmitted(watch(3), at: start))
        guard case .refused(.total) = watches.insert(watch(4), at: start) else {
            Issue.record("a fifth one")
            return
        }
    }

    @Test func `who has kept us waiting for longest makes room, and whoever has just begun does not`() {
        let (older, newer) = (watch(1, waitingSince: start), watch(1, waitingSince: start + .milliseconds(100)))
        #expect(isAdmitted(newer, at: start) && isAdmitted(older, at: start))
        guard case .refused = watches.insert(watch(1), at: start + .milliseconds(199)) else {
            Issue.record("nobody has waited for long")
            return
        }
        let newcomer = watch(1, waitingSince: start + .milliseconds(200))
        guard case .displacing(let victim, .address) = watches.insert(newcomer, at: start + .milliseconds(200)) else {
            Issue.record("the older one should make room")
            return
        }
        #expect(victim === older)
        // It counts no longer, and its end, when it comes, takes nothing away.
        watches.remove(older)
        guard case .displacing(let next, .address) = watches.insert(watch(1), at: start + .milliseconds(350)) else {
            Issue.record("the next one should make room")
            return
        }
        #expect(next === newer)
    }

    @Test func `where all places are taken, the address that has the most gives one`() {
        let alone = watch(2, waitingSince: start)
        let many = (0..<2).map { _ in watch(1, waitingSince: start + .milliseconds(1)) }
        for watch in [alone] + many + [watch(3)] { #expect(isAdmitted(watch, at: start)) }
        guard case .displacing(let victim, .total) = watches.insert(watch(4), at: start + .seconds(1)) else {
            Issue.record("one should make room")
            return
        }
        #expect(many.contains { $0 === victim })
    }

    @Test func `a connection that is gone leaves its place`() {
        let first = watch(1)
        #expect(isAdmitted(first, at: start) && isAdmitted(watch(1), at: start))
        watches.remove(first)
        watches.remove(first)
        #expect(isAdmitted(watch(1), at: start))
        guard case .refused = watches.insert(watch(1), at: start) else {
            Issue.record("a third one")
            return
        }
    }
}
