import Fixtures
import Foundation
import JSON
import NetworkManager
import Routing
import Store
import Testing
import Time

@testable import ControlPlane

struct TokenRegistryTests {
    private let asker = TokenRegistry.Asker(who: "test", requestID: "1")

    private func put(_ tokens: TokenRegistry, _ id: String, _ members: [String: JSONValue]) async throws -> TokenView {
        try await withCheckedContinuation { continuation in
            tokens.put(id, .object(members), Precondition(), by: asker) { continuation.resume(returning: $0) }
        }.get().view
    }

    @Test func `tokens outlive a restart, and so does their last use; the file holds no token`() async throws {
        let folder = try TemporaryFolder()
        let store = try Store(path: folder.file(), node: "n1", at: WallTime(milliseconds: 0))
        let tokens = try TokenRegistry(store: store, clock: StandingClock())
        let secret = try #require(try await put(tokens, "a", ["role": .string("operator")]).body["token"]?.text)
        #expect(try store.tokens().first?.lastUsedAt == nil)
        guard case .known(let identity) = tokens.find(secret) else {
            Issue.record("the token is not known")
            return
        }
        #expect(identity.who == "a" && identity.role == .operator)
        #expect(try store.tokens().first?.lastUsedAt == nil, "a request costs no write")
        tokens.finish()
        #expect(try store.tokens().first?.lastUsedAt != nil)
        store.close()
        let again = try Store(path: folder.file(), node: "n1", at: WallTime(milliseconds: 0))
        defer { again.close() }
        let reopened = try TokenRegistry(store: again, clock: StandingClock())
        #expect(reopened.find(secret) == .known(identity) && reopened.isGood(identity))
        #expect(reopened.find(secret + "x") == .unknown)
        #expect(try Data(contentsOf: URL(fileURLWithPath: folder.file())).range(of: Data(secret.utf8)) == nil)
    }

    @Test func `a token is good until its end, and an end that is past may stay but not be set`() async throws {
        let folder = try TemporaryFolder()
        let store = try Store(path: folder.file(), node: "n1", at: WallTime(milliseconds: 0))
        defer { store.close() }
        let clock = StandingClock()
        let end = clock.wallTime + .seconds(60)
        let tokens = try TokenRegistry(store: store, clock: clock)
        let members: [String: JSONValue] = ["role": .string("reader"), "expires_at": .string(end.rfc3339)]
        let secret = try #require(try await put(tokens, "a", members).body["token"]?.text)
        guard case .known(let identity) = tokens.find(secret) else {
            Issue.record("the token is not known")
            return
        }
        #expect(tokens.isGood(identity))
        clock.move(by: .seconds(60))
        #expect(tokens.find(secret) == .expired(id: "a", at: end) && !tokens.isGood(identity))
        #expect(try tokens.view("a").body["expired"] == .bool(true))
        _ = try await put(tokens, "a", members.merging(["description": .string("ended")]) { $1 })
        await #expect(throws: Refusal.self) { _ = try await put(tokens, "b", members) }
    }

    @Test func `the digest is SHA-256, and equal only to itself`() {
        let digest = TokenDigest(of: "abc")
        let hexadecimal = digest.bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        #expect(hexadecimal == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        #expect(TokenDigest(bytes: digest.bytes) == digest && TokenDigest(bytes: [1]) == nil)
        for index in 0..<32 {
            var bytes = digest.bytes
            bytes[index] ^= 1
            #expect(TokenDigest(bytes: bytes) != digest)
        }
    }
}
