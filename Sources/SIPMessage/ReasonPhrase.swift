/// The reason phrases of our own responses (RFC 3261 section 21).
package enum ReasonPhrase {
    /// The phrase of RFC 3261 for a status code; for one that it does not know the name of its class.
    package static func of(_ status: Int) -> StaticString {
        switch status {
        case 100: "Trying"
        case 180: "Ringing"
        case 200: "OK"
        case 300..<400: redirection(status)
        case 400..<500: requestFailure(status)
        case 500..<600: serverFailure(status)
        case 600: "Busy Everywhere"
        case 603: "Decline"
        case 604: "Does Not Exist Anywhere"
        case 606: "Not Acceptable"
        case 101..<200: "Session Progress"
        case 201..<300: "Accepted"
        default: "Global Failure"
        }
    }

    private static func redirection(_ status: Int) -> StaticString {
        switch status {
        case 300: "Multiple Choices"
        case 301: "Moved Permanently"
        case 302: "Moved Temporarily"
        case 305: "Use Proxy"
        default: "Redirection"
        }
    }

    private static func requestFailure(_ status: Int) -> StaticString {
        switch status {
        case 400: "Bad Request"
        case 403: "Forbidden"
        case 404: "Not Found"
        case 405: "Method Not Allowed"
        case 408: "Request Timeout"
        case 413: "Request Entity Too Large"
        case 414: "Request-URI Too Long"
        case 416: "Unsupported URI Scheme"
        case 420: "Bad Extension"
        case 440: "Max-Breadth Exceeded"
        case 480: "Temporarily Unavailable"
        case 481: "Call/Transaction Does Not Exist"
        case 482: "Loop Detected"
        case 483: "Too Many Hops"
        case 484: "Address Incomplete"
        case 487: "Request Terminated"
        default: "Request Failure"
        }
    }

    private static func serverFailure(_ status: Int) -> StaticString {
        switch status {
        case 500: "Server Internal Error"
        case 501: "Not Implemented"
        case 502: "Bad Gateway"
        case 503: "Service Unavailable"
        case 504: "Server Time-out"
        case 505: "Version Not Supported"
        case 513: "Message Too Large"
        default: "Server Failure"
        }
    }
}
