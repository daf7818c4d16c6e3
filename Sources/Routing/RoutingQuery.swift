package import Time

/// One call as selection sees it: a value without references.
package struct RoutingQuery: Sendable, BitwiseCopyable {
    /// What was dialled.
    package var number: DialledNumber
    /// The plan that its source's calls are looked up in, of the snapshot that is asked.
    package var plan: PlanNumber
    /// Decides among equals; the same draw, the same order. `CallDraw` makes it of the Call-ID.
    package var draw: UInt64
    /// Decides where a group goes by the caller: `CallDraw` makes it of his URI's user part.
    package var caller: UInt64 = 0
    /// Decides where a group goes by the dialled number and none was dialled: `CallDraw` makes it of the user part.
    package var user: UInt64 = 0
    /// The present on the monotonic time line, by which status is judged.
    package var now: Instant
    /// The present as people read it, by which the validity of routes is judged.
    package var wallTime: WallTime

    /// A call of its parts.
    package init(_ number: DialledNumber, in plan: PlanNumber, draw: UInt64, now: Instant, wallTime: WallTime) {
        (self.number, self.plan, self.draw, self.now, self.wallTime) = (number, plan, draw, now, wallTime)
    }

    /// What the groups that hash by the dialled number go by.
    var dialled: UInt64 {
        guard number.isNumber else { return user }
        var hash = IdentityHash()
        for index in 0..<number.matchedDigitCount { hash.update(UInt64(number.code(at: index)) + 1) }
        return hash.value
    }
}

/// FNV-1a over words, stirred: the same in every process.
struct IdentityHash {
    private var state: UInt64 = 0xCBF2_9CE4_8422_2325

    mutating func update(_ word: UInt64) { state = (state ^ word) &* 0x0000_0100_0000_01B3 }

    var value: UInt64 {
        var state = state
        return SplitMix64.next(after: &state)
    }
}

/// The generator of Steele, Lea and Flood: one 64-bit word of state, and every word leads to a different one.
package enum SplitMix64 {
    /// Moves the state on and returns the number drawn.
    package static func next(after state: inout UInt64) -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

/// The draw of a call: the same Call-ID, the same order among equals, in the look-up as in a call.
package enum CallDraw {
    /// FNV-1a of the Call-ID, stirred. Not keyed: who chooses a Call-ID chooses among equals, and gains nothing.
    package static func number(for callID: Span<UInt8>) -> UInt64 {
        var state: UInt64 = 0xCBF2_9CE4_8422_2325
        for index in callID.indices { state = (state ^ UInt64(callID[index])) &* 0x0000_0100_0000_01B3 }
        return SplitMix64.next(after: &state)
    }

    /// The same of text.
    package static func number(for text: String) -> UInt64 {
        var bytes = Array(text.utf8)
        return bytes.withUnsafeMutableBufferPointer { number(for: $0.span) }
    }
}
