#!/usr/bin/env python3
"""Writes the benchmark's corpus: CRI lines as containerd writes them, the same bytes in every run.

    corpus.py OUT [--lines 2000000] [--seed 1] [--loghub DIR]

The messages are made of the templates below, written for this benchmark after the habits of common servers and runtimes; their
variables are redrawn for every line. One line in about 500 begins a stack trace of several lines. With --loghub the messages are the
*_2k.log lines of that directory instead, shuffled, their digits redrawn, which is what the figures of other collectors were measured on.
"""
import argparse
import glob
import random
import re

WORDS = 'alpha amber basil birch cedar clover coral delta ember fern garnet hazel indigo jade juniper laurel lotus maple olive onyx opal pearl pine quartz reed sage slate thyme topaz willow'.split()
PATHS = ['/var/lib/{w}/{w}.db', '/srv/{w}/{n}/index.html', '/etc/{w}/{w}.conf', '/data/{w}/segment-{n}.log', '/tmp/{w}-{x}']

VARIABLES = {
    'n': lambda r: str(r.randrange(10 ** r.randrange(1, 7))),
    'd': lambda r: str(r.randrange(10)),
    'ms': lambda r: f'{r.randrange(1, 90000) / 10:.1f}',
    'x': lambda r: f'{r.getrandbits(48):012x}',
    'id': lambda r: f'{r.getrandbits(64):016x}',
    'uuid': lambda r: (lambda h: f'{h[:8]}-{h[8:12]}-4{h[13:16]}-8{h[17:20]}-{h[20:]}')(f'{r.getrandbits(128):032x}'),
    'ip': lambda r: f'10.{r.randrange(256)}.{r.randrange(256)}.{r.randrange(1, 255)}',
    'port': lambda r: str(r.randrange(1024, 65536)),
    'w': lambda r: r.choice(WORDS),
    'status': lambda r: r.choice(['200', '200', '200', '200', '201', '204', '301', '304', '404', '500', '502']),
    'verb': lambda r: r.choice(['GET', 'GET', 'GET', 'POST', 'PUT', 'DELETE']),
    'us': lambda r: f'{r.randrange(10 ** 6):06}',
    'hm': lambda r: f'{r.randrange(24):02}:{r.randrange(60):02}',
    'ss': lambda r: f'{r.randrange(60):02}',
    'mmm': lambda r: f'{r.randrange(1000):03}',
}

