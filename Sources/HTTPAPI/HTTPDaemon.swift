import CMicrohttpd
import ControlPlane
import Glibc
import Time

/// libmicrohttpd with our handlers: the only place, beside `Parking`, that its C interface reaches.
enum HTTPDaemon {
    /// Starts its thread on a listening socket; nil when it can't.
    ///
    /// - Parameter service: what the handlers work on; the caller keeps it while the daemon runs.
    static func start(_ service: HTTPService, listeningSocket: Int32) -> OpaquePointer? {
        let settings = service.settings
        var options = tandem_http_options()
        options.listening_socket = listeningSocket
        // The pool of a connection holds what was received, the parsed fields and what is to be sent.
        options.connection_memory_bytes = max(settings.headerLimitBytes, 4096) * 3
        // The limits are kept by `ConnectionWatches`, which says so to those that it turns away; until they have been
        // closed they are here too.
        options.connection_limit = settings.connectionLimitCount &+ 256
        // Silence may last as long as a body may take; what is due earlier is seen to by `ConnectionWatch`.
        options.idle_timeout_seconds = UInt32(clamping: settings.bodyTimeout.milliseconds / 1000 + 5)
        options.identity = settings.tlsIdentity == nil ? nil : TLSIdentities.retrieve
        options.closure = Unmanaged.passUnretained(service).toOpaque()
        options.connected = { closure, connection, context, code in
            guard let closure, let connection, let context else { return }
            HTTPDaemon.noteConnection(HTTPDaemon.service(closure), connection, context, code)
        }
        options.begun = { closure, target, connection in
            guard let closure, let target, let connection else { return nil }
            let watch = tandem_http_connection_context(connection).map {
                Unmanaged<ConnectionWatch>.fromOpaque($0).takeUnretainedValue()
            }
            let exchange = HTTPExchange(
                HTTPDaemon.service(closure), targetText: String(validatingCString: target), watch: watch)
            return Unmanaged.passRetained(exchange).toOpaque()
        }
        options.handle = { _, connection, _, method, version, piece, pieceBytes, context in
            guard let connection, let method, let version, let pieceBytes, let exchange = context?.pointee else {
                return .NO
            }
            return HTTPDaemon.handle(
                Unmanaged<HTTPExchange>.fromOpaque(exchange).takeUnretainedValue(), connection, method, version,
                piece, pieceBytes)
                ? .YES : .NO
        }
        options.completed = { _, _, context, _ in
            guard let exchange = context?.pointee else { return }
            context?.pointee = nil
            Unmanaged<HTTPExchange>.fromOpaque(exchange).takeRetainedValue().finish()
        }
        return tandem_http_start(&options)
    }

    private static func service(_ closure: UnsafeMutableRawPointer) -> HTTPService {
        Unmanaged<HTTPService>.fromOpaque(closure).takeUnretainedValue()
    }

    private static func noteConnection(
        _ service: HTTPService, _ connection: OpaquePointer, _ context: UnsafeMutablePointer<UnsafeMutableRawPointer?>,
        _ code: MHD_ConnectionNotificationCode
    ) {
        guard code == .CONNECTION_NOTIFY_STARTED else {
            guard let pointer = context.pointee else { return }
            context.pointee = nil
            service.connections.remove(Unmanaged<ConnectionWatch>.fromOpaque(pointer).takeRetainedValue())
            return
        }
        let watch = ConnectionWatch(
            descriptor: tandem_http_socket(connection),
            address: tandem_http_client_address(connection).flatMap { SocketAddress.read($0)?.0 },
            isTLS: service.settings.tlsIdentity != nil)
        context.pointee = Unmanaged.passRetained(watch).toOpaque()
        service.admit(watch)
    }

    /// One call of libmicrohttpd: first for the headers, then for each piece of the body, then for the whole request
    /// and again after each resumption.
    private static func handle(
        _ exchange: HTTPExchange, _ connection: OpaquePointer, _ method: UnsafePointer<CChar>,
        _ version: UnsafePointer<CChar>, _ piece: UnsafePointer<CChar>?, _ pieceBytes: UnsafeMutablePointer<Int>
    ) -> Bool {
        guard !exchange.isTurnedAway else { return false }
        if !exchange.hasHeaders {
            return exchange.receiveHeaders(
                connection, method: String(cString: method), version: String(cString: version))
        }
        guard pieceBytes.pointee > 0 else { return exchange.proceed(connection) }
        switch exchange.receive(UnsafeRawBufferPointer(start: piece, count: pieceBytes.pointee), connection) {
        case .taken: pieceBytes.pointee = 0
        case .parked: break  // it comes again
        case .ended: return false
        }
        return true
    }

    /// What stands behind the number in a status line.
    static func reasonPhrase(_ status: UInt32) -> String {
        MHD_get_reason_phrase_for(status).map { String(cString: $0) } ?? ""
    }

    /// Sends a whole answer.
    static func queue(
        _ answer: HTTPAnswer, headers: [(name: String, value: String)], _ connection: OpaquePointer
    ) -> Bool {
        let response =
            if answer.isHeadOfStream {
                // It is never asked for a byte: to HEAD libmicrohttpd sends no body.
                MHD_create_response_from_callback(
                    tandem_http_size_unknown(), 1, { _, _, _, _ in tandem_http_end_of_stream() }, nil, nil)
            } else {
                answer.body.withUnsafeBytes { bytes in
                    // It only reads what it copies.
                    MHD_create_response_from_buffer(
                        bytes.count, UnsafeMutableRawPointer(mutating: bytes.baseAddress), .RESPMEM_MUST_COPY)
                }
            }
        if answer.isHeadOfStream, let response { tandem_http_end_with_connection(response) }
        return queue(response, status: answer.status, headers: headers, connection)
    }

