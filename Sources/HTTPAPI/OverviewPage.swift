/// The page for people (API section 8): gateways by group with live status, recent changes, a look-up box. It holds
/// nothing but itself; what it shows it asks of the API, with the token that its reader enters where one is needed.
enum OverviewPage {
    private static let template = String(decoding: PackageResources.overview_html, as: UTF8.self)

    /// The page with a nonce of its own, so that no other style or script is obeyed.
    static func answer() -> HTTPAnswer {
        let (high, low) = (UInt64.random(in: .min ... .max), UInt64.random(in: .min ... .max))
        let nonce = String(high, radix: 36) + String(low, radix: 36)
        let text = template.replacing("@nonce@", with: nonce)
        var answer = HTTPAnswer(200, type: "text/html; charset=utf-8", text: text)
        let policy =
            "default-src 'none'; style-src 'nonce-\(nonce)'; script-src 'nonce-\(nonce)'; connect-src 'self'; "
            + "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        answer.headers.append(("Content-Security-Policy", policy))
        return answer
    }
}
