import Foundation
import JSON
import Synchronization
import Testing
import Time

@testable import HTTPAPI

/// Requests that wait for the disk or for events hold no thread, and may be left by their clients.
struct WaitingTests {
    private let put = "{\"uri\":\"sip:192.0.2.1\"}"

    private func send(_ client: RawClient, _ id: String) {
        client.send(
            "PUT /v1/gateways/\(id) HTTP/1.1\r\nHost: localhost\r\nContent-Length: \(put.utf8.count)\r\n\r\n\(put)")
    }

    /// Asks until as many requests wait.
    private func wait(_ api: APIFixture, untilWaiting count: Int) throws {
        let client = try api.client()
        let line = "tandem_http_waiting_requests \(count)\n"
        var text = ""
        for _ in 0..<5000 where !text.contains(line) { text = try client.request("GET", "/metrics").body }
        #expect(text.contains(line), "\(text)")
    }

    @Test func `while the disk is slow others are answered, and a client that went away does no harm`() throws {
        let gate = CommitGate()
        let api = try APIFixture(gate: gate)
        gate.close()
        let patient = try api.client()
        send(patient, "a")
        do {
            let hasty = try api.client()
            send(hasty, "b")
            try wait(api, untilWaiting: 2)
        }
        #expect(try api.request("GET", "/v1/gateways").body == "{\"items\":[]}\n")
        gate.open()
        #expect(try patient.response().status == 201)
        try wait(api, untilWaiting: 0)
        #expect(try api.request("GET", "/v1/gateways/b").status == 200)
    }

    @Test func `stop waits for a change that is under way`() throws {
        let gate = CommitGate()
        let api = try APIFixture(gate: gate)
        gate.close()
        let client = try api.client()
        send(client, "a")
        try wait(api, untilWaiting: 1)
        let opener = Thread { gate.open() }
        opener.start()
        api.server.stop()
        #expect(try client.response().status == 201)
    }

    @Test func `stop does not wait for ever: the change's outcome is then unknown`() throws {
        let gate = CommitGate()
        let api = try APIFixture(gate: gate) { settings, _ in settings.stopTimeout = .milliseconds(20) }
        gate.close()
        let client = try api.client()
        send(client, "a")
        try wait(api, untilWaiting: 1)
        api.server.stop()
        let answer = try client.response()
        #expect(answer.status == 503 && answer.text("type") == "/problems/outcome-unknown")
        #expect(answer["Retry-After"] == "1")
        gate.open()
    }

    @Test func `a long poll whose client went away ends although nothing happens`() throws {
        let api = try APIFixture()
        _ = try api.provision()
        do {
            let client = try api.client()
            client.send("GET /v1/events?types=webhook.failing&wait_s=60 HTTP/1.1\r\nHost: localhost\r\n\r\n")
            try wait(api, untilWaiting: 1)
        }
        try wait(api, untilWaiting: 0)
        api.server.stop()
        #expect(api.log.all.contains { $0.contains("path=/v1/events ") })
    }

    @Test func `every one of many writers at once is answered, and then finds what it wrote`() throws {
        let api = try APIFixture()
        let failures = Mutex<[String]>([])
        DispatchQueue.concurrentPerform(iterations: 16) { writer in
            do {
                let client = try api.client()
                for turn in 0..<20 {
                    let path = "/v1/gateways/w\(writer)-\(turn)"
                    let written = try client.request("PUT", path, body: put)
                    let read = try client.request("GET", path)
                    if written.status != 201 || read.body != written.body {
                        failures.withLock { $0.append("\(path): \(written.status), \(read.status)") }
                    }
                }
            } catch { failures.withLock { $0.append("\(error)") } }
        }
        #expect(failures.withLock { $0 } == [])
        #expect(try api.request("GET", "/v1/status")["Tandem-Revision"] == "321")
    }
}
