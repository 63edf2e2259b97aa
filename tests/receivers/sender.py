"""Senders for the tests of the receivers: Fluent forward and OTLP over HTTP.

    sender.py forward PORT [--mode message|forward|packed|gzip] [--shared-key K] [--chunks N] [--events N] [--tag T] [--pause S] [--for S]
    sender.py frames PORT HEX[*N]...
    sender.py otlp PORT [--gzip] [--token T] [--records N] [--broken]

Encodes with msgpack and opentelemetry-proto, and writes one JSON object a line.

`forward` sends chunks of events, each with a name, and repeats one, on a new connection, until it is acknowledged: {"acked": [N, ...]}
tells the numbers of the events in it, which stand in their text as `seq=N;`. `frames` sends bytes as they are, with N zeros behind them, and tells what comes
back until the other side closes: {"answer": HEX}. `otlp` tells {"status": N, "answer": {...}}.
"""

import argparse
import gzip
import hashlib
import http.client
import json
import os
import socket
import sys
import time

SECONDS = 1_772_359_200  # 2026-03-01T10:00:00Z


def say(**what):
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def hexdigest(*parts):
    digest = hashlib.sha512()
    for part in parts:
        digest.update(part if isinstance(part, bytes) else part.encode())
    return digest.hexdigest()


class Connection:
    """A connection that is let in, or an error."""

    def __init__(self, port, key):
        import msgpack

        self.socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        self.unpacker = msgpack.Unpacker(raw=False)
        if key:
            helo = self.receive()
            assert helo[0] == "HELO" and helo[1]["keepalive"] is True, helo
            nonce, salt = helo[1]["nonce"], os.urandom(16)
            ping = ["PING", "sender", salt, hexdigest(salt, "sender", nonce, key), "", ""]
            self.socket.sendall(msgpack.packb(ping))
            pong = self.receive()
            if not pong[1]:
                raise PermissionError(pong[2])
            assert pong[0] == "PONG" and pong[4] == hexdigest(salt, pong[3], nonce, key), pong

    def receive(self):
        while True:
            for value in self.unpacker:
                return value
            data = self.socket.recv(65536)
            if not data:
                raise ConnectionError("closed")
            self.unpacker.feed(data)


def event_time(n):
    import msgpack

    seconds, nanos = SECONDS + n // 1000, n % 1000 * 1_000_000
    return msgpack.ExtType(0, seconds.to_bytes(4, "big") + nanos.to_bytes(4, "big"))


def record(n):
    return {"log": f"request {n} served in {n % 300} ms seq={n};\n", "stream": "stdout"}


def message(options, number, events):
    """One chunk as a message, and its name."""
    import msgpack

    chunk = f"chunk-{number}"
    option = {"chunk": chunk, "size": len(events)}
    entries = [[event_time(n), record(n)] for n in events]
    if options.mode == "message":
        (entry,) = entries
        return [options.tag, *entry, option], chunk
    if options.mode == "forward":
        return [options.tag, entries, option], chunk
    packed = b"".join(msgpack.packb(entry) for entry in entries)
    if options.mode == "gzip":
        option["compressed"] = "gzip"
        half = len(packed) // 2
        # Two members: Fluentd appends them.
        packed = gzip.compress(packed[:half]) + gzip.compress(packed[half:])
    return [options.tag, packed, option], chunk


def forward(options):
    import msgpack

    connection, sent = None, 0
    until = time.monotonic() + options.seconds if options.seconds else None
    number = 0
    while number < options.chunks if until is None else time.monotonic() < until:
        events = list(range(sent, sent + options.events))
        body, chunk = message(options, number, events)
        body = msgpack.packb(body)
        deadline = time.monotonic() + 60
        while True:
            assert time.monotonic() < deadline, "nobody acknowledges"
            try:
                connection = connection or Connection(options.port, options.shared_key)
                connection.socket.sendall(body)
                answer = connection.receive()
                assert answer == {"ack": chunk}, answer
                break
            except PermissionError as refused:
                say(refused=str(refused))
                return
            except OSError:
                connection = None
                time.sleep(0.05)
        say(acked=events)
        sent, number = sent + options.events, number + 1
        time.sleep(options.pause)
    say(done=sent)


