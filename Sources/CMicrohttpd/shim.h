#pragma once
#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <microhttpd.h>

// What Swift can't say of libmicrohttpd: its calls with a variable number of arguments, with the options that we use.

/// A chain of certificates and the key of its first one.
struct tandem_tls_identity {
    gnutls_pcert_st *chain;
    unsigned int count;
    gnutls_privkey_t key;
    int64_t expires_at;  // s since 1970
};

/// What GnuTLS asks at each handshake.
typedef int (*tandem_tls_retrieve)(
    gnutls_session_t session, const gnutls_datum_t *authorities, int authority_count,
    const gnutls_pk_algorithm_t *algorithms, int algorithm_count, gnutls_pcert_st **chain, unsigned int *count,
    gnutls_privkey_t *key);

enum { tandem_tls_chain_limit = 16 };

/// Frees what `tandem_tls_load` made.
static inline void tandem_tls_free(struct tandem_tls_identity *identity) {
    for (unsigned int i = 0; i < identity->count; i++) gnutls_pcert_deinit(&identity->chain[i]);
    free(identity->chain);
    if (identity->key != NULL) gnutls_privkey_deinit(identity->key);
    identity->chain = NULL;
    identity->key = NULL;
    identity->count = 0;
}

/// The id of a public key, which is the same for a certificate and its private key.
static inline int tandem_tls_key_id(gnutls_pubkey_t key, unsigned char id[32]) {
    size_t size = 32;
    return gnutls_pubkey_get_key_id(key, GNUTLS_KEYID_USE_SHA256, id, &size);
}

static inline int tandem_tls_load_key(struct tandem_tls_identity *identity, const gnutls_datum_t *key) {
    int code = gnutls_privkey_init(&identity->key);
    if (code == 0) code = gnutls_privkey_import_x509_raw(identity->key, key, GNUTLS_X509_FMT_PEM, NULL, 0);
    gnutls_pubkey_t public_key = NULL;
    if (code == 0) code = gnutls_pubkey_init(&public_key);
    if (code == 0) code = gnutls_pubkey_import_privkey(public_key, identity->key, 0, 0);
    unsigned char ours[32], theirs[32];
    if (code == 0) code = tandem_tls_key_id(public_key, ours);
    if (code == 0) code = tandem_tls_key_id(identity->chain[0].pubkey, theirs);
    if (code == 0 && memcmp(ours, theirs, sizeof ours) != 0) code = GNUTLS_E_CERTIFICATE_KEY_MISMATCH;
    if (public_key != NULL) gnutls_pubkey_deinit(public_key);
    return code;
}

/// Reads a chain and its key from PEM; 0, or GnuTLS' error and whether the key is at fault.
static inline int tandem_tls_load(
    const void *certificate, size_t certificate_bytes, const void *key, size_t key_bytes,
    struct tandem_tls_identity *identity, int *is_key_at_fault) {
    gnutls_datum_t chain = {(unsigned char *)certificate, (unsigned int)certificate_bytes};
    gnutls_datum_t secret = {(unsigned char *)key, (unsigned int)key_bytes};
    memset(identity, 0, sizeof *identity);
    *is_key_at_fault = 0;
    identity->chain = calloc(tandem_tls_chain_limit, sizeof *identity->chain);
    if (identity->chain == NULL) return GNUTLS_E_MEMORY_ERROR;
    unsigned int count = tandem_tls_chain_limit;
    int code = gnutls_pcert_list_import_x509_raw(
        identity->chain, &count, &chain, GNUTLS_X509_FMT_PEM, GNUTLS_X509_CRT_LIST_FAIL_IF_UNSORTED);
    if (code == 0) identity->count = count;
    gnutls_x509_crt_t first = NULL;
    if (code == 0) code = gnutls_pcert_export_x509(&identity->chain[0], &first);
    if (code == 0) {
        identity->expires_at = (int64_t)gnutls_x509_crt_get_expiration_time(first);
        gnutls_x509_crt_deinit(first);
        code = tandem_tls_load_key(identity, &secret);
        *is_key_at_fault = code != 0;
    }
    if (code != 0) tandem_tls_free(identity);
    return code;
}

/// Numbers and callbacks of a daemon; `closure` comes first in each callback.
struct tandem_http_options {
    int listening_socket;
    size_t connection_memory_bytes;
    unsigned int connection_limit;
    unsigned int idle_timeout_seconds;
    MHD_AccessHandlerCallback handle;
    MHD_RequestCompletedCallback completed;
    void *(*begun)(void *closure, const char *target, struct MHD_Connection *connection);
    MHD_NotifyConnectionCallback connected;
    void *closure;
    tandem_tls_retrieve identity;  // NULL: no TLS
};

/// Starts a daemon with one thread of its own that waits by epoll; NULL when that fails.
static inline struct MHD_Daemon *tandem_http_start(const struct tandem_http_options *options) {
    struct MHD_OptionItem tls[] = {
        {MHD_OPTION_HTTPS_CERT_CALLBACK, 0, (void *)options->identity},
        {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)"NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:%SERVER_PRECEDENCE"},
        {MHD_OPTION_END, 0, NULL},
    };
    struct MHD_OptionItem plain[] = {{MHD_OPTION_END, 0, NULL}};
    unsigned int flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME;
    return MHD_start_daemon(
        options->identity != NULL ? flags | MHD_USE_TLS : flags, 0, NULL, NULL, options->handle, options->closure,
        MHD_OPTION_LISTEN_SOCKET, options->listening_socket,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, options->connection_memory_bytes,
        MHD_OPTION_CONNECTION_LIMIT, options->connection_limit,
        MHD_OPTION_CONNECTION_TIMEOUT, options->idle_timeout_seconds,
        MHD_OPTION_NOTIFY_COMPLETED, options->completed, options->closure,
        MHD_OPTION_URI_LOG_CALLBACK, options->begun, options->closure,
        MHD_OPTION_NOTIFY_CONNECTION, options->connected, options->closure,
        MHD_OPTION_ARRAY, options->identity != NULL ? tls : plain,
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

/// What `poll` says when the other side has closed its half (a name that only GNU sources see).
static inline short tandem_http_poll_hang_up(void) { return 0x2000; }

/// What a body ends with that can't be sent whole: the connection ends.
static inline ssize_t tandem_http_end_with_error(void) { return MHD_CONTENT_READER_END_WITH_ERROR; }

/// The size of a body that nobody knows beforehand.
static inline uint64_t tandem_http_size_unknown(void) { return MHD_SIZE_UNKNOWN; }

/// Has a body of unknown size end with the connection and not with a last chunk, which libmicrohttpd 0.9.75 sends in
/// answer to HEAD too: the client would take it for the beginning of the next answer.
static inline void tandem_http_end_with_connection(struct MHD_Response *response) {
    MHD_set_response_options(response, MHD_RF_HTTP_1_0_COMPATIBLE_STRICT, MHD_RO_END);
}
