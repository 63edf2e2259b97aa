#!/usr/bin/env python3
"""What an agent costs at a steady pace: lines of the corpus at a rate, then at the next one.

    bench/pace.py CORPUS [--agent target/release/logsieve] [--model DIR] [--seconds 30] [--rates 1000,10000]

CORPUS is a file of CRI lines, as `bench/corpus.py` draws it. Prints, per rate, the agent's CPU as a share of one core, its
resident memory, and the bytes that its store takes. Everything is on: joins, all rules of the general pack, templates, the
store, an http sink to a receiver that takes all, and the model where one is named.
"""
import argparse
import http.server
import pathlib
import subprocess
import tempfile
import threading
import time

from delivery import REPO, Server, cpu_seconds, free_port, on_disk, status


class Receiver(http.server.BaseHTTPRequestHandler):
    """Takes everything."""

    protocol_version = 'HTTP/1.1'

    def do_POST(self):
        self.rfile.read(int(self.headers['Content-Length']))
        self.send_response(200)
        self.send_header('Content-Length', '0')
        self.end_headers()

    def log_message(self, *_):
        pass


def pace(lines, out, rate, seconds):
    """Writes lines at a rate."""
    begun, written = time.monotonic(), 0
    while (passed := time.monotonic() - begun) < seconds:
        due = int(passed * rate)
        while written < due:
            line = next(lines)
            out.write(line)
            written += 1
        out.flush()
        time.sleep(0.02)


def again(path):
    """The corpus's lines, over and over."""
    while True:
        with open(path, 'rb') as file:
            yield from file


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('corpus', type=pathlib.Path)
    parser.add_argument('--agent', default=REPO / 'target/release/logsieve')
    parser.add_argument('--model', type=pathlib.Path)
    parser.add_argument('--seconds', type=float, default=30)
    parser.add_argument('--rates', default='1000,10000')
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        place = pathlib.Path(place)
        log = place / 'pods/ns_pod_uid/app/0.log'
        log.parent.mkdir(parents=True)
        log.touch()
        port, telemetry = free_port(), free_port()
        server = Server(('127.0.0.1', port), Receiver)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        model = f'classify: {{model: {{enabled: "on", directory: "{args.model}"}}}}' if args.model else ''
        config = place / 'logsieve.yaml'
        config.write_text(f'''
sources: {{files: {{include: ["{place}/pods/*/*/*.log"], start_at: beginning}}, docker: {{enabled: "off"}}, demo: "off"}}
{model}
store: {{directory: "{place}/state"}}
sinks: {{stdout: {{enabled: false}}, out: {{type: http, url: "http://127.0.0.1:{port}/"}}}}
api: {{listen: ""}}
telemetry: {{listen: "127.0.0.1:{telemetry}"}}
''')
        agent = subprocess.Popen([args.agent, 'run', '-c', config], stderr=subprocess.DEVNULL)
        lines = again(args.corpus)
        with open(log, 'ab') as out:
            # What is new at first is no part of the pace.
            pace(lines, out, 1000, 10)
            for rate in map(int, args.rates.split(',')):
                before = cpu_seconds(agent.pid)
                pace(lines, out, rate, args.seconds)
                share = (cpu_seconds(agent.pid) - before) / args.seconds
                resident, highest = status(agent.pid, 'VmRSS'), status(agent.pid, 'VmHWM')
                disk = on_disk(place / 'state')
                print(f'{rate:>6} lines/s: {share:.1%} of a core, {resident:.0f} MiB resident, {highest:.0f} at its highest, {disk / 2**20:.0f} MiB of disk', flush=True)
        agent.terminate()
        agent.wait()
        server.shutdown()


if __name__ == '__main__':
    main()
