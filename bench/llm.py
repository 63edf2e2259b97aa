#!/usr/bin/env python3
"""What the LLM stage asks for and what it costs the flow.

    bench/llm.py CORPUS --model DIR [--agent target/release/logsieve] [--rounds 3] [--pace-seconds 20]

CORPUS is a file of CRI lines (`bench/corpus.py`). Against an endpoint of this script's own it prints
- the requests of a first run over the whole file, and of a second one over the same lines with what the first has stored;
- lines/s over the whole file, and the delay from a line's writing to its delivery at 2,000 lines/s, without the stage and with
  an endpoint that is dead, slow (60 s an answer) or answers garbage: the best of the rounds, which take turns.
"""
import argparse
import http.server
import json
import pathlib
import re
import statistics
import subprocess
import tempfile
import threading
import time

from delivery import REPO, Server, cpu_seconds, free_port, metric

BEAT = re.compile(rb'beat (\d+) of the marker')


class Endpoint(http.server.BaseHTTPRequestHandler):
    """An OpenAI-compatible endpoint: `good` says `application` of everything, `slow` takes a minute, `garbage` talks."""

    protocol_version = 'HTTP/1.1'
    way = 'good'
    requests = 0
    templates = 0

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers['Content-Length'])))
        Endpoint.requests += 1
        if Endpoint.way == 'slow':
            time.sleep(60)
        content = 'As a language model I would rather talk about the weather.'
        if Endpoint.way == 'good':
            items = [json.loads(line) for line in body['messages'][1]['content'].splitlines() if line.startswith('{')]
            Endpoint.templates += len(items)
            content = json.dumps({'answers': [{'i': item['i'], 'why': 'it says so', 'category': 'application'} for item in items]})
        self.say({'id': 'c', 'object': 'chat.completion', 'model': 'bench', 'choices': [
            {'index': 0, 'finish_reason': 'stop', 'message': {'role': 'assistant', 'content': content}}],
            'usage': {'prompt_tokens': 100, 'completion_tokens': 10, 'total_tokens': 110}})

    def do_GET(self):
        self.say({'object': 'list', 'data': [{'id': 'bench', 'object': 'model'}]})

    def say(self, answer):
        text = json.dumps(answer).encode()
        try:
            self.send_response(200)
            self.send_header('Content-Length', str(len(text)))
            self.end_headers()
            self.wfile.write(text)
        except OSError:
            pass  # the agent's deadline came first

    def log_message(self, *_):
        pass


class Receiver(http.server.BaseHTTPRequestHandler):
    """Counts events and notes when each beat arrived."""

    protocol_version = 'HTTP/1.1'
    events = 0
    beats = {}

    def do_POST(self):
        body = self.rfile.read(int(self.headers['Content-Length']))
        now = time.monotonic()
        Receiver.events += body.count(b'\n')
        for beat in BEAT.findall(body):
            Receiver.beats.setdefault(int(beat), now)
        self.send_response(200)
        self.send_header('Content-Length', '0')
        self.end_headers()

    def log_message(self, *_):
        pass


class Agent:
    """A running agent that reads `files` and sends to the receiver."""

    def __init__(self, args, place, receiver, files, llm):
        self.telemetry = free_port()
        config = {
            'sources': {'files': {'include': [str(file) for file in files], 'start_at': 'beginning', 'rescan_seconds': 1},
                        'docker': {'enabled': 'off'}, 'demo': 'off'},
            'classify': {'model': {'enabled': 'on', 'directory': str(args.model)}},
            'llm': llm,
            'store': {'directory': str(place / 'state')},
            'sinks': {'stdout': {'enabled': False}, 'out': {'type': 'http', 'url': f'http://127.0.0.1:{receiver}/'}},
            'api': {'listen': ''},
            'telemetry': {'listen': f'127.0.0.1:{self.telemetry}'},
        }
        (place / 'agent.json').write_text(json.dumps(config))
        self.log = place / 'agent.log'
        self.child = subprocess.Popen([args.agent, 'run', '-c', place / 'agent.json'], stderr=open(self.log, 'w'))

    def metric(self, name):
        try:
            return metric(self.telemetry, name)
        except OSError:
            if self.child.poll() is not None:
                raise SystemExit(self.log.read_text())
            return 0.0

    def stop(self):
        self.child.terminate()
        try:
            self.child.wait(30)
        except subprocess.TimeoutExpired:
            self.child.kill()


def until(condition, seconds=600):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit('not reached in time')
        time.sleep(0.05)


def delivered(agent, lines):
    """Every line is read, and what became of them is at the receiver."""
    return Receiver.events > 0 and agent.metric('logsieve_lines_read_total') >= lines and agent.metric('logsieve_sink_pending_events') == 0


