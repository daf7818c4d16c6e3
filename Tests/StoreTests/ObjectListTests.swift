import Fixtures
import JSON
import Routing
import Store
import Testing
import Time

@Suite struct ObjectListTests {
    let folder: TemporaryFolder
    let store: Store

    init() throws {
        folder = try TemporaryFolder()
        store = try folder.store()
        store.change(
            ["any", "44", "4420", "45", "4", "*21#", "#9"].map {
                (ResourcePath(route: $0, plan: "default"), Sample.route("uk"))
            } + [(ResourcePath(route: "441", plan: "other"), Sample.route("uk"))]
                + ["b", "a-1", "a.1", "a", "c"].map { (ResourcePath(.gateways, $0), .object([:])) })
        store.change([(ResourcePath(.gateways, "c"), nil), (ResourcePath(route: "45", plan: "default"), nil)])
    }

    private func routes(
        prefix: String? = nil, after: String? = nil, limit: Int = 100, plan: String? = "default"
    ) throws -> [String] {
        try store.objects(.routes, plan: plan, idPrefix: prefix, after: after, limit: limit).value.map(\.path.id)
    }

    @Test func `lists come in the order of the ids' bytes, without what was deleted`() throws {
        let read = try store.objects(.gateways, plan: nil, idPrefix: nil, after: nil, limit: 100)
        #expect(read.value.map(\.path.id) == ["a", "a-1", "a.1", "b"])
        #expect(read.revision == Revision(2))
    }

    @Test func `routes come in the order of their prefixes, the catch-all first`() throws {
        #expect(try routes() == ["any", "#9", "*21#", "4", "44", "4420"])
        #expect(try routes(plan: "other") == ["441"])
        #expect(try routes(plan: "none").isEmpty)
    }

    @Test func `below a prefix lie the routes that begin so`() throws {
        #expect(try routes(prefix: "44") == ["44", "4420"])
        #expect(try routes(prefix: "any").count == 6)
        #expect(try routes(prefix: "44", after: "44") == ["4420"])
        #expect(try routes(prefix: "44", after: "5").isEmpty)
    }

    @Test func `a list ends with the object that makes it too long`() throws {
        func routes(_ limitBytes: Int) throws -> [String] {
            try store.objects(
                .routes, plan: "default", idPrefix: nil, after: nil, limit: 100, limitBytes: limitBytes
            ).value.map(\.path.id)
        }
        #expect(try routes(1) == ["any"])
        #expect(try routes(Sample.route("uk").canonicalText.utf8.count + 1) == ["any", "#9"])
    }

    @Test(arguments: [1, 2, 3, 100]) func `a walk over pages sees each object once`(limit: Int) throws {
        var (seen, after): ([String], String?) = ([], nil)
        for _ in 0..<20 {
            let page = try routes(after: after, limit: limit)
            guard let last = page.last else { break }
            seen += page
            after = last
        }
        #expect(seen == ["any", "#9", "*21#", "4", "44", "4420"])
    }

    @Test func `all objects come kind by kind, routes last, of one revision`() throws {
        var kinds: [ResourceKind] = []
        var routes: [StoredRoute] = []
        let revision = try store.forEachObject {
            kinds.append($0.path.kind)
        } route: {
            kinds.append(.routes)
            routes.append($0)
        }
        #expect(revision == Revision(2))
        #expect(kinds == Array(repeating: .gateways, count: 4) + Array(repeating: .routes, count: 7))
        #expect(routes.contains { $0.prefix == .catchAll })
        for route in routes {
            let path = ResourcePath(route: route.prefix.description, plan: route.plan)
            #expect(try store.object(path).value?.body == route.body)
            for other in routes { #expect((other.bodyNumber == route.bodyNumber) == (other.body == route.body)) }
        }
    }
}
