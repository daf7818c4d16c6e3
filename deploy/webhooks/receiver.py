#!/usr/bin/env python3
"""A receiver of webhooks that misbehaves as it is told, then takes everything, and writes down what came.

usage: receiver.py PORT [SECRET [BEHAVIOUR...]]      PORT 0 is any free one

One BEHAVIOUR a request: ok, fail (500), busy (429), redirect, hang (no answer), reset (the connection is reset), torn (half an answer);
afterwards ok. Prints a line of JSON for each: first {"port": N}, then {"id", "type", "behaviour", "signature"}, where signature is what the package
standardwebhooks says of it: true, false, or null when there is no such package here.
"""
import http.server
import json
import socket
import struct
import sys
import threading

try:
    from standardwebhooks.webhooks import Webhook
except ImportError:
    Webhook = None

PORT = int(sys.argv[1])
SECRET = sys.argv[2] if len(sys.argv) > 2 else ""
behaviours = sys.argv[3:]
lock = threading.Lock()


def say(value):
    with lock:
        print(json.dumps(value), flush=True)


def judge(body, headers):
    if Webhook is None or not SECRET:
        return None
    try:
        Webhook(SECRET).verify(body, {name.lower(): value for name, value in headers.items()})
        return True
    except Exception:
        return False


class Receiver(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        with lock:
            behaviour = behaviours.pop(0) if behaviours else "ok"
        say({
            "id": self.headers.get("webhook-id"), "type": json.loads(body).get("type"), "behaviour": behaviour,
            "signature": judge(body, self.headers),
        })
        if behaviour == "hang":
            self.connection.recv(1)
            self.close_connection = True
        elif behaviour == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
        elif behaviour == "torn":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Le")
            self.close_connection = True
        else:
            self.send_response({"ok": 204, "fail": 500, "busy": 429, "redirect": 307}[behaviour])
            if behaviour == "redirect":
                self.send_header("Location", "/elsewhere")
            if behaviour == "busy":
                self.send_header("Retry-After", "1")
            self.send_header("Content-Length", "0")
            self.end_headers()

    def log_message(self, *arguments):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True


server = Server(("127.0.0.1", PORT), Receiver)
say({"port": server.server_address[1]})
server.serve_forever()
