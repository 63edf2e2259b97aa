#!/usr/bin/env python3
"""What the whole way costs: CRI files -> store -> `http` sink -> a receiver that counts, with the first 50 rules of the
general pack; and what the store takes on disk.

    bench/delivery.py [--agent target/release/logsieve] [--scratch DIR] FILE...      files of CRI lines (bench/corpus.py)

Prints, per file: MB of log text per CPU-second of the agent (user + system, all threads, until the last event is
acknowledged), its resident memory, and the store's size against `zstd -3` of the same text in 1 MiB pieces.
"""
import argparse
import http.server
import json
import os
import pathlib
import re
import shutil
import signal
import socketserver
import subprocess
import tempfile
import threading
import time
import urllib.request

REPO = pathlib.Path(__file__).resolve().parent.parent


class Counter(http.server.BaseHTTPRequestHandler):
    """Takes everything and counts the lines."""

    protocol_version = 'HTTP/1.1'
    lines = 0
    wire = 0

    def do_POST(self):
        left = int(self.headers['Content-Length'])
        Counter.wire += left
        while left:
            piece = self.rfile.read(min(left, 1 << 20))
            left -= len(piece)
            Counter.lines += piece.count(b'\n')
        self.send_response(200)
        self.send_header('Content-Length', '0')
        self.end_headers()

    def log_message(self, *_):
        pass


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True


def first_rules(count):
    """The general pack with its first rules only."""
    text = (REPO / 'rules/general.yaml').read_text()
    head, rules = text.split('\nrules:\n')
    return head + '\nrules:\n' + ''.join(re.split(r'(?m)^(?=  - id: )', rules)[1:count + 1])


def free_port():
    with socketserver.TCPServer(('127.0.0.1', 0), None) as server:
        return server.server_address[1]


def cpu_seconds(pid):
    fields = pathlib.Path(f'/proc/{pid}/stat').read_text().rsplit(')', 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


def by_thread(pid):
    """CPU-seconds of each thread that has used any, by its name."""
    threads = {}
    for task in pathlib.Path(f'/proc/{pid}/task').iterdir():
        name, fields = (task / 'stat').read_text().split('(', 1)[1].rsplit(')', 1)
        fields = fields.split()
        threads[name] = threads.get(name, 0) + (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')
    return ', '.join(f'{name} {used:.2f}' for name, used in sorted(threads.items(), key=lambda x: -x[1]) if used >= 0.05)


def status(pid, name):
    return int(re.search(rf'{name}:\s+(\d+) kB', pathlib.Path(f'/proc/{pid}/status').read_text()).group(1)) / 1024


def metric(port, name):
    page = urllib.request.urlopen(f'http://127.0.0.1:{port}/metrics').read().decode()
    return sum(float(line.rsplit(' ', 1)[1]) for line in page.splitlines() if re.match(rf'{name}[ {{]', line))


def on_disk(directory):
    return sum(path.stat().st_blocks * 512 for path in directory.rglob('*') if path.is_file())


def zstd_pieces(path):
    """Bytes that `zstd -3` makes of the file in pieces of 1 MiB; none where there is no zstd."""
    if not shutil.which('zstd'):
        return None
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(['split', '-b', '1M', '-a', '4', path, folder + '/p'], check=True)
        pieces = sorted(str(piece) for piece in pathlib.Path(folder).iterdir())
        subprocess.run(['zstd', '-q', '-3', '--rm', *pieces], check=True)
        return sum(piece.stat().st_size for piece in pathlib.Path(folder).iterdir())


def measure(agent, source, scratch, say):
    state = scratch / 'state'
    shutil.rmtree(state, ignore_errors=True)
    Counter.lines = Counter.wire = 0
    server = Server(('127.0.0.1', 0), Counter)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    port = free_port()
    (scratch / 'fifty.yaml').write_text(first_rules(50))
    config = {
        'sources': {'files': {'include': [str(source)], 'start_at': 'beginning'}, 'docker': {'enabled': 'off'}, 'demo': 'off'},
        'classify': {'pack': str(scratch / 'fifty.yaml')},
        'store': {'directory': str(state)},
        'sinks': {'stdout': {'enabled': False}, 'out': {'type': 'http', 'url': f'http://127.0.0.1:{server.server_address[1]}/'}},
        'api': {'listen': ''},
        'telemetry': {'listen': f'127.0.0.1:{port}'},
    }
    (scratch / 'agent.yaml').write_text(json.dumps(config))
    size = source.stat().st_size
    started = time.monotonic()
    child = subprocess.Popen([agent, 'run', '-c', scratch / 'agent.yaml'], stderr=open(scratch / 'agent.log', 'w'))
    try:
        quiet_since, lines = time.monotonic(), -1
        while True:
            time.sleep(0.05)
            if child.poll() is not None:
                raise SystemExit((scratch / 'agent.log').read_text())
            if Counter.lines != lines:
                quiet_since, lines = time.monotonic(), Counter.lines
                cpu, wall = cpu_seconds(child.pid), time.monotonic() - started
            if lines > 0 and time.monotonic() - quiet_since > 3 and metric(port, 'logsieve_bytes_read_total') >= size:
                break
        threads = by_thread(child.pid)
        now, peak = status(child.pid, 'VmRSS'), status(child.pid, 'VmHWM')
        child.send_signal(signal.SIGTERM)
        child.wait(30)
    finally:
        child.kill()
        server.shutdown()
    stored, plain = on_disk(state), zstd_pieces(source)
    say(f'{source.name}: {size / 1e6:.0f} MB, {lines} events delivered in {wall:.1f} s')
    say(f'  {size / 1e6 / cpu:6.1f} MB per CPU-second ({cpu:.2f} s), {Counter.wire / 1e6:.0f} MB on the wire')
    say(f'         by thread: {threads}')
    say(f'  {now:6.1f} MiB resident, {peak:.1f} at its highest')
    if plain:
        say(f'  {stored / plain:6.2f} times zstd -3 in 1 MiB pieces on disk ({stored / 1e6:.1f} MB against {plain / 1e6:.1f} MB)')


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--agent', default=REPO / 'target/release/logsieve')
    parser.add_argument('--scratch', type=pathlib.Path)
    parser.add_argument('files', nargs='+', type=pathlib.Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        scratch = arguments.scratch or pathlib.Path(folder)
        scratch.mkdir(parents=True, exist_ok=True)
        for source in arguments.files:
            measure(str(arguments.agent), source.resolve(), scratch, lambda line: print(line, flush=True))


if __name__ == '__main__':
    main()
