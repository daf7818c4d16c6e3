import Routing
import Testing

struct ShortTextTests {
    @Test func `what is longer than 80 bytes is cut between characters and ends in a tilde`() {
        let fits = String(repeating: "a", count: 80)
        #expect(ShortText(fits).string == fits)
        #expect(ShortText(fits + "b").string == String(repeating: "a", count: 79) + "~")
        let kept = String(repeating: "a", count: 78)
        #expect(ShortText(kept + "\u{E9}\u{E9}").string == kept + "~")
        let odd = String(repeating: "a", count: 77) + "\u{E9}"
        #expect(ShortText(odd + "\u{E9}").string == odd + "~")
        #expect(ShortText("").isEmpty)
    }
}
