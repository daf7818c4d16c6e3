#!/usr/bin/env python3
"""Puts a table of routes into a running server over its API, one PUT each, over a few connections that stay open.

usage: provision.py HOST:PORT PREFIXES.csv       lines of prefix,group; group N has the gateways 127.0.0.1:7001, 7002, 7003

Ends with 1 and the first refusal when something is refused.
"""
import http.client
import json
import sys
import threading

CONNECTIONS = 16


class Client:
    def __init__(self, address):
        self.connection = http.client.HTTPConnection(address, timeout=30)

    def put(self, path, body):
        self.connection.request("PUT", "/v1/" + path, json.dumps(body))
        answer = self.connection.getresponse()
        text = answer.read()
        if answer.status not in (200, 201):
            raise RuntimeError(f"PUT {path}: {answer.status} {text.decode(errors='replace')[:300]}")


def main():
    address, table = sys.argv[1:]
    with open(table) as lines:
        routes = [line.strip().split(",") for line in lines]
    client = Client(address)
    gateways = [f"gateway-{number}" for number in (1, 2, 3)]
    for number, gateway in enumerate(gateways, 1):
        client.put(f"gateways/{gateway}", {"uri": f"sip:127.0.0.1:{7000 + number}"})
    for group in sorted({group for _, group in routes}):
        members = [{"gateway": gateway, "priority": number} for number, gateway in enumerate(gateways)]
        client.put(f"gateway-groups/group-{group}", {"policy": "ordered", "members": members})
        client.put(f"routing-lists/list-{group}", {"groups": [{"group": f"group-{group}"}]})
    failures = []

    def put_share(first):
        try:
            mine = Client(address)
            for prefix, group in routes[first::CONNECTIONS]:
                if failures:
                    return
                mine.put(f"routing-plans/default/routes/{prefix}", {"routing_list": f"list-{group}"})
        except (OSError, RuntimeError, http.client.HTTPException) as failure:
            failures.append(str(failure))

    threads = [threading.Thread(target=put_share, args=(first,)) for first in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        sys.exit(failures[0])


if __name__ == "__main__":
    main()
