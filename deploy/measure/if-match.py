#!/usr/bin/env python3
"""Eight clients read one gateway and write one more with If-Match, as fast as they can, against a server that runs:
if-match.py HOST:PORT [SECONDS [CLIENTS]]. Says how many writes were acknowledged and how many were stale, and
checks that the history holds each acknowledged write once, that none is lost, and that no revision is left out."""
import http.client
import json
import sys
import threading
import time

address = sys.argv[1]
seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 60
clients = int(sys.argv[3]) if len(sys.argv) > 3 else 8
path = "/v1/gateways/if-match-counter"
written, stale, waits, lock = [], [0], [], threading.Lock()


def ask(connection, method, target, body=None, headers={}):
    connection.request(method, target, json.dumps(body) if body is not None else None, headers)
    answer = connection.getresponse()
    text = answer.read()
    return answer.status, answer.headers, json.loads(text) if text else None


def work(until):
    connection = http.client.HTTPConnection(address)
    while time.monotonic() < until:
        _, headers, counter = ask(connection, "GET", path)
        value = int(counter["description"]) + 1
        began = time.monotonic()
        status, _, body = ask(
            connection, "PUT", path, {"uri": "sip:192.0.2.10", "description": str(value)}, {"If-Match": headers["ETag"]})
        wait = time.monotonic() - began
        with lock:
            if status == 200:
                written.append(value)
                waits.append(wait)
            elif status == 412:
                stale[0] += 1
            else:
                sys.exit(f"{status}: {body}")


connection = http.client.HTTPConnection(address)
status, headers, _ = ask(connection, "PUT", path, {"uri": "sip:192.0.2.10", "description": "0"})
assert status in (200, 201), status
first = int(headers["Tandem-Revision"])
threads = [threading.Thread(target=work, args=(time.monotonic() + seconds,)) for _ in range(clients)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()

connection = http.client.HTTPConnection(address)  # the other one was idle for too long
total = len(written)
assert sorted(written) == list(range(1, total + 1)), "an acknowledged write is lost or there twice"
_, _, counter = ask(connection, "GET", path)
assert counter["description"] == str(total), (counter["description"], total)
revisions, target = [], "/v1/revisions?limit=1000"
while target:
    _, _, page = ask(connection, "GET", target)
    revisions += [item["revision"] for item in page["items"]]
    target = page.get("next")
assert revisions == list(range(first + total, 0, -1)), "a revision is left out"
for value in range(1, total + 1):
    _, _, one = ask(connection, "GET", f"/v1/revisions/{first + value}")
    (operation,) = one["operations"]
    assert (operation["before"]["description"], operation["after"]["description"]) == (str(value - 1), str(value)), one
waits.sort()
print(f"{clients} clients, {seconds:.0f} s: {total} writes acknowledged, {stale[0]} stale (412)")
print(f"acknowledged after p50 {waits[total // 2] * 1000:.2f} ms, p99 {waits[total * 99 // 100] * 1000:.2f} ms")
print(f"history: revisions {first + 1} to {first + total}, each write once, none lost, no gap")
