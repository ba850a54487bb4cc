#!/usr/bin/python3
"""What a Python service reaches with redis-py, for the comparison with redis_benchmark.

    redis_python_benchmark.py <port> [<threads>]

A check is INCR, and EXPIRE for the first of a window; a value is GET and json.loads, 1 KiB of it.
"""

import json
import sys
import threading
import time

import redis

SECONDS = 2.0


def measure(threads, make):
    counts = [0] * threads
    stop = threading.Event()

    def work(index):
        call = make(index)
        while not stop.is_set():
            call()
            counts[index] += 1

    workers = [threading.Thread(target=work, args=(i,)) for i in range(threads)]
    begin = time.monotonic()
    for worker in workers:
        worker.start()
    time.sleep(SECONDS)
    stop.set()
    for worker in workers:
        worker.join()
    return sum(counts) / (time.monotonic() - begin)


def main():
    port = int(sys.argv[1])
    threads = int(sys.argv[2]) if len(sys.argv) > 2 else 8
    server = redis.Redis(port=port)
    server.set("python:k", json.dumps({"items": ["x" * 60] * 16}))

    def check(index):
        key = f"python:rate:{index}"

        def call():
            if server.incr(key) == 1:
                server.expire(key, 86400)

        return call

    def get(_):
        return lambda: json.loads(server.get("python:k"))

    print(f"check, {threads} threads: {measure(threads, check):.0f}/s")
    print(f"get, {threads} threads: {measure(threads, get):.0f}/s")


main()
