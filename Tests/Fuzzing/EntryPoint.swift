import Glibc

// How this room works. `deploy/fuzz` builds it with `-sanitize=fuzzer,address`; libFuzzer makes inputs and calls
// `LLVMFuzzerTestOneInput` with each. Which of the `FuzzTarget`s gets them is said by TANDEM_FUZZ_TARGET. What must not
// be ends the process: a trap of the code under test, a broken `require`, an input that takes too long.

/// Chooses the target before the first input. Public, since the linker looks for its name.
@_cdecl("LLVMFuzzerInitialize")
public func initialize(
    _ count: UnsafeMutablePointer<CInt>?, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
) -> CInt {
    let name = getenv("TANDEM_FUZZ_TARGET").map { String(cString: $0) } ?? ""
    if let target = FuzzTarget(rawValue: name) {
        run = FuzzRun(target: target)
        return 0
    }
    print(FuzzTarget.allCases.map(\.rawValue).joined(separator: " "))
    fflush(nil)
    _exit(name == "list" ? 0 : 2)
}

/// Gives one input of libFuzzer's to the target. Public, since the linker looks for its name.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    run?.take(Array(UnsafeBufferPointer(start: start, count: count)))
    return 0
}

/// The one target of this process. libFuzzer calls from one thread.
nonisolated(unsafe) private var run: FuzzRun?

/// Runs inputs and watches how long each takes.
struct FuzzRun {
    private let target: FuzzTarget
    private var signalling: FuzzedSignalling?

    /// An input may take so long for each of its bytes...
    private static let limitNanosecondsPerByte: UInt64 = 10_000
    /// ...but one that is shorter than this counts as this long: a call costs something of its own.
    private static let floorBytes = 200

    init(target: FuzzTarget) { self.target = target }

    mutating func take(_ bytes: [UInt8]) {
        let limit = UInt64(max(bytes.count, Self.floorBytes)) * Self.limitNanosecondsPerByte
        // One measurement may be disturbed: only what is slow five times over is slow.
        for attempt in 1...5 {
            let begin = Self.processorTime()
            execute(bytes)
            let spent = Self.processorTime() - begin
            if spent <= limit { return }
            require(attempt < 5, "slow: \(spent) ns for \(bytes.count) bytes")
        }
    }

    private mutating func execute(_ bytes: [UInt8]) {
        switch target {
        case .proxy, .redirect, .apart:
            // Kept from input to input, as a worker is; a fresh one now and then, since its time only runs forward.
            if signalling == nil || signalling?.isWornOut == true { signalling = FuzzedSignalling(target) }
            signalling?.take(bytes)
        default: target.check(bytes)
        }
    }

    private static func processorTime() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
}

/// What must hold: says what does not, and ends the process in a way that libFuzzer keeps the input.
func require(_ condition: Bool, _ what: @autoclosure () -> String) {
    guard !condition else { return }
    print("BROKEN: \(what())")
    fflush(nil)
    abort()
}