# (weight, message): `{name}` is redrawn for every line.
TEMPLATES = [
    (90, '{ip} - - [01/Mar/2026:{hm}:{ss} +0000] "{verb} /api/v1/{w}/{n}?page={d} HTTP/1.1" {status} {n} "-" "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36"'),
    (60, '{ip} - {w} [01/Mar/2026:{hm}:{ss} +0000] "{verb} /static/{w}.{x}.js HTTP/2.0" {status} {n} "https://{w}.example.com/" "curl/8.5.0" {ms}'),
    (60, '{"level":"info","ts":"2026-03-01T{hm}:{ss}.{mmm}Z","caller":"http/server.go:{n}","msg":"request completed","method":"{verb}","path":"/{w}/{n}","status":{status},"duration_ms":{ms},"trace_id":"{uuid}"}'),
    (20, '{"level":"warn","ts":"2026-03-01T{hm}:{ss}.{mmm}Z","logger":"pool","msg":"connection pool is nearly exhausted","in_use":{n},"max":{n}}'),
    (10, '{"level":"error","ts":"2026-03-01T{hm}:{ss}.{mmm}Z","logger":"orders","msg":"payment provider did not answer","order":"{uuid}","error":"context deadline exceeded"}'),
    (50, 'time="2026-03-01T{hm}:{ss}Z" level=info msg="reconciled object" controller={w} namespace={w} name={w}-{x} took={ms}ms'),
    (12, 'time="2026-03-01T{hm}:{ss}Z" level=warning msg="retrying after conflict" controller={w} attempt={d} error="the object has been modified"'),
    (50, 'I0301 {hm}:{ss}.{us}       1 shared_informer.go:{n}] "Caches are synced" controller="{w}"'),
    (12, 'W0301 {hm}:{ss}.{us}       1 reflector.go:{n}] watch of *v1.{w} ended with: an error on the server has prevented the request from succeeding'),
    (8, 'E0301 {hm}:{ss}.{us}       1 leaderelection.go:{n}] error retrieving resource lock kube-system/{w}: etcdserver: request timed out'),
    (50, '2026-03-01 {hm}:{ss}.{mmm}  INFO {n} --- [nio-8080-exec-{d}] com.acme.{w}.OrderController : order {n} stored for customer {uuid} in {ms} ms'),
    (15, '2026-03-01 {hm}:{ss}.{mmm}  WARN {n} --- [scheduling-{d}] com.acme.{w}.StockJob : stock of article {n} is below {d}'),
    (50, '2026-03-01 {hm}:{ss}.{mmm} UTC [{n}] LOG:  duration: {ms} ms  statement: SELECT id, name FROM {w} WHERE owner = {n} ORDER BY id LIMIT 50'),
    (12, '2026-03-01 {hm}:{ss}.{mmm} UTC [{n}] {w}@{w} ERROR:  duplicate key value violates unique constraint "{w}_pkey"'),
    (10, '2026-03-01 {hm}:{ss}.{mmm} UTC [{n}] LOG:  checkpoint complete: wrote {n} buffers ({ms}%); write={ms} s, sync={ms} s, total={ms} s'),
    (30, '1:M 01 Mar 2026 {hm}:{ss}.{mmm} * {n} changes in 60 seconds. Saving...'),
    (20, '1:M 01 Mar 2026 {hm}:{ss}.{mmm} # Client id={n} addr={ip}:{port} closed for overcoming of output buffer limits.'),
    (30, '[2026-03-01 {hm}:{ss},{mmm}] INFO [Log partition={w}-{d}, dir=/data/{w}] Rolled new log segment at offset {n} in {d} ms. (kafka.log.Log)'),
    (15, '[2026-03-01 {hm}:{ss},{mmm}] WARN [RequestSendThread controllerId={d}] Controller {d} epoch {n} fails to send request to broker {ip}:{port} (kafka.controller)'),
    (40, '2026-03-01 {hm}:{ss},{mmm} INFO [{w}.worker] task {w}.send_mail[{uuid}] succeeded in {ms}s: None'),
    (15, '2026-03-01 {hm}:{ss},{mmm} WARNING [{w}.worker] task {w}.fetch[{uuid}] will be retried in {n}s: TimeoutError()'),
    (25, 'Mar  1 {hm}:{ss} {w} sshd[{n}]: Accepted publickey for {w} from {ip} port {port} ssh2: ED25519 SHA256:{x}{x}'),
    (15, 'Mar  1 {hm}:{ss} {w} sshd[{n}]: Failed password for invalid user {w} from {ip} port {port} ssh2'),
    (15, 'Mar  1 {hm}:{ss} {w} systemd[1]: Started {w}.service - The {w} daemon.'),
    (15, 'Mar  1 {hm}:{ss} {w} kernel: [{n}.{us}] eth{d}: renamed from veth{x}'),
    (8, 'Mar  1 {hm}:{ss} {w} kernel: [{n}.{us}] Out of memory: Killed process {n} ({w}) total-vm:{n}kB, anon-rss:{n}kB'),
    (30, '2026/03/01 {hm}:{ss} [error] {n}#{n}: *{n} connect() failed (111: Connection refused) while connecting to upstream, client: {ip}, server: {w}.example.com, request: "{verb} /{w} HTTP/1.1", upstream: "http://{ip}:{port}/{w}"'),
    (15, '2026/03/01 {hm}:{ss} [warn] {n}#{n}: *{n} a client request body is buffered to a temporary file /var/cache/nginx/client_temp/{n}'),
    (25, 'info: Microsoft.AspNetCore.Hosting.Diagnostics[{d}] Request finished HTTP/1.1 {verb} http://{ip}/{w}/{n} - {status} {n} application/json {ms}ms'),
    (25, '{"time":{n}{n},"level":30,"pid":{n},"hostname":"{w}-{x}","req":{"id":{n},"method":"{verb}","url":"/{w}/{n}"},"res":{"statusCode":{status}},"responseTime":{d},"msg":"request completed"}'),
    (20, '2026-03-01T{hm}:{ss}.{mmm}Z [{w}] debug: cache lookup key={w}:{n} hit=true age={d}s'),
    (20, '2026-03-01T{hm}:{ss}.{mmm}Z [{w}] notice: configuration reloaded from /etc/{w}/{w}.conf in {ms} ms'),
    (20, '{hm}:{ss}.{mmm} [{w}-thread-{d}] DEBUG org.{w}.Resolver - resolved {w}.{w}.svc.cluster.local to {ip} (ttl {n})'),
    (15, 'ts=2026-03-01T{hm}:{ss}.{mmm}Z caller=compact.go:{n} level=info component=tsdb msg="write block" mint={n} maxt={n} ulid=01{x}{x} duration={ms}ms'),
    (12, '2026-03-01T{hm}:{ss}.{mmm}+0000 I NETWORK  [conn{n}] received client metadata from {ip}:{port} conn{n}: driver {w} {d}.{d}.{d}'),
    (10, '2026-03-01 {hm}:{ss}.{mmm} [info] <0.{n}.0> accepting AMQP connection <0.{n}.0> ({ip}:{port} -> {ip}:5672)'),
    (10, '[{w}] volume /data/{w}/{n} attached to node {w}-{d} as /dev/sd{d} ({n} GiB)'),
    (10, 'Deleted {n} expired sessions, {n} remain'),
    (8, 'User {w} ({n}) changed the role of {w} from viewer to editor'),
    (6, '   {w} = {n}'),
]

