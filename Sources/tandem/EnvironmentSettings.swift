/// Settings in the environment: `--log-level` is `TANDEM_LOG_LEVEL`. A flag on the command line wins.
enum EnvironmentSettings {
    private static let flags =
        [
            "database", "api", "proxy", "redirect", "advertise", "workers", "worker-priority", "log-level",
            "log-format",
            "admin-token-file", "api-certificate", "api-key", "api-name", "good-copy-s",
        ] + APILimits.flags
    /// The flags of the other commands that have any to do with a server.
    private static let flagsOfCommands = [
        "serve": flags, "backup": ["api", "output", "admin-token-file", "api-certificate"],
        "restore": ["from", "database"], "check": ["database"],
    ]

    /// The arguments with those settings put in that stand in the environment alone. `TANDEM_PROXY` and
    /// `TANDEM_REDIRECT` may hold several addresses with commas between.
    static func merged(_ arguments: [String], environment: [String: String]) -> [String] {
        guard let command = arguments.first, let flags = flagsOfCommands[command] else { return arguments }
        var merged = arguments
        for flag in flags where !arguments.contains(where: { isFlag($0, flag) }) {
            guard let value = environment[variable(of: flag)], !value.isEmpty else { continue }
            let isList = ["proxy", "redirect", "api-name"].contains(flag)
            for part in isList ? value.split(separator: ",").map(String.init) : [value] {
                merged += ["--\(flag)", part]
            }
        }
        return merged
    }

    private static func isFlag(_ argument: String, _ flag: String) -> Bool {
        argument == "--\(flag)" || argument.hasPrefix("--\(flag)=")
    }

    private static func variable(of flag: String) -> String {
        "TANDEM_" + String(flag.uppercased().map { $0 == "-" ? "_" : $0 })
    }
}
