#!/usr/bin/env python3
"""The agent between two pipelines: a sender with acknowledgements -> agent -> `http` sink -> a receiver that counts, at a steady rate,
while the agent is killed (-9) and started again.

    bench/roundtrip.py [--agent target/release/logsieve] [--way http|forward] [--rate EVENTS_PER_SECOND] [--kills N] [--every SECONDS]

The sender works as Vector's http sink and Fluent Bit's forward output do: batches of a second's part, several at a time, each sent
again until it is acknowledged. Prints the rate at which events were acknowledged, how many were lost and how many came twice, how long
an acknowledgement took, and the agent's CPU and memory. Ends with 1 where an acknowledged event is missing.
"""
import argparse
import http.client
import http.server
import itertools
import json
import pathlib
import queue
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

from delivery import REPO, Server, cpu_seconds, free_port, status

SECONDS = 1_772_359_200  # 2026-03-01T10:00:00Z


class Receiver(http.server.BaseHTTPRequestHandler):
    """Takes everything and counts how often each number came."""

    protocol_version = 'HTTP/1.1'
    seen = bytearray()
    lock = threading.Lock()

    def do_POST(self):
        body = self.rfile.read(int(self.headers['Content-Length']))
        # Of a line the number stands in it, in its message, and in nothing else.
        numbers = {int(line.split(b'"', 1)[0].rsplit(b'seq=', 1)[1].split(b';', 1)[0]) for line in body.split(b'{"line":"')[1:]}
        with Receiver.lock:
            highest = max(numbers, default=0)
            if highest >= len(Receiver.seen):
                Receiver.seen.extend(bytes(highest + 1_000_000 - len(Receiver.seen)))
            for number in numbers:
                Receiver.seen[number] = min(Receiver.seen[number] + 1, 255)
        self.send_response(200)
        self.send_header('Content-Length', '0')
        self.end_headers()

    def log_message(self, *_):
        pass


def text(number):
    return f'request {number} from 10.0.{number % 250}.{number % 13} took {number % 977} ms in worker-{number % 7} seq={number};'


def packed(kind, value):
    """A string or binary in MessagePack."""
    return struct.pack('>BI', kind, len(value)) + value


class Http:
    """Batches as JSON lines, each in a request."""

    def __init__(self, port):
        self.port, self.connection = port, None

    def send(self, first, count):
        body = ''.join(
            f'{{"message":"{text(number)}","timestamp":"2026-03-01T10:00:00.{number % 1_000_000_000:09}Z","stream":"stdout",'
            '"kubernetes":{"pod_namespace":"shop","pod_name":"cart-1","container_name":"web"}}\n'
            for number in range(first, first + count))
        self.connection = self.connection or http.client.HTTPConnection('127.0.0.1', self.port, timeout=60)
        self.connection.request('POST', '/ingest', body, {'Content-Type': 'application/x-ndjson'})
        reply = self.connection.getresponse()
        reply.read()
        return reply.status == 200

    def close(self):
        if self.connection:
            self.connection.close()
        self.connection = None


class Forward:
    """Batches as packed messages, each with a name that is acknowledged."""

    def __init__(self, port):
        self.port, self.connection = port, None

    def send(self, first, count):
        entries = b''.join(
            b'\x92\xd7\x00' + struct.pack('>II', SECONDS, number % 1_000_000_000)
            + b'\x82\xa3log' + packed(0xdb, (text(number) + '\n').encode()) + b'\xa6stream\xa6stdout'
            for number in range(first, first + count))
        chunk = f'{first:012}'.encode()
        message = b'\x93' + packed(0xdb, b'shop.web') + packed(0xc6, entries) + b'\x81\xa5chunk\xac' + chunk
        self.connection = self.connection or socket.create_connection(('127.0.0.1', self.port), 60)
        self.connection.sendall(message)
        want = b'\x81\xa3ack\xac' + chunk
        got = b''
        while len(got) < len(want):
            piece = self.connection.recv(len(want) - len(got))
            if not piece:
                return False
            got += piece
        return got == want

    def close(self):
        if self.connection:
            self.connection.close()
        self.connection = None


class Sender:
    """Offers events at a rate; workers send them, batch by batch, until each is acknowledged."""

    def __init__(self, way, port, rate, batch, workers):
        self.rate, self.batch, self.over = rate, batch, False
        self.batches = queue.Queue(maxsize=workers * 4)
        self.acked, self.waits, self.again, self.lock = [], [], 0, threading.Lock()
        self.threads = [threading.Thread(target=self.work, args=(way(port),), daemon=True) for _ in range(workers)]
        self.threads.append(threading.Thread(target=self.offer, daemon=True))
        for thread in self.threads:
            thread.start()

    def offer(self):
        begun = time.monotonic()
        for number in itertools.count():
            # What could not be offered in time because nobody took it is offered later: that is what a buffer does.
            wait = begun + number * self.batch / self.rate - time.monotonic()
            if wait > 0:
                time.sleep(wait)
            if self.over:
                break
            self.batches.put(number * self.batch)
        for _ in self.threads:
            self.batches.put(None)

    def work(self, way):
        while (first := self.batches.get()) is not None:
            begun = time.monotonic()
            while True:
                try:
                    taken = way.send(first, self.batch)
                except OSError:
                    taken = False
                except http.client.HTTPException:
                    taken = False
                if taken:
                    break
                way.close()
                with self.lock:
                    self.again += 1
                time.sleep(0.1)
            with self.lock:
                self.acked.append(first)
                self.waits.append(time.monotonic() - begun)

    def finish(self):
        self.over = True
        for thread in self.threads:
            thread.join()


