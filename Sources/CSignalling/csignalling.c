#define _GNU_SOURCE

#include "csignalling.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/errqueue.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    socket_buffer_bytes = 16 << 20,  // twice that to the kernel: 26,000 datagrams, a busy worker's 150 ms
    stream_buffer_bytes = 256 << 10,
    stream_backlog_count = 1024,
    stream_unacknowledged_milliseconds = 30000,
};

// MARK: clocks and processors

int64_t csig_monotonic_nanoseconds(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

int64_t csig_wall_milliseconds(void) {
    struct timespec time;
    clock_gettime(CLOCK_REALTIME, &time);
    return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

int csig_processor_count(void) {
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0) return CPU_COUNT(&set);
    long online = sysconf(_SC_NPROCESSORS_ONLN);  // more processors than a cpu_set_t holds
    return online > 0 ? (int)online : 1;
}

// MARK: addresses

static uint64_t load_big_endian(const uint8_t *bytes) {
    uint64_t number = 0;
    for (int index = 0; index < 8; index++) number = number << 8 | bytes[index];
    return number;
}

static void store_big_endian(uint64_t number, uint8_t *bytes) {
    for (int index = 7; index >= 0; index--, number >>= 8) bytes[index] = (uint8_t)number;
}

static socklen_t to_socket_address(const csig_address *address, struct sockaddr_storage *storage) {
    if (address->is_ipv6) {
        struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)storage;
        memset(in6, 0, sizeof *in6);
        in6->sin6_family = AF_INET6;
        in6->sin6_port = htons(address->port);
        store_big_endian(address->high, in6->sin6_addr.s6_addr);
        store_big_endian(address->low, in6->sin6_addr.s6_addr + 8);
        return sizeof *in6;
    }
    struct sockaddr_in *in = (struct sockaddr_in *)storage;
    memset(in, 0, sizeof *in);
    in->sin_family = AF_INET;
    in->sin_port = htons(address->port);
    in->sin_addr.s_addr = htonl((uint32_t)address->low);
    return sizeof *in;
}

static void from_socket_address(const struct sockaddr_storage *storage, csig_address *address) {
    memset(address, 0, sizeof *address);
    if (storage->ss_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)storage;
        address->is_ipv6 = true;
        address->port = ntohs(in6->sin6_port);
        address->high = load_big_endian(in6->sin6_addr.s6_addr);
        address->low = load_big_endian(in6->sin6_addr.s6_addr + 8);
    } else if (storage->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)storage;
        address->port = ntohs(in->sin_port);
        address->low = ntohl(in->sin_addr.s_addr);
    }
}

// MARK: UDP sockets

static int set_option(int socket, int level, int name, int value) {
    return setsockopt(socket, level, name, &value, sizeof value);
}

static int bind_udp(int socket, const csig_address *address, bool is_further) {
    struct sockaddr_storage storage;
    socklen_t length = to_socket_address(address, &storage);
    if (address->is_ipv6 && set_option(socket, IPPROTO_IPV6, IPV6_V6ONLY, 1) < 0) return -errno;
    if (is_further && set_option(socket, SOL_SOCKET, SO_REUSEPORT, 1) < 0) return -errno;
    if (bind(socket, (struct sockaddr *)&storage, length) < 0) return -errno;
    if (!is_further && set_option(socket, SOL_SOCKET, SO_REUSEPORT, 1) < 0) return -errno;
    // Errors of ICMP come back with the destination that they are about.
    int level = address->is_ipv6 ? IPPROTO_IPV6 : IPPROTO_IP;
    if (set_option(socket, level, address->is_ipv6 ? IPV6_RECVERR : IP_RECVERR, 1) < 0) return -errno;
    // Past the system's limit with the privilege, else as far as the limit goes: less is slower, not wrong.
    if (set_option(socket, SOL_SOCKET, SO_RCVBUFFORCE, socket_buffer_bytes) < 0)
        set_option(socket, SOL_SOCKET, SO_RCVBUF, socket_buffer_bytes);
    if (set_option(socket, SOL_SOCKET, SO_SNDBUFFORCE, socket_buffer_bytes) < 0)
        set_option(socket, SOL_SOCKET, SO_SNDBUF, socket_buffer_bytes);
    return 0;
}

int csig_receive_queue(int socket, uint32_t *taken_bytes, uint32_t *limit_bytes) {
    uint32_t memory[SK_MEMINFO_VARS] = {0};
    socklen_t length = sizeof memory;
    if (getsockopt(socket, SOL_SOCKET, SO_MEMINFO, memory, &length) < 0) return -errno;
    *taken_bytes = memory[SK_MEMINFO_RMEM_ALLOC];
    *limit_bytes = memory[SK_MEMINFO_RCVBUF];
    return 0;
}

