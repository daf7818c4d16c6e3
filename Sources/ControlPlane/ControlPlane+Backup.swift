import Dispatch
import Glibc
import Store
import Synchronization
import Time

/// A copy of the database that is open and has no name any more: it is gone when nobody reads it.
package final class BackupCopy: Sendable {
    /// Where it can be read from.
    package let descriptor: Int32
    /// How long it is.
    package let byteCount: Int64

    /// Opens a file and takes its name away. Throws what the kernel said.
    fileprivate init(taking path: String) throws(Refusal) {
        descriptor = open(path, O_RDONLY | O_CLOEXEC)
        var information = stat()
        guard descriptor >= 0, fstat(descriptor, &information) == 0 else {
            throw .internalError("The backup can't be read: \(String(cString: strerror(errno)))")
        }
        byteCount = Int64(information.st_size)
        unlink(path)
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
    }
}

extension ControlPlane {
    /// Makes a consistent, examined copy of the database while changes and calls go on. `whenDone` is called once, from
    /// another thread, and must not block. One copy is made at a time.
    package func backUp(
        by asker: TokenRegistry.Asker, whenDone: @escaping @Sendable (Result<BackupCopy, Refusal>) -> Void
    ) {
        guard isBackingUp.exchange(true, ordering: .acquiringAndReleasing) == false else {
            var refusal = Refusal(.tooManyRequests, "Another backup is being made; come again.")
            refusal.retryAfterSeconds = 5
            return whenDone(.failure(refusal))
        }
        DispatchQueue.global().async { [self] in
            let result: Result<BackupCopy, Refusal>
            do throws(Refusal) {
                result = .success(try backUp(asker))
            } catch { result = .failure(error) }
            isBackingUp.store(false, ordering: .releasing)
            whenDone(result)
        }
    }

    private func backUp(_ asker: TokenRegistry.Asker) throws(Refusal) -> BackupCopy {
        do throws(StoreError) {
            try store.audit(
                AuditEntry(
                    at: clock.wallTime, who: asker.who, requestID: asker.requestID, action: "backup",
                    subject: "database"))
            try store.backUp()
        } catch {
            if let reason = store.readOnlyReason() { throw .readOnly(reason) }
            throw .internalError("No backup can be made: \(error.detail)")
        }
        return try BackupCopy(taking: store.backupPath)
    }
}
