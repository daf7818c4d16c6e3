import JSON
import NetworkManager
import Store
import Testing
import Time

@testable import HTTPAPI

struct TextFormTests {
    @Test(arguments: ["lon1", "44", "*#", "any", "a-z_.9", "ü"])
    func `a cursor gives back the id that it was made of`(id: String) {
        let text = Cursor.text(after: id)
        #expect(Cursor.id(text) == id)
        #expect(text.utf8.allSatisfy { $0 != UInt8(ascii: "=") && $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: "+") })
    }

    @Test(arguments: ["", "A", "!!", "bG9uMQ==", "_w", "bG9uMR", String(repeating: "A", count: 600)])
    func `what is no cursor of ours is refused`(text: String) {
        #expect(Cursor.id(text) == nil)
    }

    @Test func `entity tags: a list with weak ones among them, and the star (RFC 9110 section 13.1)`() throws {
        let tags = try #require(EntityTags(" \"r1\", W/\"r2\" ,\"a,b\""))
        #expect(tags.strong == ["r1", "a,b"])
        #expect(tags.weak == ["r2"])
        #expect(EntityTags(" ,\"r1\",, W/\"r2\" ,\"a,b\", ,") == tags, "section 5.6.1.2")
        #expect(tags.matchesWeakly("r2") && tags.matchesWeakly("r1") && !tags.matchesWeakly("r3"))
        #expect(EntityTags("*")?.matchesWeakly("anything") == true)
    }

    @Test(arguments: ["", "r1", "\"r1", "\"a\" \"b\"", ",", "w/\"a\"", "\"*\"", "\"a b\""])
    func `what is no list of entity tags is refused`(text: String) {
        #expect(EntityTags(text) == nil)
    }

    @Test func `a target is decoded once, segment by segment, and + stands for itself`() throws {
        let target = try RequestTarget("/v1/routing-plans/default/routes/%2344%2F5?number=+44%2B1&x&y=%2523")
        #expect(target.segments == ["v1", "routing-plans", "default", "routes", "#44/5"])
        #expect(target.parameters.map { "\($0.name)=\($0.value)" } == ["number=+44+1", "x=", "y=%23"])
    }

    @Test(arguments: ["/a%", "/a%4", "/a%zz", "/%ff", "/a%00", "/a?b=%C3%28", "/a?b=1&b=2", "*", "a/b"])
    func `a target that can't be decoded is malformed`(text: String) {
        #expect {
            try RequestTarget(text)
        } throws: { ($0 as? HTTPProblem)?.kind == .malformed }
    }

    @Test func `Accept: the most specific range decides, and q=0 excludes`() {
        func quality(_ accept: String?, _ type: String = "application/json") -> Int {
            var headers = RequestHeaders()
            headers.accept = accept
            return headers.quality(of: type)
        }
        #expect(quality(nil) == 1000)
        #expect(quality("text/html, */*;q=0.5") == 500)
        #expect(quality("application/json;q=0, */*") == 0)
        #expect(quality("application/*;q=0.25") == 250)
        #expect(quality("text/html") == 0)
        #expect(quality("*/*;q=nan") == 0)
    }

    @Test func `figures stand together by name, under one HELP and TYPE, with labels escaped`() {
        var text = PrometheusText()
        text.gauge("a", "First\nline.", labels: [("gateway", "l\"o\\n\n1")], value: 1)
        text.counter("b_total", "B.", value: UInt64(7))
        text.gauge("a", "Other words.", labels: [("gateway", "x"), ("y", "z")], value: 0.5)
        #expect(
            text.text == """
                # HELP a First\\nline.
                # TYPE a gauge
                a{gateway="l\\"o\\\\n\\n1"} 1
                a{gateway="x",y="z"} 0.5
                # HELP b_total B.
                # TYPE b_total counter
                b_total 7

                """)
    }

    @Test func `an event is a CloudEvents object on one line, whatever its data and subject hold`() throws {
        let event = StoredEvent(
            sequence: 41, type: "routing.changed", source: "tandem/n1", subject: "a\"b\nc",
            time: WallTime(milliseconds: 0), data: "{\"x\":\n1}")
        let text = CloudEvent.text(event)
        #expect(!text.contains("\n"))
        let json = try JSONValue(parsing: Array(text.utf8))
        #expect(json["specversion"] == .string("1.0") && json["id"] == .string("41"))
        #expect(json["subject"] == .string("a\"b\nc") && json["time"] == .string("1970-01-01T00:00:00.000Z"))
        #expect(json["data"]?["x"] == .integer(1))
        #expect(CloudEvent.block(id: 41, type: "t", text: "{}") == "id: 41\nevent: t\ndata: {}\n\n")
        #expect(CloudEvent.block(id: nil, type: "t", text: "{}") == "event: t\ndata: {}\n\n")
    }
}
