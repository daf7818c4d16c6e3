/// The best final response so far (RFC 3261 section 16.7 step 6).
struct BestResponse: BitwiseCopyable {
    let status: Int
    /// Made up by us for a target that sent none.
    let isOwn: Bool

    /// True for a status that speaks of the gateway and not of the callee.
    var isOfGateway: Bool {
        switch status {
        case 408, 500, 502, 503, 504: true
        default: false
        }
    }

    /// True when both are challenges that came from targets.
    func isChallenged(by other: Int) -> Bool {
        !isOwn && (status == 401 || status == 407) && (other == 401 || other == 407)
    }

    /// 6xx before all; then the lowest class, and in 4xx what the caller can act on; a received one that may go on as
    /// it is before ours and before 503; the later one.
    static func isBetter(_ status: Int, isOwn: Bool, than best: BestResponse?) -> Bool {
        guard let best else { return true }
        return rank(status, isOwn) <= rank(best.status, best.isOwn)
    }

    private static func rank(_ status: Int, _ isOwn: Bool) -> Int {
        switch status {
        case 600...: 0
        case 401, 407, 415, 420, 484: 40
        default: status / 100 * 10 + (isOwn || status == 503 ? 2 : 1)
        }
    }
}
