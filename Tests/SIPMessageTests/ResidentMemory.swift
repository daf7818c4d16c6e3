import Glibc

/// How much memory of this process is in use.
enum ResidentMemory {
    /// Bytes, by /proc; 0 where that is not there.
    static var bytes: Int {
        guard let file = fopen("/proc/self/statm", "r") else { return 0 }
        defer { fclose(file) }
        var text = [CChar](repeating: 0, count: 128)
        guard fgets(&text, 128, file) != nil else { return 0 }
        let fields = String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            .split(separator: " ")
        return fields.count > 1 ? (Int(fields[1]) ?? 0) * Int(getpagesize()) : 0
    }
}

/// A count that whoever runs the tests may ask for.
enum EnvironmentCount {
    static func value(of name: String) -> Int? { getenv(name).flatMap { Int(String(cString: $0)) } }
}
