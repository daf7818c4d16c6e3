import Addressing
import CCurl
import Time

/// One request with libcurl's handle. Touched on the client's thread only.
final class Transfer {
    /// The handle.
    let handle: UnsafeMutableRawPointer
    private let post: HTTPPost
    private let whenDone: @Sendable (HTTPPostResult) -> Void
    private let startedAt: Instant
    private let owner: UnsafeMutablePointer<tandem_curl_owner>
    private let errorText: UnsafeMutablePointer<CChar>
    private var headers: UnsafeMutablePointer<curl_slist>?
    private var receivedBytes = 0
    private var hasEnough = false
    /// libcurl takes a head that ends in its middle for a response; we do not.
    private var hasWholeHead = false
    private var refusal: String?

    /// Nil when libcurl gives no handle or does not know an option: it is older than Debian 12's.
    init?(
        _ post: HTTPPost, userAgent: String, certificates: String?, at now: Instant,
        whenDone: @escaping @Sendable (HTTPPostResult) -> Void
    ) {
        guard let handle = curl_easy_init() else { return nil }
        (self.handle, self.post, self.whenDone, startedAt) = (handle, post, whenDone, now)
        owner = .allocate(capacity: 1)
        owner.initialize(to: tandem_curl_owner())
        errorText = .allocate(capacity: Int(CURL_ERROR_SIZE))
        errorText.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
        guard configure(userAgent: userAgent, certificates: certificates) else { return nil }
    }

    deinit {
        curl_easy_cleanup(handle)
        curl_slist_free_all(headers)
        owner.deallocate()
        errorText.deallocate()
    }

