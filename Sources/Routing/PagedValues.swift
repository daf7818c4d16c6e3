/// Plain values by number, in pages that successive versions share: a change copies the page that it lies in and the
/// list of pages, whatever the rest holds. `directory` is how readers on the hot path get at them.
struct PagedValues<Value: Sendable & BitwiseCopyable>: Sendable {
    static var pageCount: Int { 256 }

    private let filler: Value
    private var pages: [ValuePage<Value>] = []

    /// Every number holds `filler` until it is given something else.
    init(filler: Value) { self.filler = filler }

    /// The value of a number.
    subscript(number: UInt32) -> Value {
        get {
            let (page, place) = Int(number).quotientAndRemainder(dividingBy: Self.pageCount)
            return page < pages.count ? pages[page].memory[place] : filler
        }
        set {
            let (page, place) = Int(number).quotientAndRemainder(dividingBy: Self.pageCount)
            while pages.count <= page { pages.append(ValuePage(filler: filler)) }
            if !isKnownUniquelyReferenced(&pages[page]) { pages[page] = ValuePage(copying: pages[page]) }
            pages[page].memory[place] = newValue
        }
    }

    /// The values as they are now, for readers.
    var directory: PageDirectory<Value> { PageDirectory(pages, filler: filler) }
}

/// One page. Written only while one `PagedValues` alone has it, so whoever shares it may read it on any thread.
final class ValuePage<Value: Sendable & BitwiseCopyable>: @unchecked Sendable {
    fileprivate let memory = UnsafeMutablePointer<Value>.allocate(capacity: PagedValues<Value>.pageCount)

    fileprivate init(filler: Value) { memory.initialize(repeating: filler, count: PagedValues<Value>.pageCount) }

    fileprivate init(copying page: ValuePage) {
        memory.initialize(from: page.memory, count: PagedValues<Value>.pageCount)
    }

    deinit { memory.deallocate() }
}

/// The pages of one version behind plain pointers: a read takes no reference to a page, since a count that all workers
/// share is itself contention.
final class PageDirectory<Value: Sendable & BitwiseCopyable>: @unchecked Sendable {
    private let pages: [ValuePage<Value>]
    private let addresses: UnsafeMutablePointer<UnsafePointer<Value>>
    private let count: Int
    private let filler: Value

    fileprivate init(_ pages: [ValuePage<Value>], filler: Value) {
        (self.pages, self.filler, count) = (pages, filler, pages.count * PagedValues<Value>.pageCount)
        addresses = .allocate(capacity: max(1, pages.count))
        for (index, page) in pages.enumerated() { (addresses + index).initialize(to: UnsafePointer(page.memory)) }
    }

    deinit { addresses.deallocate() }

    /// The value of a number.
    @inline(__always)
    subscript(number: UInt32) -> Value {
        guard Int(number) < count else { return filler }
        return addresses[Int(number) / PagedValues<Value>.pageCount][Int(number) % PagedValues<Value>.pageCount]
    }
}
