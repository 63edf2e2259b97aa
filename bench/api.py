#!/usr/bin/env python3
"""How fast a running agent classifies over HTTP: one line at a time (milliseconds), and batches of 100 lines (requests a second).

    bench/api.py [--port 7333] [--seconds 10] [--connections 2] [--token TOKEN]

The load generator shares the machine's cores with the agent. Requests are written beforehand and answers only counted, so that
it costs as little as it can; the agent's api.requests_per_second must allow it.
"""
import argparse
import json
import socket
import threading
import time

LINES = [
    'ERROR cannot open /data/%d: Permission denied',
    '10.0.0.%d - - [20/Nov/2026:10:00:00 +0000] "GET /api/items HTTP/1.1" 200 512',
    'WARN connection to db-%d.internal:5432 timed out after 3000 ms',
    'INFO request %d served in 12 ms',
]


def request(port, token, body, path='/api/classify'):
    body = json.dumps(body).encode()
    head = f'POST {path} HTTP/1.1\r\nHost: localhost:{port}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n'
    if token:
        head += f'Authorization: Bearer {token}\r\n'
    return head.encode() + b'\r\n' + body


def answer(sock, held):
    """Reads one answer; what follows it stays in `held`."""
    while b'\r\n\r\n' not in held:
        held += sock.recv(1 << 18)
    end = held.index(b'\r\n\r\n') + 4
    head = bytes(held[:end]).lower()
    if b' 200 ' not in head.split(b'\r\n', 1)[0]:
        raise SystemExit(head.decode())
    size = int(head.split(b'content-length:', 1)[1].split(b'\r\n', 1)[0])
    left = end + size - len(held)
    while left > 0:
        more = sock.recv(1 << 18)
        left -= len(more)
        held += more
    del held[:end + size]


def drive(port, bodies, until, took):
    with socket.create_connection(('127.0.0.1', port)) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        held = bytearray()
        n = 0
        while time.monotonic() < until:
            start = time.monotonic()
            sock.sendall(bodies[n % len(bodies)])
            answer(sock, held)
            took.append(time.monotonic() - start)
            n += 1


def run(port, bodies, seconds, connections):
    took = []
    until = time.monotonic() + seconds
    threads = [threading.Thread(target=drive, args=(port, bodies, until, took)) for _ in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took.sort()
    return took


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--port', type=int, default=7333)
    parser.add_argument('--seconds', type=float, default=10)
    parser.add_argument('--connections', type=int, default=2)
    parser.add_argument('--token', default='')
    asked = parser.parse_args()
    line = lambda n: LINES[n % len(LINES)] % n
    single = [request(asked.port, asked.token, {'log_message': line(n)}) for n in range(100)]
    many = [request(asked.port, asked.token, {'lines': [line(n + m) for m in range(100)]}) for n in range(10)]
    # The first answers wait for the model and for the store's templates.
    run(asked.port, single + many, 2, 1)
    took = run(asked.port, single, asked.seconds, 1)
    at = lambda share: took[int(len(took) * share)] * 1000
    print(f'one line: {len(took)} requests, p50 {at(0.5):.2f} ms, p99 {at(0.99):.2f} ms')
    took = run(asked.port, many, asked.seconds, asked.connections)
    print(f'100 lines: {len(took) / asked.seconds:.0f} requests/s ({len(took) * 100 / asked.seconds:.0f} lines/s), p50 {took[len(took) // 2] * 1000:.2f} ms')


if __name__ == '__main__':
    main()