def first_and_second(args, receiver, endpoint, lines):
    Endpoint.way, Endpoint.requests = 'good', 0
    llm = {'url': f'http://127.0.0.1:{endpoint}/v1', 'model': 'bench'}
    with tempfile.TemporaryDirectory() as folder:
        place = pathlib.Path(folder)
        for run in ('first', 'second'):
            before, templates = Endpoint.requests, Endpoint.templates
            # A file of the same content would be known for one that was read: the first line differs.
            copy = place / f'{run}.log'
            with open(copy, 'wb') as out:
                out.write(f'2026-01-01T00:00:00Z stdout F {run} run\n'.encode())
                out.write(args.corpus.read_bytes())
            Receiver.events = 0
            agent = Agent(args, place, receiver, [copy], llm)
            until(lambda: delivered(agent, lines + 1))
            idle = {'since': time.monotonic(), 'requests': Endpoint.requests}

            def settled():
                if Endpoint.requests != idle['requests'] or agent.metric('logsieve_llm_waiting_templates') or agent.metric('logsieve_model_queue_templates'):
                    idle.update(since=time.monotonic(), requests=Endpoint.requests)
                return time.monotonic() - idle['since'] > 8

            until(settled)
            print(f'{run} run: {lines} lines, {agent.metric("logsieve_templates"):.0f} templates, {Endpoint.requests - before} requests'
                  f' about {Endpoint.templates - templates} templates', flush=True)
            agent.stop()
            copy.unlink()


def flow(args, receiver, lines, llm):
    """Lines/s over the file, and the agent's CPU-seconds."""
    with tempfile.TemporaryDirectory() as folder:
        Receiver.events, begun = 0, time.monotonic()
        agent = Agent(args, pathlib.Path(folder), receiver, [args.corpus.resolve()], llm)
        until(lambda: delivered(agent, lines))
        wall, cpu = time.monotonic() - begun, cpu_seconds(agent.child.pid)
        agent.stop()
        return lines / wall, cpu


def delay(args, receiver, llm):
    """Median and 99th percentile of the seconds from a line's writing to its delivery."""
    with tempfile.TemporaryDirectory() as folder:
        place = pathlib.Path(folder)
        log = place / 'paced.log'
        log.touch()
        Receiver.beats, written, count = {}, {}, 0
        agent = Agent(args, place, receiver, [log], llm)
        until(lambda: agent.metric('logsieve_lines_read_total') >= 0 and agent.log.read_text())
        begun = time.monotonic()
        with open(args.corpus, 'rb') as corpus, open(log, 'ab') as out:
            while (passed := time.monotonic() - begun) < args.pace_seconds:
                while count < passed * 2000:
                    out.write(corpus.readline())
                    count += 1
                    if count % 50 == 0:
                        out.write(f'2026-03-01T00:00:00Z stdout F beat {count} of the marker\n'.encode())
                        out.flush()
                        written[count] = time.monotonic()
                time.sleep(0.005)
        until(lambda: len(Receiver.beats) == len(written), 60)
        agent.stop()
        # The first seconds meet every template for the first time, with and without the stage.
        late = sorted(Receiver.beats[beat] - at for beat, at in written.items() if at - begun > args.pace_seconds / 4)
        return statistics.median(late), late[int(len(late) * 0.99)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('corpus', type=pathlib.Path)
    parser.add_argument('--agent', default=REPO / 'target/release/logsieve')
    parser.add_argument('--model', type=pathlib.Path, required=True)
    parser.add_argument('--rounds', type=int, default=3)
    parser.add_argument('--pace-seconds', type=float, default=20)
    parser.add_argument('--only', choices=('requests', 'flow', 'delay'))
    args = parser.parse_args()
    with open(args.corpus, 'rb') as file:
        lines = sum(piece.count(b'\n') for piece in iter(lambda: file.read(1 << 20), b''))
    receiver, endpoint = Server(('127.0.0.1', 0), Receiver), Server(('127.0.0.1', 0), Endpoint)
    for server in (receiver, endpoint):
        threading.Thread(target=server.serve_forever, daemon=True).start()
    receiver, endpoint = receiver.server_address[1], endpoint.server_address[1]
    if args.only in (None, 'requests'):
        first_and_second(args, receiver, endpoint, lines)
    at = {'off': {'enabled': 'off'}, 'dead': {'url': f'http://127.0.0.1:{free_port()}/v1', 'model': 'bench'},
          'slow': {'url': f'http://127.0.0.1:{endpoint}/v1', 'model': 'bench'},
          'garbage': {'url': f'http://127.0.0.1:{endpoint}/v1', 'model': 'bench'}}
    rates, costs, delays = {}, {}, {}
    for _ in range(args.rounds):
        for way, llm in at.items():
            Endpoint.way = way
            if args.only in (None, 'flow'):
                rate, cpu = flow(args, receiver, lines, llm)
                rates.setdefault(way, []).append(rate)
                costs.setdefault(way, []).append(cpu)
            if args.only in (None, 'delay'):
                delays.setdefault(way, []).append(delay(args, receiver, llm))
    for way, all_rates in rates.items():
        best, off = max(all_rates), max(rates['off'])
        print(f'{way:>8}: {best:,.0f} lines/s ({best / off - 1:+.1%}), {min(costs[way]):.2f} CPU-seconds'
              f' ({min(costs[way]) / min(costs["off"]) - 1:+.1%})', flush=True)
    for way, pairs in delays.items():
        p50, p99 = min(p for p, _ in pairs), min(p for _, p in pairs)
        base50, base99 = min(p for p, _ in delays['off']), min(p for _, p in delays['off'])
        print(f'{way:>8}: from written to delivered {p50 * 1000:.0f} ms at the median ({p50 / base50 - 1:+.1%}),'
              f' {p99 * 1000:.0f} ms at the 99th percentile ({p99 / base99 - 1:+.1%})', flush=True)


if __name__ == '__main__':
    main()
