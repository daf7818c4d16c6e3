#!/usr/bin/env python3
"""How long well-behaved clients of a server that runs wait: waits.py API REDIRECT SECONDS NAME. One reads on a connection
that it keeps, one changes something on a connection of its own each time, one calls the redirect server. They come from
another address than those who disturb them: of one address so many connections are let in and no more. Prints
percentiles; exit code 1 when a request failed, or 99 of 100 took 200 ms or more."""
import http.client
import json
import socket
import sys
import threading
import time

api, redirect, seconds, name = sys.argv[1], sys.argv[2], float(sys.argv[3]), sys.argv[4]
waits, failures = {"read": [], "change": [], "call": []}, {"read": 0, "change": 0, "call": 0}
until = time.monotonic() + seconds


def timed(kind, pause, once):
    while time.monotonic() < until:
        began = time.monotonic()
        try:
            once()
            waits[kind].append(time.monotonic() - began)
        except (OSError, http.client.HTTPException, AssertionError) as error:
            failures[kind] += 1
            if failures[kind] <= 3:
                print(f"  {kind}: {error!r}")
        time.sleep(pause)


class Reader:
    connection = None

    def ask(self):
        try:
            if self.connection is None:
                self.connection = http.client.HTTPConnection(api, timeout=5, source_address=("127.0.0.2", 0))
            self.connection.request("GET", "/v1/gateways/lon1")
            answer = self.connection.getresponse()
            answer.read()
            assert answer.status == 200, answer.status
        except (OSError, http.client.HTTPException):
            self.connection = None
            raise


count = [0]


def change():
    count[0] += 1
    connection = http.client.HTTPConnection(api, timeout=5, source_address=("127.0.0.2", 0))
    try:
        connection.request("PUT", "/v1/gateways/waits", json.dumps({"uri": "sip:192.0.2.1", "description": f"{count[0]}"}))
        answer = connection.getresponse()
        answer.read()
        assert answer.status in (200, 201), answer.status
    finally:
        connection.close()


peer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
peer.bind(("127.0.0.1", 0))
peer.settimeout(5)
host, port = redirect.rsplit(":", 1)


def call():
    count[0] += 1
    id, own = f"waits-{count[0]}-{time.monotonic_ns()}", f"127.0.0.1:{peer.getsockname()[1]}"
    common = (f"Via: SIP/2.0/UDP {own};branch=z9hG4bK-{id}\r\nMax-Forwards: 70\r\nFrom: <sip:a@{own}>;tag=1\r\n"
              f"Call-ID: {id}\r\n")
    invite = (f"INVITE sip:442071@{redirect} SIP/2.0\r\n{common}To: <sip:442071@{redirect}>\r\nCSeq: 1 INVITE\r\n"
              f"Contact: <sip:a@{own}>\r\nContent-Length: 0\r\n\r\n")
    peer.sendto(invite.encode(), (host, int(port)))
    while True:
        answer = peer.recv(65_536).decode()
        if id in answer:
            break
    to = next(line for line in answer.split("\r\n") if line.startswith("To:"))
    peer.sendto(f"ACK sip:442071@{redirect} SIP/2.0\r\n{common}{to}\r\nCSeq: 1 ACK\r\nContent-Length: 0\r\n\r\n".encode(),
                (host, int(port)))
    assert answer.startswith("SIP/2.0 30"), answer[:40]


threads = [threading.Thread(target=timed, args=arguments) for arguments in [
    ("read", 0.005, Reader().ask), ("change", 0.02, change), ("call", 0.005, call)]]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
bad = False
for kind, list in waits.items():
    list.sort()
    at = lambda part: list[min(len(list) - 1, int(len(list) * part))] * 1000 if list else float("nan")
    print(f"{name}: {kind}: {len(list)} requests, {failures[kind]} failed, p50 {at(0.5):.2f} ms, p99 {at(0.99):.2f} ms, "
          f"p99.9 {at(0.999):.2f} ms, longest {at(1):.2f} ms")
    bad = bad or failures[kind] > 0 or not list or at(0.99) >= 200
sys.exit(1 if bad else 0)