int csig_udp_bind(const csig_address *address, bool is_further) {
    int family = address->is_ipv6 ? AF_INET6 : AF_INET;
    int descriptor = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_UDP);
    if (descriptor < 0) return -errno;
    int result = bind_udp(descriptor, address, is_further);
    if (result < 0) {
        close(descriptor);
        return result;
    }
    return descriptor;
}

int csig_bound_port(int socket) {
    struct sockaddr_storage storage;
    socklen_t length = sizeof storage;
    if (getsockname(socket, (struct sockaddr *)&storage, &length) < 0) return -errno;
    csig_address address;
    from_socket_address(&storage, &address);
    return address.port;
}

int csig_close(int descriptor) { return close(descriptor) < 0 ? -errno : 0; }

// MARK: streams

static int listen_tcp(int socket, const csig_address *address, bool is_further) {
    struct sockaddr_storage storage;
    socklen_t length = to_socket_address(address, &storage);
    if (address->is_ipv6 && set_option(socket, IPPROTO_IPV6, IPV6_V6ONLY, 1) < 0) return -errno;
    // Connections of an earlier process that wait for their end don't keep the port; another listener does.
    if (set_option(socket, SOL_SOCKET, SO_REUSEADDR, 1) < 0) return -errno;
    if (is_further && set_option(socket, SOL_SOCKET, SO_REUSEPORT, 1) < 0) return -errno;
    if (bind(socket, (struct sockaddr *)&storage, length) < 0) return -errno;
    if (!is_further && set_option(socket, SOL_SOCKET, SO_REUSEPORT, 1) < 0) return -errno;
    // What connections inherit. A fixed size keeps what the kernel holds for a slow reader within bounds.
    if (set_option(socket, SOL_SOCKET, SO_SNDBUF, stream_buffer_bytes) < 0) return -errno;
    if (listen(socket, stream_backlog_count) < 0) return -errno;
    return 0;
}

int csig_tcp_listen(const csig_address *address, bool is_further) {
    int family = address->is_ipv6 ? AF_INET6 : AF_INET;
    int descriptor = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
    if (descriptor < 0) return -errno;
    int result = listen_tcp(descriptor, address, is_further);
    if (result < 0) {
        close(descriptor);
        return result;
    }
    return descriptor;
}

static void prepare_stream(int socket) {
    // None of these failing makes a connection useless.
    set_option(socket, IPPROTO_TCP, TCP_NODELAY, 1);
    set_option(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, stream_unacknowledged_milliseconds);
}

