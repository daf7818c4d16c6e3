import Foundation
import Testing

extension IntegrationTests {
    /// The figures of API section 8, and what is made of them: alerts and a dashboard.
    @Suite(.serialized) struct MetricsTests {
        private static let folder = TandemProcess.packageRoot.appendingPathComponent("deploy/monitoring")
        private static let hasPromtool = ChildProcess.isInstalled("promtool")

        /// All figures of a server that has one of everything that figures tell of.
        private func figures() throws -> String {
            try TandemProcess.serving { tandem in
                try tandem.provisionTwoGateways(ports: (9, 19))
                let isAllowed = try tandem.patch("settings", #"{"webhook_networks":["127.0.0.0/8"]}"#).status == 200
                try #require(isAllowed)
                try tandem.provision("webhooks/oss", #"{"url":"http://127.0.0.1:9/"}"#)
                return try tandem.get("/metrics").body
            }
        }

        /// The names of metrics in a text that asks for them.
        private func names(in text: String) -> Set<String> {
            var names: Set<String> = []
            for word in text.split(whereSeparator: { !($0.isLetter || $0.isNumber || $0 == "_") }) {
                let isMetric = word.hasPrefix("tandem_") || word.hasPrefix("process_")
                if isMetric, word.contains(where: \.isLowercase) { names.insert(String(word)) }
            }
            return names
        }

        @Test func `all that the contract lists is there, each with its help and its type`() throws {
            let text = try figures()
            let listed = [
                "tandem_requests_received_total", "tandem_responses_received_total", "tandem_responses_sent_total",
                "tandem_retransmissions_received_total", "tandem_requests_resent_total", "tandem_attempts_total",
                "tandem_attempts_failed_total", "tandem_failovers_total", "tandem_first_response_seconds",
                "tandem_gateway_in_service", "tandem_group_in_service", "tandem_gateway_active_calls",
                "tandem_active_calls", "tandem_live_calls", "tandem_call_records_dropped_total",
                "tandem_status_changes_unqueued_total", "tandem_routing_revision", "tandem_snapshot_timestamp_seconds",
                "tandem_change_duration_seconds", "tandem_commit_duration_seconds", "tandem_changes_pending",
                "tandem_status_changes_pending", "tandem_observations_pending", "tandem_routing_objects",
                "tandem_build_info", "process_resident_memory_bytes", "process_cpu_seconds_total",
            ]
            for name in listed {
                #expect(text.contains("# HELP \(name) ") && text.contains("# TYPE \(name) "), "\(name)")
            }
            #expect(text.contains("tandem_routing_objects{kind=\"gateways\"} 2\n"))
            #expect(text.contains("tandem_group_in_service{group=\"both\"} 1\n"))
            let changes = text.split(separator: "\n").first { $0.hasPrefix("tandem_change_duration_seconds_count ") }
            #expect(changes == "tandem_change_duration_seconds_count 6")
        }

        @Test(.enabled(if: hasPromtool, "promtool is not installed (Debian: prometheus)"))
        func `promtool finds nothing wrong with the figures`() throws {
            let text = try figures()
            try withTemporaryFolder { folder in
                let file = folder.appendingPathComponent("metrics.txt")
                try text.write(to: file, atomically: true, encoding: .utf8)
                let (ending, output) = try ChildProcess.run("sh", ["-c", "promtool check metrics < '\(file.path)'"])
                #expect(ending == .exit(0) && output.isEmpty, "\(output)")
            }
        }

        @Test(.enabled(if: hasPromtool, "promtool is not installed (Debian: prometheus)"))
        func `the alerts are well-formed and say of made-up figures what they should`() throws {
            for command in ["check rules alerts.yml", "test rules alerts-test.yml"] {
                let (ending, output) = try ChildProcess.run(
                    "sh", ["-c", "cd '\(Self.folder.path)' && promtool \(command)"])
                #expect(ending == .exit(0), "promtool \(command): \(output)")
            }
        }

        @Test(arguments: ["alerts.yml", "alerts-test.yml", "dashboard.json"])
        func `every figure that alerts and dashboard ask for is there`(file: String) throws {
            let text = try String(contentsOf: Self.folder.appendingPathComponent(file), encoding: .utf8)
            let known = names(in: try figures()).union(["tandem_http_certificate_expiry_timestamp_seconds"])
            let asked = names(in: text)
            #expect(asked.count > 5)
            #expect(asked.subtracting(known).isEmpty)
        }

        @Test func `the dashboard is JSON, and each of its panels asks for something`() throws {
            let text = try String(contentsOf: Self.folder.appendingPathComponent("dashboard.json"), encoding: .utf8)
            let panels = try Document(text)["panels"].elements
            #expect(panels.count > 20)
            for panel in panels where panel["type"].string != "row" {
                let expressions = panel["targets"].elements.compactMap { $0["expr"].string }
                #expect(!expressions.isEmpty && expressions.allSatisfy { !names(in: $0).isEmpty })
            }
        }
    }
}
