import ControlPlane
import JSON
import Testing

@testable import HTTPAPI

/// Answers that are made once a revision.
struct ReadAnswerTests {
    private func ask(
        _ answers: ReadAnswers, _ target: String, at revision: Int64, saying text: String, of made: Int64? = nil
    ) throws -> String {
        let answer = try answers.answer(to: target, at: revision) { () throws(HTTPProblem) in
            (ReadAnswers.Answer(body: Array(text.utf8), etag: nil), made ?? revision)
        }
        return String(decoding: answer.answer.body, as: UTF8.self)
    }

    @Test func `an answer is made once a revision and target`() throws {
        let answers = ReadAnswers()
        #expect(try ask(answers, "/a", at: 1, saying: "first") == "first")
        #expect(try ask(answers, "/a", at: 1, saying: "again") == "first")
        #expect(try ask(answers, "/b", at: 1, saying: "other") == "other")
        #expect(try ask(answers, "/a", at: 2, saying: "later") == "later")
        #expect(try ask(answers, "/a", at: 2, saying: "again") == "later")
        #expect(try ask(answers, "/b", at: 2, saying: "anew") == "anew")
    }

    @Test func `what is made of another revision than the one in force is not kept`() throws {
        let answers = ReadAnswers()
        #expect(try ask(answers, "/a", at: 1, saying: "early", of: 2) == "early")
        #expect(try ask(answers, "/a", at: 2, saying: "right") == "right")
        #expect(try ask(answers, "/a", at: 1, saying: "late") == "late", "whoever is late gets his own")
        #expect(try ask(answers, "/a", at: 2, saying: "again") == "right")
    }

    @Test func `a refusal is not kept, and memory is bounded`() throws {
        let answers = ReadAnswers()
        #expect(throws: HTTPProblem.self) {
            try answers.answer(to: "/a", at: 1) { () throws(HTTPProblem) in throw HTTPProblem(.notFound, "none") }
        }
        #expect(try ask(answers, "/a", at: 1, saying: "there") == "there")
        for number in 0..<ReadAnswers.limitCount { _ = try ask(answers, "/\(number)", at: 1, saying: "x") }
        #expect(try ask(answers, "/a", at: 1, saying: "made anew") == "made anew")
        let large = String(repeating: "x", count: ReadAnswers.limitBytes + 1)
        #expect(try ask(answers, "/large", at: 1, saying: large) == large)
        #expect(try ask(answers, "/large", at: 1, saying: "small") == "small")
    }

    @Test func `other defaults for all gateways show at once, with another entity tag`() throws {
        let api = try APIFixture()
        _ = try api.provision()
        let client = try api.client()
        let before = try client.request("GET", "/v1/gateways/lon1")
        #expect(try client.request("GET", "/v1/gateways/lon1").body == before.body)
        let list = try client.request("GET", "/v1/gateways?limit=1")
        _ = try client.request("PATCH", "/v1/settings", body: "{\"gateway_defaults\":{\"hold_s\":7}}")
        let after = try client.request("GET", "/v1/gateways/lon1")
        #expect(after.json["effective"]?["hold_s"] == .integer(7) && after["ETag"] != before["ETag"])
        #expect(try client.request("GET", "/v1/gateways?limit=1").body != list.body)
        let head = try client.request("HEAD", "/v1/gateways/lon1")
        #expect(head["ETag"] == after["ETag"] && head["Content-Length"] == "\(after.body.utf8.count)")
        #expect(try client.request("GET", "/v1/gateways/none").status == 404)
    }
}
