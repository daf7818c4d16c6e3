import ControlPlane
import JSON
import Routing
import Store

/// Very many gateways to be asked, each at an address of its own on the loopback: 127.1.0.1 and on.
struct ProbingScenery {
    let gatewayCount: Int
    let intervalSeconds: Int
    /// Where all of them are reached.
    let port: UInt16

    /// What provisions them.
    func change() throws -> Change {
        let operations = try (0..<gatewayCount).map { number -> Operation in
            let address = "127.\(1 + number / 62_500).\(number / 250 % 250).\(1 + number % 250)"
            let body = #"{"uri":"sip:\#(address):\#(port)","probe":{"interval_s":\#(intervalSeconds)}}"#
            return .put(
                ResourcePath(.gateways, "gateway-\(number)"), try JSONValue(parsing: Array(body.utf8)), Precondition())
        }
        return Change(operations, who: "bench")
    }
}