    private func configure(userAgent: String, certificates: String?) -> Bool {
        owner.pointee.closure = Unmanaged.passUnretained(self).toOpaque()
        owner.pointee.is_allowed = { closure, family, bytes in
            guard let closure, let bytes else { return false }
            return Unmanaged<Transfer>.fromOpaque(closure).takeUnretainedValue().allows(family, bytes)
        }
        owner.pointee.received = { closure, count in
            guard let closure else { return false }
            return Unmanaged<Transfer>.fromOpaque(closure).takeUnretainedValue().receive(count)
        }
        owner.pointee.received_head = { closure, isWhole in
            guard let closure else { return }
            Unmanaged<Transfer>.fromOpaque(closure).takeUnretainedValue().hasWholeHead = isWhole
        }
        let numbers: [(CURLoption, Int)] = [
            (CURLOPT_POST, 1), (CURLOPT_NOSIGNAL, 1), (CURLOPT_FOLLOWLOCATION, 0),
            (CURLOPT_SSL_VERIFYPEER, 1), (CURLOPT_SSL_VERIFYHOST, 2),
            (CURLOPT_SSLVERSION, Int(CURL_SSLVERSION_TLSv1_2)), (CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_1_1)),
            (CURLOPT_TIMEOUT_MS, Self.milliseconds(post.timeout)),
            (CURLOPT_CONNECTTIMEOUT_MS, Self.milliseconds(post.connectTimeout)),
            (CURLOPT_MAXAGE_CONN, 30), (CURLOPT_DNS_CACHE_TIMEOUT, 30),
            // A name server that says nothing must not hold up the thread, and with it every other request.
            (CURLOPT_QUICK_EXIT, 1),
        ]
        let texts: [(CURLoption, String)] = [
            (CURLOPT_URL, post.url.text), (CURLOPT_USERAGENT, userAgent), (CURLOPT_PROTOCOLS_STR, "http,https"),
            // The environment's proxies would be talked to instead of the address that was checked.
            (CURLOPT_PROXY, ""), (CURLOPT_NOPROXY, "*"),
        ]
        for (option, value) in numbers where tandem_curl_set_number(handle, option, value) != CURLE_OK { return false }
        for (option, value) in texts where tandem_curl_set_pointer(handle, option, value) != CURLE_OK { return false }
        if let certificates, tandem_curl_set_pointer(handle, CURLOPT_CAINFO, certificates) != CURLE_OK { return false }
        // A line's end in a value would begin another field.
        let values = post.headers.map(\.value)
        guard values.allSatisfy({ $0.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F } }) else { return false }
        for line in post.headers.map({ "\($0.name): \($0.value)" }) + ["Expect:", "Accept:"] {
            guard let longer = curl_slist_append(headers, line) else { return false }
            headers = longer
        }
        return tandem_curl_set_pointer(handle, CURLOPT_HTTPHEADER, headers) == CURLE_OK
            && tandem_curl_set_pointer(handle, CURLOPT_ERRORBUFFER, errorText) == CURLE_OK
            && tandem_curl_set_body(handle, post.body, post.body.count) == CURLE_OK
            && tandem_curl_set_owner(handle, owner) == CURLE_OK
    }

    private static func milliseconds(_ duration: Duration) -> Int { Int(clamping: max(1, duration.milliseconds)) }

    private func allows(_ family: Int32, _ bytes: UnsafePointer<UInt8>) -> Bool {
        func word(_ range: Range<Int>) -> UInt64 { range.reduce(0) { $0 << 8 | UInt64(bytes[$1]) } }
        let address =
            family == 4
            ? IPAddress(ipv4: UInt32(truncatingIfNeeded: word(0..<4)))
            : IPAddress(ipv6High: word(0..<8), low: word(8..<16))
        refusal = post.rule.refusal(of: address, isEncrypted: post.url.isEncrypted) ?? refusal
        return post.rule.refusal(of: address, isEncrypted: post.url.isEncrypted) == nil
    }

    private func receive(_ count: Int) -> Bool {
        receivedBytes += count
        hasEnough = receivedBytes > post.responseLimitBytes
        return !hasEnough
    }

    /// Tells the asker how it ended.
    func end(_ code: CURLcode, at now: Instant) {
        let status = Int(tandem_curl_status(handle))
        if code == CURLE_OK || hasEnough, status > 0, hasWholeHead {
            let seconds = tandem_curl_retry_after(handle)
            let retryAfter: Duration? = seconds > 0 ? .seconds(min(seconds, 86_400)) : nil
            finish(.response(status: status, retryAfter: retryAfter), at: now)
        } else {
            finish(.failure(failure(code)), at: now)
        }
    }

    /// Ends without a response.
    func end(_ failure: HTTPPostFailure, at now: Instant) { finish(.failure(failure), at: now) }

    private func finish(_ outcome: HTTPPostResult.Outcome, at now: Instant) {
        whenDone(HTTPPostResult(outcome, duration: now - startedAt))
    }

    private func failure(_ code: CURLcode) -> HTTPPostFailure {
        if code == CURLE_OK { return HTTPPostFailure(.broken, "the response ended in the middle of its head") }
        let said = String(cString: errorText)
        let detail = said.isEmpty ? String(cString: curl_easy_strerror(code)) : said
        switch code {
        case CURLE_COULDNT_RESOLVE_HOST: return HTTPPostFailure(.nameNotResolved, detail)
        case CURLE_COULDNT_CONNECT, CURLE_ABORTED_BY_CALLBACK:
            return refusal.map { HTTPPostFailure(.addressRefused, $0) } ?? HTTPPostFailure(.notConnected, detail)
        case CURLE_OPERATION_TIMEDOUT: return HTTPPostFailure(.timedOut, detail)
        case CURLE_SSL_CONNECT_ERROR, CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CIPHER, CURLE_SSL_CACERT_BADFILE,
            CURLE_SSL_ISSUER_ERROR, CURLE_SSL_INVALIDCERTSTATUS, CURLE_SSL_CLIENTCERT:
            return HTTPPostFailure(.tls, detail)
        default: return HTTPPostFailure(.broken, detail)
        }
    }
}
