#!/usr/bin/env python3
"""How fast a running agent answers over HTTP out of a large store, while lines come in.

    bench/asking.py [--agent target/release/logsieve] [--model DIR] [--lines 5000000] [--templates 5000] [--rate 10000]
                    [--seconds 60] [--place DIR]

Makes a log of its own with so many lines of so many templates, ingests it, starts an agent over that store, writes `rate`
lines/s of the same kind to a file that it follows, and meanwhile asks: questions, one after another, then lines to classify,
one at a time and 100 at a time. At the end 500 clients watch live and say nothing. Prints milliseconds, requests a second and
MiB. With `--place` the store is kept and taken up again by the next run. The generator shares the machine's cores with the agent.
"""
import argparse
import json
import pathlib
import random
import socket
import subprocess
import tempfile
import threading
import time

import api
from delivery import REPO, cpu_seconds, free_port, status

VERBS = 'accepted rejected opened closed queued flushed merged split copied moved verified expired renewed paused resumed mounted dropped scaled parsed signed'.split()
THINGS = 'order parcel ledger basket voucher invoice shard replica snapshot session cursor lease route tunnel probe valve sensor badge ticket tariff'.split()
PARTS = 'broker courier planner archive gateway indexer keeper sampler renderer scheduler'.split()
ENDINGS = [
    'after {n} ms', 'by {ip}', 'for tenant {n}', 'with code {n}', 'in zone {n}', 'because quota {n} was reached', 'on disk {n}',
    'without reply from {ip}', 'at offset {n}', 'twice within {n} ms', 'under lock {n}', 'beyond limit {n}',
]
ASKED = [
    'Which {thing}s were {verb}?', 'How often was a {thing} {verb} by the {part}?', 'Did the {part} fail to answer?', 'Was anything refused by the {part}?',
    'Why was the {thing} {verb}?', 'Which {thing}s took too long?', 'Did a {thing} run out?', 'Who {verb} the {thing} in the last 10 minutes?',
]


def kinds(count):
    """So many kinds of lines, the same in every run."""
    draw = random.Random(20261121)
    found = {}
    while len(found) < count:
        text = f'{draw.choice(PARTS)}: {draw.choice(THINGS)} {draw.choice(VERBS)} {draw.choice(ENDINGS)}, {draw.choice(THINGS)} {draw.choice(VERBS)}'
        found.setdefault(text, draw.choices(('INFO', 'WARN', 'ERROR'), (90, 7, 3))[0])
    return [f'{level} {text}' for text, level in found.items()]


def filled(pattern, n):
    return pattern.replace('{n}', str(n % 100_000)).replace('{ip}', f'10.{n % 250}.{n // 250 % 250}.{n // 70_000 % 250}')


def lines(patterns, seed):
    """Lines without their time, some patterns more often than others."""
    draw = random.Random(seed)
    weights = [1 / (place + 10) for place in range(len(patterns))]
    while True:
        for pattern in draw.choices(patterns, weights, k=10_000):
            n = draw.getrandbits(32)
            yield filled(pattern, n)


def write_log(path, patterns, count):
    """`count` lines over the last day, every pattern among them."""
    begin = time.time() - 86_400
    step = 86_300 / count
    source = lines(patterns, 1)
    every = iter(patterns)
    with open(path, 'w', buffering=1 << 20) as out:
        stamp, until = '', 0
        for n in range(count):
            at = begin + n * step
            if at >= until:
                stamp, until = time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(at)), int(at) + 1
            pattern = next(every, None)
            out.write(f'{stamp} {filled(pattern, n) if pattern else next(source)}\n')


class Feeder(threading.Thread):
    """Writes lines at a rate until it is stopped."""

    def __init__(self, path, patterns, rate):
        super().__init__(daemon=True)
        self.path, self.rate, self.done = path, rate, threading.Event()
        source = lines(patterns, 2)
        self.ready = [next(source) for _ in range(200_000)]

    def run(self):
        begun, written = time.monotonic(), 0
        with open(self.path, 'a') as out:
            while not self.done.wait(0.02):
                due = int((time.monotonic() - begun) * self.rate)
                stamp = time.strftime('%Y-%m-%dT%H:%M:%SZ ', time.gmtime())
                out.write(''.join(stamp + self.ready[n % len(self.ready)] + '\n' for n in range(written, due)))
                out.flush()
                written = due


def question_bodies(port, count):
    draw = random.Random(3)
    bodies = []
    for _ in range(count):
        text = draw.choice(ASKED).format(thing=draw.choice(THINGS), verb=draw.choice(VERBS), part=draw.choice(PARTS))
        bodies.append(api.request(port, '', {'question': text, 'worded': False}, '/api/logs/query'))
    return bodies


def told(what, took):
    at = lambda share: took[min(int(len(took) * share), len(took) - 1)] * 1000
    print(f'{what}: {len(took)} requests, p50 {at(0.5):.2f} ms, p99 {at(0.99):.2f} ms, longest {took[-1] * 1000:.0f} ms', flush=True)


