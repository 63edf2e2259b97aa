#!/usr/bin/env python3
"""A sink that is down: lines come at a steady rate while the receiver answers 503, then it is up again.

    bench/outage.py [--agent target/release/logsieve] [--down SECONDS] [--rate LINES_PER_SECOND]

Prints the agent's resident memory before, during and after, how fast the sink catches up, and whether every line came.
"""
import argparse
import http.server
import json
import pathlib
import re
import subprocess
import tempfile
import threading
import time

from delivery import REPO, Server, free_port, status


class Receiver(http.server.BaseHTTPRequestHandler):
    """Refuses while it is down, then counts numbers."""

    protocol_version = 'HTTP/1.1'
    up = True
    seen = set()
    repeats = 0

    def do_POST(self):
        body = self.rfile.read(int(self.headers['Content-Length']))
        if Receiver.up:
            for number in re.findall(rb'"line":"request (\d+) ', body):
                if int(number) in Receiver.seen:
                    Receiver.repeats += 1
                Receiver.seen.add(int(number))
        self.send_response(200 if Receiver.up else 503)
        self.send_header('Content-Length', '0')
        self.end_headers()

    def log_message(self, *_):
        pass


class Writer(threading.Thread):
    """Writes CRI lines at a rate until it is told to stop."""

    def __init__(self, path, rate):
        super().__init__(daemon=True)
        self.path, self.rate, self.written, self.over = path, rate, 0, False

    def run(self):
        begun = time.monotonic()
        with open(self.path, 'a') as file:
            while not self.over:
                due = int((time.monotonic() - begun) * self.rate)
                file.write(''.join(f'2026-03-01T10:00:00.000000000Z stdout F request {n} from 10.0.{n % 250}.{n % 13} took {n % 977} ms in worker-{n % 7}\n' for n in range(self.written, due)))
                file.flush()
                self.written = due
                time.sleep(0.01)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--agent', default=str(REPO / 'target/release/logsieve'))
    parser.add_argument('--down', type=float, default=600)
    parser.add_argument('--rate', type=int, default=5000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = pathlib.Path(folder)
        server = Server(('127.0.0.1', 0), Receiver)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        config = {
            'sources': {'files': {'include': [f'{place}/app.log'], 'start_at': 'beginning'}, 'docker': {'enabled': 'off'}, 'demo': 'off'},
            'store': {'directory': f'{place}/state'},
            'sinks': {'stdout': {'enabled': False}, 'out': {'type': 'http', 'url': f'http://127.0.0.1:{server.server_address[1]}/', 'retry': {'max_ms': 2000}}},
            'api': {'listen': ''},
            'telemetry': {'listen': f'127.0.0.1:{free_port()}'},
        }
        (place / 'agent.yaml').write_text(json.dumps(config))
        writer = Writer(place / 'app.log', arguments.rate)
        writer.start()
        child = subprocess.Popen([arguments.agent, 'run', '-c', place / 'agent.yaml'], stderr=open(place / 'log', 'w'))
        try:
            time.sleep(15)
            before = status(child.pid, 'VmRSS')
            Receiver.up = False
            highest, end = 0, time.monotonic() + arguments.down
            while time.monotonic() < end:
                highest = max(highest, status(child.pid, 'VmRSS'))
                time.sleep(0.5)
            behind = writer.written - len(Receiver.seen)
            Receiver.up, begun, had = True, time.monotonic(), len(Receiver.seen)
            while writer.written - len(Receiver.seen) > arguments.rate and time.monotonic() - begun < arguments.down:
                highest = max(highest, status(child.pid, 'VmRSS'))
                time.sleep(0.1)
            took = time.monotonic() - begun
            delivered = len(Receiver.seen) - had
            writer.over = True
            writer.join()
            until = time.monotonic() + 30
            while len(Receiver.seen) < writer.written and time.monotonic() < until:
                time.sleep(0.1)
            print(f'{arguments.down:.0f} s without a receiver at {arguments.rate} lines/s: {behind} events behind')
            print(f'  resident {before:.1f} MiB before, {highest:.1f} MiB at its highest since: {highest - before:+.1f} MiB')
            print(f'  caught up in {took:.1f} s: {delivered / took:.0f} events/s, {delivered / took / arguments.rate:.1f} times the rate')
            print(f'  {writer.written} lines written, {writer.written - len(Receiver.seen)} missing, {Receiver.repeats} repeated')
        finally:
            child.kill()


if __name__ == '__main__':
    main()
