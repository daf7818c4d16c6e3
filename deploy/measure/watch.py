#!/usr/bin/env python3
"""Watches the memory of a server under load: one line a second, until the process ends.

usage: watch.py PID [API]       seconds  proportional set size of PID and its children, kB  INVITEs received (API only)
"""
import os
import sys
import time
import urllib.request


def children(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as names:
            return [int(name) for name in names.read().split()]
    except OSError:
        return []


def pss(pid):
    total = 0
    for process in [pid] + children(pid):
        try:
            with open(f"/proc/{process}/smaps_rollup") as lines:
                total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
        except OSError:
            continue
    return total


def invites(api):
    with urllib.request.urlopen(f"http://{api}/metrics", timeout=5) as answer:
        for line in answer.read().decode().splitlines():
            if line.startswith('tandem_requests_received_total{method="INVITE"}'):
                return int(float(line.split()[-1]))
    return 0


def main():
    pid, api = int(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else None
    begin = time.monotonic()
    while os.path.exists(f"/proc/{pid}"):
        try:
            count = invites(api) if api else 0
        except OSError:
            return
        print(f"{time.monotonic() - begin:.1f} {pss(pid)} {count}", flush=True)
        time.sleep(1)


if __name__ == "__main__":
    main()
