#pragma once
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

// The checks of curl_easy_setopt's arguments are macros around calls that name their option; ours get it.
#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>

// What Swift can't say of libcurl: its calls with a variable number of arguments, and the addresses that it hands to
// callbacks.

/// Sets an option that is a number.
static inline CURLcode tandem_curl_set_number(CURL *transfer, CURLoption option, long value) {
    return curl_easy_setopt(transfer, option, value);
}

/// Sets an option that is text (copied) or another pointer (kept).
static inline CURLcode tandem_curl_set_pointer(CURL *transfer, CURLoption option, const void *value) {
    return curl_easy_setopt(transfer, option, value);
}

/// Copies a body that may hold any byte.
static inline CURLcode tandem_curl_set_body(CURL *transfer, const uint8_t *bytes, size_t count) {
    CURLcode code = curl_easy_setopt(transfer, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)count);
    return code != CURLE_OK ? code : curl_easy_setopt(transfer, CURLOPT_COPYPOSTFIELDS, bytes);
}

/// What a transfer asks and tells its owner; `closure` comes first in each callback.
struct tandem_curl_owner {
    void *closure;
    /// Whether this address may be talked to: `family` is 4 or 6, `bytes` are 4 or 16 in network order.
    bool (*is_allowed)(void *closure, int family, const uint8_t *bytes);
    /// So many bytes of the response's body have come. False: enough.
    bool (*received)(void *closure, size_t count);
    /// A response's head has begun, or (`is_whole`) has ended.
    void (*received_head)(void *closure, bool is_whole);
};

/// Opens the socket for the very address that will be connected to, when the owner allows that.
static inline curl_socket_t tandem_curl_open(void *context, curlsocktype purpose, struct curl_sockaddr *address) {
    const struct tandem_curl_owner *owner = context;
    uint8_t bytes[16];
    int family;
    if (purpose != CURLSOCKTYPE_IPCXN) return CURL_SOCKET_BAD;
    if (address->family == AF_INET && address->addrlen >= sizeof(struct sockaddr_in)) {
        struct sockaddr_in name;
        memcpy(&name, &address->addr, sizeof name);
        memcpy(bytes, &name.sin_addr, 4);
        family = 4;
    } else if (address->family == AF_INET6 && address->addrlen >= sizeof(struct sockaddr_in6)) {
        struct sockaddr_in6 name;
        memcpy(&name, &address->addr, sizeof name);
        memcpy(bytes, &name.sin6_addr, 16);
        family = 6;
    } else {
        return CURL_SOCKET_BAD;
    }
    if (!owner->is_allowed(owner->closure, family, bytes)) return CURL_SOCKET_BAD;
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/// Asks again before a request is sent: the connection may be an old one, from before the rule changed.
static inline int tandem_curl_before_request(
    void *context, char *remote_address, char *local_address, int remote_port, int local_port) {
    const struct tandem_curl_owner *owner = context;
    uint8_t bytes[16];
    (void)local_address;
    (void)remote_port;
    (void)local_port;
    if (inet_pton(AF_INET, remote_address, bytes) == 1)
        return owner->is_allowed(owner->closure, 4, bytes) ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT;
    if (inet_pton(AF_INET6, remote_address, bytes) == 1)
        return owner->is_allowed(owner->closure, 6, bytes) ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT;
    return CURL_PREREQFUNC_ABORT;
}

static inline size_t tandem_curl_receive(char *bytes, size_t size, size_t count, void *context) {
    const struct tandem_curl_owner *owner = context;
    (void)bytes;
    return owner->received(owner->closure, size * count) ? size * count : 0;
}

static inline size_t tandem_curl_receive_head(char *bytes, size_t size, size_t count, void *context) {
    const struct tandem_curl_owner *owner = context;
    size_t length = size * count;
    if (length >= 5 && memcmp(bytes, "HTTP/", 5) == 0) {
        owner->received_head(owner->closure, false);
    } else if (length > 0 && length <= 2 && bytes[length - 1] == '\n') {
        owner->received_head(owner->closure, true);
    }
    return length;
}

/// Sets every callback. The owner is kept until the transfer's end.
static inline CURLcode tandem_curl_set_owner(CURL *transfer, const struct tandem_curl_owner *owner) {
    CURLcode code = curl_easy_setopt(transfer, CURLOPT_OPENSOCKETFUNCTION, tandem_curl_open);
    if (code == CURLE_OK) code = curl_easy_setopt(transfer, CURLOPT_OPENSOCKETDATA, (void *)owner);
    if (code == CURLE_OK) code = curl_easy_setopt(transfer, CURLOPT_PREREQFUNCTION, tandem_curl_before_request);
    if (code == CURLE_OK) code = curl_easy_setopt(transfer, CURLOPT_PREREQDATA, (void *)owner);
    if (code == CURLE_OK) code = curl_easy_setopt(transfer, CURLOPT_WRITEFUNCTION, tandem_curl_receive);
    if (code == CURLE_OK) code = curl_easy_setopt(transfer, CURLOPT_WRITEDATA, (void *)owner);
    if (code == CURLE_OK) code = curl_easy_setopt(transfer, CURLOPT_HEADERFUNCTION, tandem_curl_receive_head);
    if (code == CURLE_OK) code = curl_easy_setopt(transfer, CURLOPT_HEADERDATA, (void *)owner);
    return code;
}

/// The status code of the response; 0 before there is one.
static inline long tandem_curl_status(CURL *transfer) {
    long status = 0;
    return curl_easy_getinfo(transfer, CURLINFO_RESPONSE_CODE, &status) == CURLE_OK ? status : 0;
}

/// What Retry-After says, s; 0 when it says nothing.
static inline int64_t tandem_curl_retry_after(CURL *transfer) {
    curl_off_t seconds = 0;
    return curl_easy_getinfo(transfer, CURLINFO_RETRY_AFTER, &seconds) == CURLE_OK ? (int64_t)seconds : 0;
}

/// Sets how many idle connections are kept.
static inline CURLMcode tandem_curl_keep_connections(CURLM *transfers, long count) {
    return curl_multi_setopt(transfers, CURLMOPT_MAXCONNECTS, count);
}

/// A transfer that has ended, and how.
struct tandem_curl_end {
    CURL *transfer;
    CURLcode code;
};

/// The next transfer that has ended; its `transfer` is NULL when there is none.
static inline struct tandem_curl_end tandem_curl_next_end(CURLM *transfers) {
    struct tandem_curl_end end = {NULL, CURLE_OK};
    int waiting = 0;
    CURLMsg *message;
    while ((message = curl_multi_info_read(transfers, &waiting)) != NULL) {
        if (message->msg != CURLMSG_DONE) continue;
        end.transfer = message->easy_handle;
        end.code = message->data.result;
        return end;
    }
    return end;
}
