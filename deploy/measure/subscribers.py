#!/usr/bin/env python3
"""Subscribers follow the event stream of a server that runs, through very many status changes, and lose their connection
again and again: subscribers.py HOST:PORT [--pid PID] [--subscribers 64] [--changes 100000] [--lazy 1]

Each resumes with Last-Event-ID and must have seen every event exactly once, when what came twice is dropped. Lazy ones
connect and never read: they must cost the others nothing. With --pid the server's memory is watched. Exit code 1 when an
event is missing or came out of order.
"""
import argparse
import http.client
import json
import random
import re
import socket
import threading
import time

arguments = argparse.ArgumentParser()
arguments.add_argument("address")
arguments.add_argument("--pid", type=int)
arguments.add_argument("--subscribers", type=int, default=64)
arguments.add_argument("--changes", type=int, default=100_000)
arguments.add_argument("--lazy", type=int, default=1)
arguments.add_argument("--seed", type=int, default=random.randrange(1_000_000))
options = arguments.parse_args()
host, port = options.address.rsplit(":", 1)
gateways = [f"subscribed-{number}" for number in range(1000)]
random.seed(options.seed)
event_id = re.compile(rb"(?:^|\n)id: ?(\d+)")


def ask(connection, method, path, body=None):
    connection.request(method, path, json.dumps(body) if body is not None else None)
    answer = connection.getresponse()
    text = answer.read()
    if answer.status not in (200, 201):
        raise SystemExit(f"{method} {path}: {answer.status} {text.decode()[:500]}")
    return json.loads(text)


def resident():
    if not options.pid:
        return 0
    with open(f"/proc/{options.pid}/statm") as words:
        return int(words.read().split()[1]) * 4 // 1024


def newest(connection):
    """The number of the newest event: where a page behind the last one goes on."""
    after = 0
    while True:
        page = ask(connection, "GET", f"/v1/events?after={after}&limit=1000")
        if not page["items"]:
            return after
        after = int(page["items"][-1]["id"])


class Subscriber(threading.Thread):
    def __init__(self, number, start):
        super().__init__(daemon=True)
        self.random = random.Random(options.seed * 1000 + number)
        self.last, self.start_at, self.count, self.repeats, self.gaps, self.connections = start, start, 0, 0, [], 0
        self.end = None

    def run(self):
        while self.end is None or self.last < self.end:
            self.connect()

    def connect(self):
        self.connections += 1
        budget = self.random.randrange(1, 20_000)
        connection = http.client.HTTPConnection(host, int(port), timeout=5)
        rest = b""
        try:
            connection.request(
                "GET", "/v1/events", headers={"Accept": "text/event-stream", "Last-Event-ID": str(self.last)})
            stream = connection.getresponse()
            while budget > 0 and (self.end is None or self.last < self.end):
                piece = stream.read1(262_144)  # without the lengths between the chunks
                if not piece:
                    return
                rest += piece
                whole = rest.rfind(b"\n\n") + 2
                if whole < 2:
                    continue
                for number in event_id.findall(rest[:whole]):
                    self.note(int(number))
                    budget -= 1
                rest = rest[whole - 1:]
        except (OSError, http.client.HTTPException):
            return
        finally:
            connection.close()  # in the midst of whatever was under way

    def note(self, number):
        if number <= self.last:
            self.repeats += 1
        else:
            if number != self.last + 1:
                self.gaps.append((self.last, number))
            self.last = number
            self.count += 1


control = http.client.HTTPConnection(host, int(port))
for number, gateway in enumerate(gateways):
    body = {"uri": f"sip:127.0.0.1:{20_000 + number}", "probe": {"interval_s": 0}, "hold_s": 86_400}
    ask(control, "PUT", f"/v1/gateways/{gateway}", body)
ask(control, "PATCH", "/v1/settings", {"when_network_suspected": "ignore"})
time.sleep(1)
start = newest(control)
lazy = []
for _ in range(options.lazy):
    stream = socket.create_connection((host, int(port)))
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    stream.sendall(
        f"GET /v1/events?after=0 HTTP/1.1\r\nHost: {options.address}\r\nAccept: text/event-stream\r\n\r\n".encode())
    lazy.append(stream)
subscribers = [Subscriber(number, start) for number in range(options.subscribers - options.lazy)]
for subscriber in subscribers:
    subscriber.start()
print(f"seed {options.seed}, {len(subscribers)} subscribers, {options.lazy} that never read, from event {start} on")
print(f"memory before: {resident()} MiB")
began, made, memory = time.monotonic(), 0, []
outcome = "no-response"
while made < options.changes:
    reports = [{"gateway": gateway, "outcome": outcome} for gateway in gateways]
    answer = ask(control, "POST", "/v1/status-reports", {"reporter": "subscribers", "reports": reports})
    assert answer["taken"] == len(gateways), answer
    outcome = "answered" if outcome == "no-response" else "no-response"
    made += len(gateways)
    memory.append(resident())
changed = time.monotonic() - began
end = newest(control)
for subscriber in subscribers:
    subscriber.end = end
deadline = time.monotonic() + 600
for subscriber in subscribers:
    subscriber.join(max(0, deadline - time.monotonic()))
memory.append(resident())
seen = [subscriber.count for subscriber in subscribers]
gaps = [gap for subscriber in subscribers for gap in subscriber.gaps]
late = [subscriber.last for subscriber in subscribers if subscriber.last < end]
print(f"{made} status changes in {changed:.1f} s; events {start + 1}...{end}; all had them after "
      f"{time.monotonic() - began:.1f} s")
print(f"each saw {min(seen)}...{max(seen)} of {end - start}; connections {sum(s.connections for s in subscribers)}; "
      f"came twice {sum(s.repeats for s in subscribers)}; gaps {gaps[:5]}; not at the end {late[:5]}")
print(f"memory while it went on: {min(memory)}...{max(memory)} MiB, first {memory[:3]}, last {memory[-3:]}")
raise SystemExit(1 if gaps or late or min(seen) != end - start else 0)
