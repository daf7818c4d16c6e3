import Synchronization

/// Keeps the struct that has one in its place.
///
/// A noncopyable struct of plain values is handed to a method that only reads it as a copy on the stack, bit by bit,
/// as of Swift 6.3: for a core that is 1.7 KB for each such call. What holds an atomic can't be moved like that, and is
/// handed over by its address.
struct InPlace: ~Copyable {
    private let word = Atomic<UInt8>(0)
}