def stats(port):
    with socket.create_connection(('127.0.0.1', port)) as sock:
        sock.sendall(f'GET /api/logs/query/stats HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n\r\n'.encode())
        held = b''
        while more := sock.recv(1 << 16):
            held += more
    return json.loads(held.split(b'\r\n\r\n', 1)[1])['vector_store']


def watchers(port, count):
    held = []
    for _ in range(count):
        sock = socket.create_connection(('127.0.0.1', port))
        sock.sendall(f'GET /api/events?category=none-has-this HTTP/1.1\r\nHost: localhost:{port}\r\nAccept: text/event-stream\r\n\r\n'.encode())
        held.append(sock)
    for sock in held:
        head = sock.recv(4096)
        if b' 200 ' not in head.split(b'\r\n', 1)[0]:
            raise SystemExit(head.decode())
    return held


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--agent', default=REPO / 'target/release/logsieve')
    parser.add_argument('--model', type=pathlib.Path)
    parser.add_argument('--lines', type=int, default=5_000_000)
    parser.add_argument('--templates', type=int, default=5_000)
    parser.add_argument('--rate', type=int, default=10_000)
    parser.add_argument('--seconds', type=float, default=60)
    parser.add_argument('--place', type=pathlib.Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        place = args.place or pathlib.Path(temporary)
        place.mkdir(parents=True, exist_ok=True)
        measure(args, place)


def measure(args, place):
    patterns = kinds(args.templates)
    state = place / 'state'
    model = str(args.model) if args.model else 'none'
    if not state.exists():
        log = place / 'past.log'
        write_log(log, patterns, args.lines)
        begun = time.monotonic()
        subprocess.run([args.agent, 'ingest', '--data-dir', state, '--model', model, log], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        print(f'{args.lines} lines, {log.stat().st_size / 2**20:.0f} MiB, ingested in {time.monotonic() - begun:.0f} s', flush=True)
        log.unlink()
    live = place / 'live.log'
    live.write_text('')
    port, telemetry = free_port(), free_port()
    config = place / 'logsieve.yaml'
    with_model = f'directory: "{args.model}"' if args.model else 'enabled: "off"'
    config.write_text(f'''
sources: {{files: {{include: ["{live}"], start_at: beginning}}, docker: {{enabled: "off"}}, demo: "off"}}
classify: {{model: {{{with_model}}}}}
store: {{directory: "{state}", max_mib: 16384}}
sinks: {{stdout: {{enabled: false}}}}
api: {{listen: "127.0.0.1:{port}", requests_per_second: 1000000, max_streams: 1000, max_connections: 2000}}
telemetry: {{listen: "127.0.0.1:{telemetry}"}}
''')
    with open(place / 'agent.log', 'w') as said:
        agent = subprocess.Popen([args.agent, 'run', '-c', config], stderr=said)
    try:
        watch(args, agent, port, live, patterns)
    finally:
        agent.terminate()
        agent.wait()


def watch(args, agent, port, live, patterns):
    begun = time.monotonic()
    while True:
        try:
            known = stats(port)
            if known['vectors'] >= known['templates'] * 0.98 or not args.model or time.monotonic() - begun > 120:
                break
        except OSError:
            if agent.poll() is not None:
                raise SystemExit('the agent ended: see agent.log')
        time.sleep(1)
    print(f"{known['events']} events of {known['templates']} templates, {known['vectors']} of them placed, after {time.monotonic() - begun:.0f} s", flush=True)
    feeder = Feeder(live, patterns, args.rate)
    feeder.start()
    questions = question_bodies(port, 500)
    api.run(port, questions, 10, 1)
    before = cpu_seconds(agent.pid)
    told('questions', api.run(port, questions, args.seconds, 1))
    print(f'{(cpu_seconds(agent.pid) - before) / args.seconds:.0%} of a core, {status(agent.pid, "VmRSS"):.0f} MiB resident', flush=True)
    source = lines(patterns, 4)
    line = lambda: next(source)
    told('one line', api.run(port, [api.request(port, '', {'log_message': line()}) for _ in range(1000)], args.seconds / 4, 1))
    feeder.done.set()
    feeder.join()
    many = [api.request(port, '', {'lines': [line() for _ in range(100)]}) for _ in range(50)]
    took = api.run(port, many, args.seconds / 4, 2)
    told('100 lines, nothing coming in', took)
    print(f'{len(took) / (args.seconds / 4):.0f} requests/s', flush=True)
    time.sleep(5)
    before = status(agent.pid, 'VmRSS')
    held = watchers(port, 500)
    time.sleep(5)
    print(f'{len(held)} clients that watch cost {status(agent.pid, "VmRSS") - before:.1f} MiB', flush=True)


if __name__ == '__main__':
    main()