int csig_accept(int listener, csig_address *peer) {
    struct sockaddr_storage storage = {0};
    socklen_t length = sizeof storage;
    int descriptor = accept4(listener, (struct sockaddr *)&storage, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (descriptor < 0) return -errno;
    from_socket_address(&storage, peer);
    prepare_stream(descriptor);
    return descriptor;
}

int csig_connect(const csig_address *from, const csig_address *to) {
    int family = to->is_ipv6 ? AF_INET6 : AF_INET;
    int descriptor = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
    if (descriptor < 0) return -errno;
    prepare_stream(descriptor);
    set_option(descriptor, SOL_SOCKET, SO_SNDBUF, stream_buffer_bytes);
    struct sockaddr_storage storage;
    socklen_t length = to_socket_address(from, &storage);
    // The port is chosen when it connects, so that one port may serve connections to several peers.
    set_option(descriptor, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
    int result = bind(descriptor, (struct sockaddr *)&storage, length);
    if (result == 0) {
        length = to_socket_address(to, &storage);
        result = connect(descriptor, (struct sockaddr *)&storage, length);
    }
    if (result < 0 && errno != EINPROGRESS) {
        result = -errno;
        close(descriptor);
        return result;
    }
    return descriptor;
}

int csig_take_error(int socket) {
    int error = 0;
    socklen_t length = sizeof error;
    if (getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &length) < 0) return -errno;
    return -error;
}

int csig_stream_receive(int socket, uint8_t *bytes, size_t limit_bytes) {
    ssize_t count = recv(socket, bytes, limit_bytes, MSG_DONTWAIT);
    if (count >= 0) return (int)count;
    return errno == EINTR ? -EAGAIN : -errno;
}

int csig_stream_send(int socket, const uint8_t *bytes, size_t length_bytes) {
    ssize_t count;
    do {
        count = send(socket, bytes, length_bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (count < 0 && errno == EINTR);
    return count < 0 ? -errno : (int)count;
}

int csig_end_sending(int socket) { return shutdown(socket, SHUT_WR) < 0 ? -errno : 0; }

int csig_raise_descriptor_limit(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0) return -errno;
    limit.rlim_cur = limit.rlim_max;
    return setrlimit(RLIMIT_NOFILE, &limit) < 0 ? -errno : 0;
}

// MARK: receiving

struct csig_receive_batch {
    struct mmsghdr headers[csig_batch_count];
    struct iovec vectors[csig_batch_count];
    struct sockaddr_storage sources[csig_batch_count];
    uint8_t bytes[csig_batch_count][csig_datagram_limit_bytes];
};

csig_receive_batch *csig_receive_batch_create(void) {
    csig_receive_batch *batch = calloc(1, sizeof *batch);
    if (batch == NULL) return NULL;
    for (int index = 0; index < csig_batch_count; index++) {
        batch->vectors[index] = (struct iovec){batch->bytes[index], csig_datagram_limit_bytes};
        batch->headers[index].msg_hdr.msg_name = &batch->sources[index];
        batch->headers[index].msg_hdr.msg_iov = &batch->vectors[index];
        batch->headers[index].msg_hdr.msg_iovlen = 1;
    }
    return batch;
}

void csig_receive_batch_destroy(csig_receive_batch *batch) { free(batch); }

int csig_receive(int socket, csig_receive_batch *batch) {
    for (int index = 0; index < csig_batch_count; index++) {
        batch->headers[index].msg_hdr.msg_namelen = sizeof batch->sources[index];
    }
    int count = recvmmsg(socket, batch->headers, csig_batch_count, MSG_DONTWAIT, NULL);
    if (count >= 0) return count;
    return errno == EAGAIN || errno == EINTR ? 0 : -errno;
}

void csig_received_at(const csig_receive_batch *batch, int index, csig_received *received) {
    const struct mmsghdr *header = &batch->headers[index];
    received->bytes = batch->bytes[index];
    received->length_bytes = header->msg_len;
    received->is_truncated = (header->msg_hdr.msg_flags & MSG_TRUNC) != 0;
    from_socket_address(&batch->sources[index], &received->source);
}

// MARK: sending

struct csig_send_batch {
    struct mmsghdr headers[csig_batch_count];
    struct iovec vectors[csig_batch_count];
    struct sockaddr_storage destinations[csig_batch_count];
};

csig_send_batch *csig_send_batch_create(void) {
    csig_send_batch *batch = calloc(1, sizeof *batch);
    if (batch == NULL) return NULL;
    for (int index = 0; index < csig_batch_count; index++) {
        batch->headers[index].msg_hdr.msg_name = &batch->destinations[index];
        batch->headers[index].msg_hdr.msg_iov = &batch->vectors[index];
        batch->headers[index].msg_hdr.msg_iovlen = 1;
    }
    return batch;
}

void csig_send_batch_destroy(csig_send_batch *batch) { free(batch); }

void csig_send_put(csig_send_batch *batch, int index, const uint8_t *bytes, size_t length_bytes,
                   const csig_address *destination) {
    batch->vectors[index] = (struct iovec){(void *)bytes, length_bytes};
    batch->headers[index].msg_hdr.msg_namelen = to_socket_address(destination, &batch->destinations[index]);
}

int csig_send(int socket, csig_send_batch *batch, int first, int count) {
    int sent;
    do {
        sent = sendmmsg(socket, batch->headers + first, (unsigned)count, MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : sent;
}

int csig_take_failure(int socket, csig_failure *failure) {
    struct sockaddr_storage destination = {0};
    struct iovec vector = {failure->head, sizeof failure->head};
    union {
        struct cmsghdr alignment;
        uint8_t bytes[512];
    } control;
    struct msghdr header = {
        .msg_name = &destination,
        .msg_namelen = sizeof destination,
        .msg_iov = &vector,
        .msg_iovlen = 1,
        .msg_control = &control,
        .msg_controllen = sizeof control,
    };
    ssize_t length = recvmsg(socket, &header, MSG_ERRQUEUE | MSG_DONTWAIT);
    if (length < 0) return errno == EAGAIN || errno == EINTR ? 0 : -errno;
    failure->head_bytes = (uint32_t)length;
    failure->error = 0;
    failure->is_from_network = false;
    from_socket_address(&destination, &failure->destination);
    for (struct cmsghdr *part = CMSG_FIRSTHDR(&header); part != NULL; part = CMSG_NXTHDR(&header, part)) {
        bool is_error = (part->cmsg_level == IPPROTO_IP && part->cmsg_type == IP_RECVERR)
                        || (part->cmsg_level == IPPROTO_IPV6 && part->cmsg_type == IPV6_RECVERR);
        if (!is_error || part->cmsg_len < CMSG_LEN(sizeof(struct sock_extended_err))) continue;
        struct sock_extended_err error;
        memcpy(&error, CMSG_DATA(part), sizeof error);
        failure->error = (int)error.ee_errno;
        failure->is_from_network = error.ee_origin == SO_EE_ORIGIN_ICMP || error.ee_origin == SO_EE_ORIGIN_ICMP6;
    }
    return 1;
}

// MARK: waiting

int csig_epoll_create(void) {
    int descriptor = epoll_create1(EPOLL_CLOEXEC);
    return descriptor < 0 ? -errno : descriptor;
}

static int control(int epoll, int operation, int descriptor, uint32_t tag, uint32_t interest) {
    struct epoll_event event = {.events = interest, .data.u32 = tag};
    return epoll_ctl(epoll, operation, descriptor, &event) < 0 ? -errno : 0;
}

int csig_epoll_add(int epoll, int descriptor, uint32_t tag) {
    return control(epoll, EPOLL_CTL_ADD, descriptor, tag, EPOLLIN);
}

int csig_epoll_want_writing(int epoll, int descriptor, uint32_t tag, bool wants_writing) {
    return csig_epoll_want(epoll, descriptor, tag, true, wants_writing);
}

int csig_epoll_want(int epoll, int descriptor, uint32_t tag, bool wants_reading, bool wants_writing) {
    uint32_t interest = (wants_reading ? EPOLLIN : 0u) | (wants_writing ? EPOLLOUT : 0u);
    return control(epoll, EPOLL_CTL_MOD, descriptor, tag, interest);
}

int csig_epoll_wait(int epoll, csig_event *events, int limit, int timeout_milliseconds) {
    struct epoll_event ready[64];
    if (limit > 64) limit = 64;
    int count = epoll_wait(epoll, ready, limit, timeout_milliseconds);
    if (count < 0) return errno == EINTR ? 0 : -errno;
    for (int index = 0; index < count; index++) {
        events[index].tag = ready[index].data.u32;
        events[index].is_readable = (ready[index].events & EPOLLIN) != 0;
        events[index].is_writable = (ready[index].events & EPOLLOUT) != 0;
        events[index].has_error = (ready[index].events & (EPOLLERR | EPOLLHUP)) != 0;
    }
    return count;
}

int csig_eventfd_create(void) {
    int descriptor = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return descriptor < 0 ? -errno : descriptor;
}

void csig_eventfd_signal(int descriptor) {
    // Fails only when the counter is full, and then the other side is woken anyway.
    while (eventfd_write(descriptor, 1) < 0 && errno == EINTR) {
    }
}

void csig_eventfd_clear(int descriptor) {
    eventfd_t count;
    while (eventfd_read(descriptor, &count) < 0 && errno == EINTR) {
    }
}

void csig_eventfd_wait(int descriptor) {
    struct pollfd wanted = {.fd = descriptor, .events = POLLIN};
    while (poll(&wanted, 1, -1) < 0 && errno == EINTR) {
    }
    csig_eventfd_clear(descriptor);
}

// MARK: threads

struct csig_thread {
    pthread_t thread;
    void (*body)(void *);
    void *context;
};

static void *run_thread(void *argument) {
    struct csig_thread *thread = argument;
    thread->body(thread->context);
    return NULL;
}

int csig_thread_start(const char *name, bool is_real_time, void (*body)(void *), void *context, csig_thread **started) {
    csig_thread *thread = malloc(sizeof *thread);
    if (thread == NULL) return -ENOMEM;
    thread->body = body;
    thread->context = context;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    if (is_real_time) {
        struct sched_param parameter = {.sched_priority = sched_get_priority_min(SCHED_RR)};
        pthread_attr_setinheritsched(&attributes, PTHREAD_EXPLICIT_SCHED);
        pthread_attr_setschedpolicy(&attributes, SCHED_RR);
        pthread_attr_setschedparam(&attributes, &parameter);
    }
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int result = pthread_create(&thread->thread, &attributes, run_thread, thread);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    if (result != 0) {
        free(thread);
        return -result;
    }
    pthread_setname_np(thread->thread, name);
    *started = thread;
    return 0;
}

void csig_thread_join(csig_thread *thread) {
    pthread_join(thread->thread, NULL);
    free(thread);
}
