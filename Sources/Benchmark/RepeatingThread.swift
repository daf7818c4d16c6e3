import CInstruments
import Foundation
import Synchronization

/// Does something again and again on a thread of its own, until it is stopped.
final class RepeatingThread: Sendable {
    private let isStopping = Atomic(false)
    private let cpu = Atomic<Int64>(0)
    private let ended = DispatchSemaphore(value: 0)

    /// - Parameter body: what is done; it waits a little where there is nothing to do.
    init(_ body: @escaping @Sendable () -> Void) {
        let thread = Thread { [self] in
            while !isStopping.load(ordering: .relaxed) {
                body()
                cpu.store(cins_thread_cpu_nanoseconds(), ordering: .relaxed)
            }
            ended.signal()
        }
        thread.start()
    }

    /// CPU time that the thread has used when it last began anew, ns.
    var cpuNanoseconds: Int64 { cpu.load(ordering: .relaxed) }

    /// Returns when it has ended. To be called once.
    func stop() {
        isStopping.store(true, ordering: .relaxed)
        ended.wait()
    }
}
