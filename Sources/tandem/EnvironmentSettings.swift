/// Settings in the environment: `--log-level` of `serve` is `TANDEM_LOG_LEVEL`. A flag on the command line wins.
enum EnvironmentSettings {
    private static let flags = [
        "database", "api", "proxy", "redirect", "advertise", "workers", "log-level", "log-format",
        "admin-token-file",
    ]
    /// Flags of the contract that this version does not have: refused, so that nobody believes them to be in force.
    private static let absentFlags = ["api-certificate", "api-key"]
    /// Commands of the contract that this version does not have.
    private static let absentCommands = ["backup", "restore"]

    /// The arguments with those settings put in that stand in the environment alone. `TANDEM_PROXY` and
    /// `TANDEM_REDIRECT` may hold several addresses with commas between.
    static func merged(_ arguments: [String], environment: [String: String]) throws -> [String] {
        if let command = arguments.first, absentCommands.contains(command) {
            throw Failure.setting("\(command) is not built yet in this version")
        }
        guard arguments.first == "serve" else { return arguments }
        for flag in absentFlags {
            if let value = environment[variable(of: flag)], !value.isEmpty {
                throw Failure.setting("\(variable(of: flag)): --\(flag) is not built yet in this version")
            }
            if arguments.contains(where: { isFlag($0, flag) }) {
                throw Failure.setting("--\(flag) is not built yet in this version")
            }
        }
        var merged = arguments
        for flag in flags where !arguments.contains(where: { isFlag($0, flag) }) {
            guard let value = environment[variable(of: flag)], !value.isEmpty else { continue }
            let isList = flag == "proxy" || flag == "redirect"
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
