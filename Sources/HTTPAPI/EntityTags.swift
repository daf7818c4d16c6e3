import ControlPlane

/// A list of entity tags as `If-Match` and `If-None-Match` hold it (RFC 9110 sections 8.8.3 and 13.1).
struct EntityTags: Equatable {
    /// Tags without quotes; `*` alone for any.
    let strong: [String]
    /// Weak tags without `W/` and quotes.
    let weak: [String]

    /// Reads a field's value; nil when it is no list of entity tags. At most 64 are taken.
    init?(_ text: String) {
        let text = text.trimmed
        if text == "*" {
            (strong, weak) = (["*"], [])
            return
        }
        var (strong, weak): ([String], [String]) = ([], [])
        var rest = text[...]
        while true {
            rest = rest.drop { $0 == "," || $0 == " " || $0 == "\t" }  // RFC 9110 section 5.6.1.2: empty elements
            if rest.isEmpty, !strong.isEmpty || !weak.isEmpty { break }
            let isWeak = rest.hasPrefix("W/")
            if isWeak { rest.removeFirst(2) }
            guard rest.first == "\"" else { return nil }
            rest.removeFirst()
            guard let end = rest.firstIndex(of: "\"") else { return nil }
            let tag = String(rest[..<end])
            guard tag != "*", tag.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7F }), strong.count + weak.count < 64 else {
                return nil
            }
            if isWeak { weak.append(tag) } else { strong.append(tag) }
            rest = rest[rest.index(after: end)...].drop { $0 == " " || $0 == "\t" }
            if rest.isEmpty { break }
            guard rest.first == "," else { return nil }
        }
        (self.strong, self.weak) = (strong, weak)
    }

    /// True when a cached answer with `etag` is still right: the weak comparison of `If-None-Match`.
    func matchesWeakly(_ etag: String) -> Bool {
        strong == ["*"] || strong.contains(etag) || weak.contains(etag)
    }
}

extension HTTPRequest {
    /// True when the client has what that tag stands for already: the answer is 304 (RFC 9110 section 13.1.2).
    func isKnown(_ etag: String) throws(HTTPProblem) -> Bool {
        guard let text = headers.ifNoneMatch else { return false }
        guard let tags = EntityTags(text) else {
            throw HTTPProblem(.malformed, "If-None-Match must be * or a list of entity tags in double quotes")
        }
        return tags.matchesWeakly(etag)
    }
}

extension Precondition {
    /// The conditions of a request that changes something. `If-Match` compares strongly: a weak tag matches nothing.
    init(_ headers: RequestHeaders) throws(HTTPProblem) {
        let ifMatch = try Self.tags("If-Match", headers.ifMatch)
        let ifNoneMatch = try Self.tags("If-None-Match", headers.ifNoneMatch)
        self.init(ifMatch: ifMatch?.strong, ifNoneMatch: ifNoneMatch.map { $0.strong + $0.weak })
    }

    private static func tags(_ name: String, _ text: String?) throws(HTTPProblem) -> EntityTags? {
        guard let text else { return nil }
        guard let tags = EntityTags(text) else {
            throw HTTPProblem(.malformed, "\(name) must be * or a list of entity tags in double quotes")
        }
        return tags
    }
}

extension String {
    /// Without blanks and tabs at both ends, as header fields may have them.
    var trimmed: String {
        let isBlank: (Character) -> Bool = { $0 == " " || $0 == "\t" }
        var part = self[...].drop(while: isBlank)
        while let last = part.last, isBlank(last) { part.removeLast() }
        return String(part)
    }
}
