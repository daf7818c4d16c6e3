/// A value at a place of its own, which is read for long while the core around it changes: the message at hand.
///
/// Its owner sees to it that nobody changes the value while it is lent.
struct Fixed<Value>: ~Copyable {
    /// Where the value is; for as long as the owner lives.
    struct Place: BitwiseCopyable {
        fileprivate let pointer: UnsafeMutablePointer<Value>

        /// The value.
        var value: Value {
            _read { yield pointer.pointee }
            nonmutating _modify { yield &pointer.pointee }
        }
    }

    /// Where the value is.
    let place: Place

    init(_ value: Value) {
        place = Place(pointer: .allocate(capacity: 1))
        place.pointer.initialize(to: value)
    }

    deinit {
        place.pointer.deinitialize(count: 1)
        place.pointer.deallocate()
    }
}