def frames(options):
    for frame in options.frames:
        with socket.create_connection(("127.0.0.1", options.port), timeout=20) as connection:
            try:
                head, _, zeros = frame.partition("*")
                connection.sendall(bytes.fromhex(head) + bytes(int(zeros or 0)))
                connection.shutdown(socket.SHUT_WR)
            except OSError:
                pass
            answer = b""
            try:
                while data := connection.recv(65536):
                    answer += data
            except ConnectionError:
                pass
            say(answer=answer.hex())


def otlp(options):
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
        ExportLogsServiceRequest,
        ExportLogsServiceResponse,
    )
    from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue, KeyValueList

    def pair(key, value):
        kind = "int_value" if isinstance(value, int) else "string_value"
        return KeyValue(key=key, value=AnyValue(**{kind: value}))

    request = ExportLogsServiceRequest()
    logs = request.resource_logs.add()
    for key, value in {
        "service.name": "checkout",
        "k8s.namespace.name": "shop",
        "k8s.pod.name": "checkout-1",
        "k8s.container.name": "app",
        "telemetry.sdk.language": "python",
    }.items():
        logs.resource.attributes.append(pair(key, value))
    scope = logs.scope_logs.add()
    scope.scope.name = "a library"
    for n in range(options.records):
        one = scope.log_records.add(time_unix_nano=SECONDS * 10**9 + n, severity_number=17, severity_text="ERR")
        one.body.string_value = f"cannot open /data/{n}: Permission denied"
        one.attributes.append(pair("log.iostream", "stderr"))
    # Nothing of it has a place of its own.
    one = scope.log_records.add(observed_time_unix_nano=SECONDS * 10**9, trace_id=bytes(range(16)))
    one.body.string_value = "payment accepted"
    one.attributes.append(pair("amount", 12))
    one = scope.log_records.add(severity_text="warn")
    one.body.kvlist_value.CopyFrom(KeyValueList(values=[pair("msg", "slow query"), pair("ms", 900)]))
    # Says nothing.
    scope.log_records.add()
    body = request.SerializeToString()
    if options.broken:
        body = body[: len(body) // 2]
    headers = {"Content-Type": "application/x-protobuf"}
    if options.token:
        headers["Authorization"] = f"Bearer {options.token}"
    if options.gzip:
        body, headers["Content-Encoding"] = gzip.compress(body), "gzip"
    connection = http.client.HTTPConnection("127.0.0.1", options.port, timeout=40)
    connection.request("POST", "/v1/logs", body, headers)
    reply = connection.getresponse()
    body = reply.read()
    answer = {}
    if reply.status == 200:
        partial = ExportLogsServiceResponse.FromString(body).partial_success
        answer = {"rejected": partial.rejected_log_records, "message": partial.error_message}
    say(status=reply.status, kind=reply.headers["Content-Type"], again=reply.headers["Retry-After"], answer=answer)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("protocol", choices=["forward", "frames", "otlp"])
    parser.add_argument("port", type=int)
    parser.add_argument("frames", nargs="*")
    parser.add_argument("--mode", default="packed", choices=["message", "forward", "packed", "gzip"])
    parser.add_argument("--shared-key", default="")
    parser.add_argument("--chunks", type=int, default=1)
    parser.add_argument("--events", type=int, default=1)
    parser.add_argument("--tag", default="app.web")
    parser.add_argument("--pause", type=float, default=0)
    parser.add_argument("--for", dest="seconds", type=float, default=0)
    parser.add_argument("--gzip", action="store_true")
    parser.add_argument("--token", default="")
    parser.add_argument("--records", type=int, default=3)
    parser.add_argument("--broken", action="store_true")
    options = parser.parse_args()
    {"forward": forward, "frames": frames, "otlp": otlp}[options.protocol](options)


if __name__ == "__main__":
    main()