    /// Sends a stream's bytes as they come.
    static func queue(
        _ stream: EventStream, headers: [(name: String, value: String)], _ connection: OpaquePointer
    ) -> Bool {
        let source = StreamSource(stream: stream, connection: connection)
        let response = MHD_create_response_from_callback(
            tandem_http_size_unknown(), 4096,
            { closure, _, buffer, limitBytes in
                guard let closure, let buffer else { return tandem_http_end_of_stream() }
                let source = Unmanaged<StreamSource>.fromOpaque(closure).takeUnretainedValue()
                return source.stream.read(source.connection, into: buffer, limitBytes: limitBytes)
            }, Unmanaged.passRetained(source).toOpaque(),
            { closure in
                guard let closure else { return }
                Unmanaged<StreamSource>.fromOpaque(closure).release()
            })
        return queue(response, status: 200, headers: headers + [("Content-Type", "text/event-stream")], connection)
    }

    /// Sends a file piece by piece, to a client that reads fast enough.
    static func queue(
        _ source: FileSource, status: UInt32, headers: [(name: String, value: String)], _ connection: OpaquePointer
    ) -> Bool {
        let response = MHD_create_response_from_callback(
            UInt64(max(0, source.file.byteCount)), FileBody.pieceBytes,
            { closure, offset, buffer, limitBytes in
                guard let closure, let buffer else { return tandem_http_end_with_error() }
                return Unmanaged<FileSource>.fromOpaque(closure).takeUnretainedValue()
                    .read(at: offset, into: buffer, limitBytes: limitBytes)
            }, Unmanaged.passRetained(source).toOpaque(),
            { closure in
                guard let closure else { return }
                Unmanaged<FileSource>.fromOpaque(closure).release()
            })
        return queue(response, status: status, headers: headers, connection)
    }

    /// What the callback of a file works on.
    final class FileSource {
        let file: FileBody
        private let pace: ReadingPace

        init(_ file: FileBody, _ pace: ReadingPace) { (self.file, self.pace) = (file, pace) }

        func read(at offset: UInt64, into buffer: UnsafeMutablePointer<CChar>, limitBytes: Int) -> Int {
            guard let count = file.read(at: offset, into: buffer, limitBytes: limitBytes) else {
                return tandem_http_end_with_error()
            }
            pace.note(Int64(clamping: offset))
            return count
        }
    }

    /// Sends pages as they are made, to a client that reads fast enough.
    static func queue(
        _ source: PageSource, status: UInt32, headers: [(name: String, value: String)], _ connection: OpaquePointer
    ) -> Bool {
        let response = MHD_create_response_from_callback(
            tandem_http_size_unknown(), FileBody.pieceBytes,
            { closure, _, buffer, limitBytes in
                guard let closure, let buffer else { return tandem_http_end_with_error() }
                return Unmanaged<PageSource>.fromOpaque(closure).takeUnretainedValue()
                    .read(into: buffer, limitBytes: limitBytes)
            }, Unmanaged.passRetained(source).toOpaque(),
            { closure in
                guard let closure else { return }
                Unmanaged<PageSource>.fromOpaque(closure).release()
            })
        return queue(response, status: status, headers: headers, connection)
    }

    /// What the callback of pages works on.
    final class PageSource {
        private let pages: PagedBody
        private let connection: OpaquePointer
        private let pace: ReadingPace
        private let service: HTTPService
        private var sentBytes: Int64 = 0

        init(_ pages: PagedBody, _ connection: OpaquePointer, _ pace: ReadingPace, _ service: HTTPService) {
            (self.pages, self.connection, self.pace, self.service) = (pages, connection, pace, service)
        }

        func read(into buffer: UnsafeMutablePointer<CChar>, limitBytes: Int) -> Int {
            do throws(Refusal) {
                guard let count = try pages.read(connection, into: buffer, limitBytes: limitBytes) else {
                    return tandem_http_end_of_stream()
                }
                pace.note(sentBytes)
                sentBytes += Int64(count)
                return count
            } catch {
                // The status line is long gone; the client sees that the end is missing.
                service.log(.error, "an answer broke off", [("reason", error.detail)])
                return tandem_http_end_with_error()
            }
        }
    }

    /// How long a client may take for a large answer: the more it has read, the longer.
    struct ReadingPace {
        private let watch: ConnectionWatch?
        private let firstDeadline: Instant
        private let leastBytesPerSecond: Int64

        init(_ watch: ConnectionWatch?, _ settings: HTTPSettings, from now: Instant) {
            (self.watch, firstDeadline) = (watch, now + settings.bodyTimeout)
            leastBytesPerSecond = max(1, settings.leastBytesPerSecond)
        }

        /// So many bytes were read.
        func note(_ byteCount: Int64) {
            watch?.extend(to: firstDeadline + .seconds(byteCount / leastBytesPerSecond))
        }
    }

    private static func queue(
        _ response: OpaquePointer?, status: UInt32, headers: [(name: String, value: String)],
        _ connection: OpaquePointer
    ) -> Bool {
        guard let response else { return false }
        for header in headers { MHD_add_response_header(response, header.name, header.value) }
        let isQueued = MHD_queue_response(connection, status, response) == .YES
        MHD_destroy_response(response)
        return isQueued
    }

    /// What the callback of a stream works on.
    private final class StreamSource {
        let stream: EventStream
        let connection: OpaquePointer

        init(stream: EventStream, connection: OpaquePointer) { (self.stream, self.connection) = (stream, connection) }
    }
}
