import Glibc
import HTTPAPI
import SignallingCore
import SignallingIO

/// What `/metrics` says of the process and its signalling.
enum ProcessMetrics {
    static func write(of dataPlane: DataPlane, into text: inout PrometheusText) {
        let counters = dataPlane.counters()
        counters.signalling.forEach { name, label, help, value in
            text.counter("\(name)", "\(help)", labels: labels(label), value: value)
        }
        text.histogram(
            "tandem_first_response_seconds", "How long gateways took to answer calls at all.",
            bars: counters.signalling.firstResponseBars.map { ($0.boundSeconds, $0.count) },
            sum: Double(counters.signalling.firstResponseMicroseconds) / 1e6)
        counters.io.forEach { name, label, help, value in
            text.counter("\(name)", "\(help)", labels: labels(label), value: value)
        }
        text.gauge("tandem_active_calls", "Calls that look for a gateway or ring.", value: Double(dataPlane.callCount))
        text.gauge(
            "tandem_live_calls", "Calls that were answered and are not over.", value: Double(dataPlane.liveCallCount))
        text.gauge(
            "tandem_tcp_connections", "Connections that are open or being opened.",
            value: Double(dataPlane.connectionCount))
        text.gauge(
            "tandem_live_transactions", "Transactions and response contexts that are alive.",
            value: Double(dataPlane.transactionCount))
        let waiting = dataPlane.observationCounts
        for (kind, count) in [("status-change", waiting.transitions), ("call-record", waiting.callRecords)] {
            text.gauge(
                "tandem_observations_pending", "What workers have seen and nobody has looked at yet, by kind.",
                labels: [("kind", kind)], value: Double(count))
        }
        writeProcess(into: &text)
    }

    /// What every Prometheus client library says of its process, by the same names.
    private static func writeProcess(into text: inout PrometheusText) {
        var usage = rusage()
        if getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage) == 0 {
            let times = [usage.ru_utime, usage.ru_stime]
            text.counter(
                "process_cpu_seconds_total", "Processor time, of the user and of the system.",
                value: times.reduce(0) { $0 + Double($1.tv_sec) + Double($1.tv_usec) / 1e6 })
        }
        let pages = words(of: "/proc/self/statm").compactMap { Double($0) }
        if pages.count >= 2 {
            let pageBytes = Double(sysconf(Int32(_SC_PAGESIZE)))
            text.gauge("process_virtual_memory_bytes", "Address space.", value: pages[0] * pageBytes)
            text.gauge("process_resident_memory_bytes", "Memory that is really held.", value: pages[1] * pageBytes)
        }
        var limit = rlimit()
        if getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 {
            text.gauge("process_max_fds", "How many descriptors may be open.", value: Double(limit.rlim_cur))
        }
        text.gauge("process_open_fds", "Open descriptors.", value: Double(descriptorCount))
        text.gauge("process_start_time_seconds", "When the process began.", value: startSeconds)
    }

    private static func words(of path: String) -> [Substring] {
        guard let file = fopen(path, "r") else { return [] }
        defer { fclose(file) }
        var line = [CChar](repeating: 0, count: 512)
        guard fgets(&line, Int32(line.count), file) != nil else { return [] }
        return String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self).split(
            separator: " ")
    }

    private static var descriptorCount: Int {
        guard let folder = opendir("/proc/self/fd") else { return 0 }
        defer { closedir(folder) }
        var count = -3  // `.`, `..` and the descriptor that reads
        while readdir(folder) != nil { count += 1 }
        return max(0, count)
    }

    /// About when this was first asked for: at the start of the server.
    static let startSeconds: Double = {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Double(time.tv_sec)
    }()

    /// `method="INVITE"` as a name and a value.
    private static func labels(_ label: StaticString) -> [(name: String, value: String)] {
        let parts = "\(label)".split(separator: "=", maxSplits: 1)
        guard parts.count == 2 else { return [] }
        return [(String(parts[0]), parts[1].filter { $0 != "\"" })]
    }
}
