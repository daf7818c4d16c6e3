#pragma once
#include <netinet/in.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#include <microhttpd.h>

// What Swift can't say of libmicrohttpd: its calls with a variable number of arguments, with the options that we use.

/// Numbers and callbacks of a daemon; `closure` comes first in each callback.
struct tandem_http_options {
    int listening_socket;
    size_t connection_memory_bytes;
    unsigned int connection_limit;
    unsigned int connections_per_address_limit;
    unsigned int idle_timeout_seconds;
    MHD_AccessHandlerCallback handle;
    MHD_RequestCompletedCallback completed;
    void *(*begun)(void *closure, const char *target, struct MHD_Connection *connection);
    MHD_NotifyConnectionCallback connected;
    void *closure;
};

/// Starts a daemon with one thread of its own that waits by epoll; NULL when that fails.
static inline struct MHD_Daemon *tandem_http_start(const struct tandem_http_options *options) {
    return MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, options->handle, options->closure,
        MHD_OPTION_LISTEN_SOCKET, options->listening_socket,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, options->connection_memory_bytes,
        MHD_OPTION_CONNECTION_LIMIT, options->connection_limit,
        MHD_OPTION_PER_IP_CONNECTION_LIMIT, options->connections_per_address_limit,
        MHD_OPTION_CONNECTION_TIMEOUT, options->idle_timeout_seconds,
        MHD_OPTION_NOTIFY_COMPLETED, options->completed, options->closure,
        MHD_OPTION_URI_LOG_CALLBACK, options->begun, options->closure,
        MHD_OPTION_NOTIFY_CONNECTION, options->connected, options->closure,
        MHD_OPTION_END);
}

/// Where a connection comes from.
static inline const struct sockaddr *tandem_http_client_address(struct MHD_Connection *connection) {
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    return info == NULL ? NULL : info->client_addr;
}

/// The kernel's number of a connection's socket; -1 when it has none.
static inline int tandem_http_socket(struct MHD_Connection *connection) {
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    return info == NULL ? -1 : info->connect_fd;
}

/// What the `connected` callback has left with a connection.
static inline void *tandem_http_connection_context(struct MHD_Connection *connection) {
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info == NULL ? NULL : info->socket_context;
}

/// Bytes of the request line and the header fields.
static inline size_t tandem_http_header_bytes(struct MHD_Connection *connection) {
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    return info == NULL ? 0 : info->header_size;
}

/// What a body that comes in pieces ends with.
static inline ssize_t tandem_http_end_of_stream(void) { return MHD_CONTENT_READER_END_OF_STREAM; }

/// The size of a body that nobody knows beforehand.
static inline uint64_t tandem_http_size_unknown(void) { return MHD_SIZE_UNKNOWN; }