def start(agent, scratch, port):
    child = subprocess.Popen([agent, 'run', '-c', scratch / 'agent.yaml'], stderr=open(scratch / 'agent.log', 'a'))
    while True:
        if child.poll() is not None:
            raise SystemExit((scratch / 'agent.log').read_text())
        try:
            urllib.request.urlopen(f'http://127.0.0.1:{port}/health').read()
            return child
        except urllib.error.HTTPError:
            return child
        except OSError:
            time.sleep(0.02)


def measure(arguments, scratch, say):
    server = Server(('127.0.0.1', 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    api, forward, telemetry = free_port(), free_port(), free_port()
    config = {
        'sources': {'http': {'enabled': True}, 'forward': {'listen': f'127.0.0.1:{forward}'}, 'docker': {'enabled': 'off'}, 'demo': 'off'},
        'store': {'directory': str(scratch / 'state')},
        'sinks': {'stdout': {'enabled': False}, 'out': {'type': 'http', 'url': f'http://127.0.0.1:{server.server_address[1]}/', 'retry': {'max_ms': 1000}}},
        'api': {'listen': f'127.0.0.1:{api}'},
        'telemetry': {'listen': f'127.0.0.1:{telemetry}'},
    }
    (scratch / 'agent.yaml').write_text(json.dumps(config))
    child = start(arguments.agent, scratch, telemetry)
    way, port = (Http, api) if arguments.way == 'http' else (Forward, forward)
    begun = time.monotonic()
    sender = Sender(way, port, arguments.rate, arguments.batch, arguments.workers)
    cpu, peak, down = 0.0, 0.0, 0.0
    try:
        for _ in range(arguments.kills):
            time.sleep(arguments.every)
            cpu, peak = cpu + cpu_seconds(child.pid), max(peak, status(child.pid, 'VmHWM'))
            dead = time.monotonic()
            child.kill()
            child.wait()
            child = start(arguments.agent, scratch, telemetry)
            down += time.monotonic() - dead
        time.sleep(arguments.every)
        sender.finish()
        took = time.monotonic() - begun
        acked = len(sender.acked) * arguments.batch
        deadline = time.monotonic() + 120
        missing = acked
        while missing and time.monotonic() < deadline:
            time.sleep(0.2)
            with Receiver.lock:
                seen = Receiver.seen
                missing = sum(arguments.batch - sum(map(bool, seen[first:first + arguments.batch])) for first in sender.acked)
        caught_up = time.monotonic() - begun - took
        cpu, peak = cpu + cpu_seconds(child.pid), max(peak, status(child.pid, 'VmHWM'))
        twice = sum(count - 1 for count in Receiver.seen if count > 1)
    finally:
        child.kill()
        server.shutdown()
    waits = sorted(sender.waits)
    say(f'{arguments.way}: {acked} events acknowledged in {took:.1f} s: {acked / took:.0f}/s of {arguments.rate}/s offered, {arguments.kills} kills ({down:.1f} s down)')
    say(f'  {missing} lost, {twice} came twice, {sender.again} requests sent again; the receiver had the last one {caught_up:.1f} s later')
    say(f'  an acknowledgement took {waits[len(waits) // 2] * 1000:.0f} ms, at most {waits[-1] * 1000:.0f} ms')
    say(f'  {cpu:.1f} CPU-seconds of the agent ({cpu / acked * 1e6:.1f} us an event), {peak:.0f} MiB at its highest')
    return missing


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--agent', default=REPO / 'target/release/logsieve')
    parser.add_argument('--way', choices=['http', 'forward'], default='http')
    parser.add_argument('--rate', type=int, default=20_000, help='events a second')
    parser.add_argument('--batch', type=int, default=1_000, help='events in a request')
    parser.add_argument('--workers', type=int, default=16, help='requests at a time')
    parser.add_argument('--kills', type=int, default=10)
    parser.add_argument('--every', type=float, default=6, help='seconds between two kills')
    parser.add_argument('--scratch', type=pathlib.Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        scratch = arguments.scratch or pathlib.Path(folder)
        scratch.mkdir(parents=True, exist_ok=True)
        if measure(arguments, scratch, lambda line: print(line, flush=True)):
            sys.exit(1)


if __name__ == '__main__':
    main()