TRACES = [
    ['2026-03-01 {hm}:{ss}.{mmm} ERROR {n} --- [nio-8080-exec-{d}] com.acme.{w}.OrderController : cannot store order {n}',
     'java.lang.IllegalStateException: pool of {w} is shut down', '\tat com.acme.{w}.Pool.take(Pool.java:88)', '\tat com.acme.{w}.Orders.store(Orders.java:41)',
     '\tat java.base/java.lang.Thread.run(Thread.java:833)', 'Caused by: java.io.IOException: Broken pipe', '\t... 3 more'],
    ['2026-03-01 {hm}:{ss},{mmm} ERROR [{w}.worker] task failed', 'Traceback (most recent call last):', '  File "/srv/{w}/jobs.py", line {n}, in run',
     '    client.send(message)', '  File "/srv/{w}/client.py", line {n}, in send', '    raise ConnectionError(reason)', 'ConnectionError: {w} closed the connection'],
    ['panic: runtime error: index out of range [{d}] with length {d}', '', 'goroutine {n} [running]:', 'main.(*Shard).pick(0x{x}, 0x{d})', '\t/src/{w}/shard.go:{n} +0x{d}d'],
]


def parts(template):
    """A template as a list of texts and drawing functions."""
    found = re.split(r'\{(' + '|'.join(VARIABLES) + r')\}', template)
    return [VARIABLES[piece] if at % 2 else piece for at, piece in enumerate(found)]


def own_messages(r):
    weights = [weight for weight, _ in TEMPLATES]
    compiled = [parts(template) for _, template in TEMPLATES]
    traces = [[parts(line) for line in trace] for trace in TRACES]
    render = lambda pieces: ''.join([piece if isinstance(piece, str) else piece(r) for piece in pieces])
    while True:
        for pieces in r.choices(compiled, weights, k=500):
            yield [render(pieces)]
        yield [render(line) for line in r.choice(traces)]


def loghub_messages(r, folder):
    lines = []
    for name in sorted(glob.glob(folder + '/*.log')):
        with open(name, encoding='utf-8', errors='replace', newline='\n') as file:
            lines += [line.rstrip('\r\n') for line in file]
    if not lines:
        raise SystemExit(f'corpus.py: no *.log in {folder}')
    # Single digits within words and years keep their meaning; longer runs are what varies.
    digits = re.compile(r'(?<![A-Za-z])\d{2,}')
    redraw = lambda match: str(r.randrange(10 ** len(match.group()))).zfill(len(match.group()))
    while True:
        line = r.choice(lines)
        head = line[:26]    # a time stamp stays one
        yield [head + digits.sub(redraw, line[26:])]


def main():
    options = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    options.add_argument('out')
    options.add_argument('--lines', type=int, default=2_000_000)
    options.add_argument('--seed', type=int, default=1)
    options.add_argument('--loghub')
    given = options.parse_args()
    r = random.Random(given.seed)
    messages = loghub_messages(r, given.loghub) if given.loghub else own_messages(r)
    nanos = written = 0
    with open(given.out, 'w', encoding='utf-8', newline='\n', buffering=1 << 20) as out:
        for n, message in enumerate(messages):
            stream = 'stderr' if n % 7 == 3 else 'stdout'
            for line in message:
                nanos += 431_117
                second = nanos // 1_000_000_000
                out.write(f'2026-03-01T{second // 3600 % 24:02}:{second // 60 % 60:02}:{second % 60:02}.{nanos % 1_000_000_000:09}Z {stream} F {line}\n')
                written += 1
                if written == given.lines:
                    return


if __name__ == '__main__':
    main()
