// The thin C that Swift can't say: system calls whose structures are macros and unions in C. No policy, no protocol.
// Every function that returns an int gives a count or a descriptor, or a negative errno.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// An IP address and port in host order: IPv4 fills the low half of `low`.
typedef struct {
    uint64_t high;
    uint64_t low;
    uint16_t port;
    bool is_ipv6;
} csig_address;

// MARK: clocks and processors

/// CLOCK_MONOTONIC, ns.
int64_t csig_monotonic_nanoseconds(void);
/// CLOCK_REALTIME, ms since the Unix epoch.
int64_t csig_wall_milliseconds(void);
/// How many processors this process may run on, at least 1.
int csig_processor_count(void);

// MARK: UDP sockets

/// A bound, non-blocking UDP socket. The first of a group is bound alone, so that a port in use is refused even where
/// both sides would share it, and may be shared from then on; the others (`is_further`) join it.
int csig_udp_bind(const csig_address *address, bool is_further);
/// The port that a socket is bound to.
int csig_bound_port(int socket);
int csig_close(int descriptor);

// MARK: streams

/// A listening, non-blocking TCP socket; `is_further` as for UDP. It shares a port with connections that an earlier
/// process left behind, never with another listener.
int csig_tcp_listen(const csig_address *address, bool is_further);
/// Takes one connection that waits, non-blocking; -EAGAIN when there is none.
int csig_accept(int listener, csig_address *peer);
/// Begins a connection from an address (port 0: any) without waiting; it is made, or has failed, when it can be written.
int csig_connect(const csig_address *from, const csig_address *to);
/// Takes the error that waits at a socket: 0 for none.
int csig_take_error(int socket);
/// How many bytes came: 0 when the peer sends no more, -EAGAIN when there are none so far.
int csig_stream_receive(int socket, uint8_t *bytes, size_t limit_bytes);
/// How many bytes the kernel took; -EAGAIN when it has no room.
int csig_stream_send(int socket, const uint8_t *bytes, size_t length_bytes);
/// Tells the peer that nothing more comes.
int csig_end_sending(int socket);
/// Lets the process have as many descriptors as it may ask for.
int csig_raise_descriptor_limit(void);

enum { csig_batch_count = 64, csig_datagram_limit_bytes = 65535 };

/// Buffers for one batch of received datagrams; made once.
typedef struct csig_receive_batch csig_receive_batch;
csig_receive_batch *csig_receive_batch_create(void);
void csig_receive_batch_destroy(csig_receive_batch *batch);
/// recvmmsg without waiting. How many datagrams came, 0 for none.
int csig_receive(int socket, csig_receive_batch *batch);

/// What waits at a socket: the memory that the kernel has taken for it (its buffers, not the datagrams' lengths), and
/// the most that it would take. 0, or a negative errno.
int csig_receive_queue(int socket, uint32_t *taken_bytes, uint32_t *limit_bytes);

typedef struct {
    const uint8_t *bytes;
    uint32_t length_bytes;
    bool is_truncated;
    csig_address source;
} csig_received;
/// Datagram `index` of the last batch, below its count.
void csig_received_at(const csig_receive_batch *batch, int index, csig_received *received);

/// Buffers for one batch of datagrams to send; made once.
typedef struct csig_send_batch csig_send_batch;
csig_send_batch *csig_send_batch_create(void);
void csig_send_batch_destroy(csig_send_batch *batch);
/// Puts a datagram at `index`, below `csig_batch_count`; the bytes must stay until the batch was sent.
void csig_send_put(csig_send_batch *batch, int index, const uint8_t *bytes, size_t length_bytes,
                   const csig_address *destination);
/// sendmmsg without waiting: datagrams `first`..<`first + count`. How many went, at least 1.
int csig_send(int socket, csig_send_batch *batch, int first, int count);

typedef struct {
    /// Where the datagram that failed was going.
    csig_address destination;
    /// Why (errno).
    int error;
    /// True when an ICMP message said so, false when this host did.
    bool is_from_network;
    /// The first bytes of the datagram that failed; how many of them are known.
    uint8_t head[8];
    uint32_t head_bytes;
} csig_failure;
/// Takes one entry from the socket's error queue: 1, or 0 when it is empty.
int csig_take_failure(int socket, csig_failure *failure);

// MARK: waiting

int csig_epoll_create(void);
/// Watches a descriptor for input and errors, and for room to write when asked; `tag` comes back with its events.
int csig_epoll_add(int epoll, int descriptor, uint32_t tag);
int csig_epoll_want_writing(int epoll, int descriptor, uint32_t tag, bool wants_writing);
/// Watches for input and for room to write, each only where wanted; an error or a hang-up is told in any case.
int csig_epoll_want(int epoll, int descriptor, uint32_t tag, bool wants_reading, bool wants_writing);

typedef struct {
    uint32_t tag;
    bool is_readable;
    bool is_writable;
    bool has_error;
} csig_event;
/// Waits up to `timeout_milliseconds` (-1: for ever). How many events came; a signal counts as none.
int csig_epoll_wait(int epoll, csig_event *events, int limit, int timeout_milliseconds);

int csig_eventfd_create(void);
void csig_eventfd_signal(int eventfd);
void csig_eventfd_clear(int eventfd);
/// Waits until the eventfd was signalled, and clears it.
void csig_eventfd_wait(int eventfd);

// MARK: threads

typedef struct csig_thread csig_thread;
/// Starts a thread with a name of up to 15 bytes; all signals are blocked in it, for the process's main thread has
/// them. With `is_real_time` it is scheduled as SCHED_RR at the least priority of that. 0, or a negative errno: -EPERM
/// when the process may not have such threads.
int csig_thread_start(const char *name, bool is_real_time, void (*body)(void *), void *context, csig_thread **started);
/// Waits until the thread's body has returned, and frees what is left of it.
void csig_thread_join(csig_thread *thread);
