import CCurl
import Foundation

/// A file fetched from a server that the operator names, for commands: it blocks.
package enum HTTPDownload {
    /// Why there is no answer: one line.
    package struct Failure: Error, Equatable, Sendable {
        /// What libcurl said.
        package let detail: String
    }

    /// Gets a URL and writes the answer's body, whatever its status, into a file.
    ///
    /// - Parameters:
    ///   - headers: whole lines, `Authorization: Bearer x`.
    ///   - certificates: a file of certificates to trust instead of the system's.
    ///   - descriptor: a file that is open for writing; it stays open.
    /// - Returns: The status code.
    package static func get(
        _ url: String, headers: [String], certificates: String?, userAgent: String, into descriptor: Int32
    ) throws(Failure) -> Int {
        guard curl_global_init(Int(CURL_GLOBAL_DEFAULT)) == CURLE_OK, let handle = curl_easy_init() else {
            throw Failure(detail: "libcurl can't be used")
        }
        defer { curl_easy_cleanup(handle) }
        guard let file = fdopen(dup(descriptor), "wb") else {
            throw Failure(detail: String(cString: strerror(errno)))
        }
        defer { fclose(file) }
        var list: UnsafeMutablePointer<curl_slist>?
        for header in headers { list = curl_slist_append(list, header) }
        defer { curl_slist_free_all(list) }
        let numbers: [(CURLoption, Int)] = [
            (CURLOPT_NOSIGNAL, 1), (CURLOPT_FOLLOWLOCATION, 0), (CURLOPT_SSL_VERIFYPEER, 1),
            (CURLOPT_SSL_VERIFYHOST, 2), (CURLOPT_SSLVERSION, Int(CURL_SSLVERSION_TLSv1_2)),
            (CURLOPT_CONNECTTIMEOUT, 10),
            // The server makes the copy before the first byte comes; after that, silence is a failure.
            (CURLOPT_LOW_SPEED_LIMIT, 1), (CURLOPT_LOW_SPEED_TIME, 600),
        ]
        var codes = numbers.map { tandem_curl_set_number(handle, $0.0, $0.1) }
        var texts: [(CURLoption, String)] = [
            (CURLOPT_URL, url), (CURLOPT_USERAGENT, userAgent), (CURLOPT_PROTOCOLS_STR, "http,https"),
        ]
        if let certificates { texts.append((CURLOPT_CAINFO, certificates)) }
        codes += texts.map { tandem_curl_set_pointer(handle, $0.0, $0.1) }
        codes.append(tandem_curl_set_pointer(handle, CURLOPT_HTTPHEADER, list))
        // Without a function of ours libcurl writes to this file itself.
        codes.append(tandem_curl_set_pointer(handle, CURLOPT_WRITEDATA, file))
        codes.append(curl_easy_perform(handle))
        if let failed = codes.first(where: { $0 != CURLE_OK }) {
            throw Failure(detail: String(cString: curl_easy_strerror(failed)))
        }
        guard fflush(file) == 0 else { throw Failure(detail: String(cString: strerror(errno))) }
        return Int(tandem_curl_status(handle))
    }
}
