package import Addressing

/// An absolute `http` or `https` URL, read strictly: what two readers could take for two different places is refused,
/// however a browser would read it.
package struct WebURL: Equatable, Sendable {
    /// The URL as it is sent to.
    package let text: String
    /// True for `https`.
    package let isEncrypted: Bool
    /// The name, or the address without brackets, in lower case.
    package let host: String
    /// The address when the host is one.
    package let address: IPAddress?
    /// 1...65535; the scheme's own when none is given.
    package let port: UInt16
    /// Path and query, from the first `/` on.
    package let target: String

    /// Longer ones are refused.
    package static let limitBytes = 2048

    /// Why a text is no URL that we send to.
    package struct Malformed: Error, Equatable {
        /// For a person, behind the name of the field.
        package let reason: String
    }

    /// Reads a URL. Refuses user information, fragments, names with a dot at the end, and numbers that are no dotted
    /// quad but would be taken for an address (`0x7f.1`, `2130706433`, `127.1`, `0177.0.0.1`).
    package init(_ text: String) throws(Malformed) {
        guard text.utf8.count <= Self.limitBytes else {
            throw Malformed(reason: "longer than \(Self.limitBytes) bytes")
        }
        guard text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && !Self.isUnwise($0) }) else {
            throw Malformed(reason: "holds a blank, a backslash, a quote or a byte that is not ASCII")
        }
        guard let separator = text.firstRange(of: "://") else { throw Malformed(reason: "not an absolute URL") }
        switch text[..<separator.lowerBound].lowercased() {
        case "https": isEncrypted = true
        case "http": isEncrypted = false
        default: throw Malformed(reason: "neither https nor http")
        }
        let rest = text[separator.upperBound...]
        let end = rest.firstIndex { "/?#".contains($0) } ?? rest.endIndex
        guard !rest.contains("#") else { throw Malformed(reason: "has a fragment, which is never sent") }
        guard !rest[..<end].contains("@") else { throw Malformed(reason: "has user information before the host") }
        let (host, port) = try Self.authority(rest[..<end])
        (self.host, address) = try Self.read(host: host)
        self.port = try port.map { (text) throws(Malformed) in try Self.read(port: text) } ?? (isEncrypted ? 443 : 80)
        let target = rest[end...]
        guard Self.hasWholeEscapes(target) else { throw Malformed(reason: "has a % without two hexadecimal digits") }
        self.target = target.hasPrefix("/") ? String(target) : "/" + target
        let shown = address?.family == .ipv6 ? "[\(self.host)]" : self.host
        let isStandard = self.port == (isEncrypted ? 443 : 80)
        self.text = (isEncrypted ? "https://" : "http://") + shown + (isStandard ? "" : ":\(self.port)") + self.target
    }

    /// The same place with another path.
    package func replacing(target: String) throws(Malformed) -> WebURL {
        try WebURL(String(text.dropLast(self.target.count)) + target)
    }

    /// Characters that RFC 3986 has in no URL, and that readers disagree about.
    private static func isUnwise(_ byte: UInt8) -> Bool { #""<>\^`{|}"#.utf8.contains(byte) }

    /// Host and port of an authority; brackets stay for `read(host:)`.
    private static func authority(_ text: Substring) throws(Malformed) -> (host: Substring, port: Substring?) {
        if text.hasPrefix("[") {
            guard let end = text.firstIndex(of: "]") else { throw Malformed(reason: "has a [ without its ]") }
            let rest = text[text.index(after: end)...]
            guard rest.isEmpty || rest.hasPrefix(":") else { throw Malformed(reason: "goes on behind the ]") }
            return (text[...end], rest.isEmpty ? nil : rest.dropFirst())
        }
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count <= 2, let host = parts.first else {
            throw Malformed(reason: "has an IPv6 address without [ ] or two ports")
        }
        return (host, parts.count == 2 ? parts[1] : nil)
    }

    private static func read(host: Substring) throws(Malformed) -> (String, IPAddress?) {
        guard !host.isEmpty else { throw Malformed(reason: "has no host") }
        if host.hasPrefix("[") {
            guard let address = IPAddress(host.dropFirst().dropLast()), host.contains(":") else {
                throw Malformed(reason: "has no IPv6 address in its brackets")
            }
            // A v4-mapped address is the IPv4 address that it stands for.
            return (address.description, address)
        }
        if let address = IPAddress(host) { return (address.description, address) }
        let name = host.lowercased()
        guard name.utf8.count <= 253 else { throw Malformed(reason: "has a host of more than 253 bytes") }
        let labels = name.split(separator: ".", omittingEmptySubsequences: false)
        guard labels.last?.isEmpty == false else { throw Malformed(reason: "has a dot at the end of its host") }
        for label in labels {
            let isName = label.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
                    UInt8(ascii: "-"), UInt8(ascii: "_"):
                    true
                default: false
                }
            }
            guard (1...63).contains(label.utf8.count), isName, label.first != "-", label.last != "-" else {
                throw Malformed(reason: "has a host that is neither a name nor an address")
            }
        }
        guard let last = labels.last, !isNumber(last) else {
            throw Malformed(reason: "has an odd spelling of an address as its host; four decimal numbers are taken")
        }
        return (name, nil)
    }

    /// What the standard of URLs takes for the end of an IPv4 address: digits, or 0x and hexadecimal digits.
    private static func isNumber(_ label: Substring) -> Bool {
        if label.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) { return true }
        return label.hasPrefix("0x") && label.dropFirst(2).allSatisfy { $0.isHexDigit }
    }

    private static func read(port: Substring) throws(Malformed) -> UInt16 {
        let isNumber = !port.isEmpty && port.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        guard isNumber, let number = UInt16(port), number > 0 else {
            throw Malformed(reason: "has a port that is not 1...65535")
        }
        return number
    }

    private static func hasWholeEscapes(_ text: Substring) -> Bool {
        var rest = text
        while let percent = rest.firstIndex(of: "%") {
            let digits = rest[percent...].dropFirst().prefix(2)
            guard digits.count == 2, digits.allSatisfy({ $0.isHexDigit }) else { return false }
            rest = rest[digits.endIndex...]
        }
        return true
    }
}
