/// A text that is compared by its bytes. Swift takes two strings for equal that differ in their Unicode normalisation
/// alone (`é` as U+00E9, and as `e` and U+0301), but what a client sent is kept and given back as it came.
package struct ExactText: Hashable, Sendable {
    /// As it came.
    package let text: String

    /// A text.
    package init(_ text: String) { self.text = text }

    /// True when both are the same bytes.
    package static func == (left: ExactText, right: ExactText) -> Bool {
        var (left, right) = (left.text, right.text)
        guard left.utf8.count == right.utf8.count else { return false }
        return left.withUTF8 { left in right.withUTF8 { right in left.elementsEqual(right) } }
    }

    /// Takes the bytes in.
    package func hash(into hasher: inout Hasher) {
        var text = text
        text.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
    }
}
