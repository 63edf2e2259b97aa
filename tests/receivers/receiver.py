"""Receivers for the tests of the sinks: Fluent forward, OTLP over HTTP, Loki's push API.

    receiver.py forward|otlp|loki [--faults F,F,...] [--shared-key K] [--user U --password P] [--tls CERT KEY]

Decodes with msgpack and opentelemetry-proto. Listens on a free port of the loopback interface and writes one JSON object a line:
first {"port": N}, then one per request with what was done and what was in it: {"action": F, "events": [...], ...}. What breaks the
protocol is written as {"error": "..."}.

The n-th request (or forward message) gets the n-th fault; further ones are taken:
  ok                taken
  cut               the connection is closed in the middle of the request
  drop              read whole, then the connection is closed without an answer
  hang              read whole, never answered
  slow=S            taken after S seconds
  forward:  noack   read, not acknowledged;  wrong: acknowledged by another id;  empty: an empty map, as Vector says it;
            garbage: answered with what is no MessagePack;  endless: answered with a string that never ends
  otlp, loki:  status=N[=RETRY_AFTER]       that status and nothing else
  otlp:     partial=N                       taken but for N records
  loki:     refuse=TEXT (spaces as `_`)     400 with that text
"""

import argparse
import gzip
import hashlib
import http.server
import json
import os
import re
import socket
import socketserver
import ssl
import sys
import threading
import time

LOCK = threading.Lock()


def say(**what):
    with LOCK:
        sys.stdout.write(json.dumps(what) + "\n")
        sys.stdout.flush()


class Faults:
    """The next fault for each request."""

    def __init__(self, text):
        self.left = [fault for fault in text.split(",") if fault]
        self.lock = threading.Lock()

    def next(self):
        with self.lock:
            name = self.left.pop(0) if self.left else "ok"
        return name, name.split("=")


def cut(connection):
    """Closes so that the other side sees a reset or an end at once."""
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
    connection.close()


# Fluent forward


def forward_events(message):
    """Tag, events and options of a packed message, checked against the specification."""
    import msgpack

    tag, entries, option = message
    assert isinstance(tag, str) and tag, tag
    assert isinstance(entries, bytes), type(entries)
    assert isinstance(option, dict), option
    if option.get("compressed") == "gzip":
        entries = gzip.decompress(entries)
    else:
        assert "compressed" not in option, option
    events = []
    for entry in unpack(entries):
        # A pair with metadata ([[time, {}], record]) breaks Fluentd.
        when, record = entry
        assert isinstance(when, msgpack.ExtType) and when.code == 0 and len(when.data) == 8, when
        seconds = int.from_bytes(when.data[:4], "big")
        nanos = int.from_bytes(when.data[4:], "big")
        assert nanos < 1_000_000_000, nanos
        assert isinstance(record, dict), record
        events.append({"tag": tag, "time": [seconds, nanos], "record": record})
    assert option.get("size") == len(events), (option, len(events))
    return tag, events, option


def unpack(entries):
    import msgpack

    unpacker = msgpack.Unpacker(raw=False, strict_map_key=True)
    unpacker.feed(entries)
    return list(unpacker)


def hexdigest(*parts):
    digest = hashlib.sha512()
    for part in parts:
        digest.update(part if isinstance(part, bytes) else part.encode())
    return digest.hexdigest()


class Forward(socketserver.BaseRequestHandler):
    def handle(self):
        try:
            self.talk()
        except (ConnectionError, ssl.SSLError, OSError) as problem:
            say(note=f"connection: {problem}")
        except Exception as problem:  # noqa: BLE001
            say(error=f"{type(problem).__name__}: {problem}")

    def talk(self):
        import msgpack

        options = self.server.options
        connection = self.request
        if options.tls:
            connection = self.server.tls.wrap_socket(connection, server_side=True)
        say(note="connected")
        unpacker = msgpack.Unpacker(raw=False, strict_map_key=True, max_buffer_size=64 << 20)
        if options.shared_key and not self.handshake(connection, unpacker):
            return
        action, fault = None, None
        while True:
            data = connection.recv(65536)
            if not data:
                return
            if action is None:
                action, fault = self.server.faults.next()
            if fault[0] == "cut":
                say(action=action, events=[])
                return cut(connection)
            unpacker.feed(data)
            for message in unpacker:
                tag, events, option = forward_events(message)
                if action is None:
                    action, fault = self.server.faults.next()
                say(action=action, tag=tag, events=events, option=option)
                if fault[0] == "drop":
                    return cut(connection)
                if fault[0] == "slow":
                    time.sleep(float(fault[1]))
                if fault[0] == "wrong":
                    connection.sendall(msgpack.packb({"ack": "another"}))
                elif fault[0] == "empty":
                    connection.sendall(msgpack.packb({}))
                    return cut(connection)
                elif fault[0] == "garbage":
                    connection.sendall(b"\xc1\xc1\xc1")
                elif fault[0] == "endless":
                    connection.sendall(b"\xdb\xff\xff\xff\xff" + b"x" * 200_000)
                elif fault[0] in ("ok", "slow") and "chunk" in option:
                    connection.sendall(msgpack.packb({"ack": option["chunk"]}))
                action = None

    def handshake(self, connection, unpacker):
        import msgpack

        options = self.server.options
        nonce, auth = os.urandom(16), os.urandom(16) if options.user else b""
        helo = ["HELO", {"nonce": nonce, "auth": auth, "keepalive": True}]
        connection.sendall(msgpack.packb(helo))
        ping = None
        while ping is None:
            data = connection.recv(65536)
            if not data:
                return False
            unpacker.feed(data)
            ping = next(iter(unpacker), None)
        assert len(ping) == 6 and ping[0] == "PING", ping
        _, host, salt, digest, user, password = ping
        good, reason = digest == hexdigest(salt, host, nonce, options.shared_key), "shared_key mismatch"
        if good and options.user:
            good = (user, password) == (options.user, hexdigest(auth, options.user, options.password))
            reason = "username/password mismatch"
        answer = hexdigest(salt, "receiver", nonce, options.shared_key)
        pong = ["PONG", good, "" if good else reason, "receiver", answer if good else ""]
        connection.sendall(msgpack.packb(pong))
        say(note="let in" if good else reason, client=host)
        return good


class TcpServer(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


# HTTP


class Http(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def handle(self):
        try:
            super().handle()
        except ConnectionError as problem:
            say(note=f"connection: {problem}")

    def do_POST(self):  # noqa: N802
        action, fault = self.server.faults.next()
        if fault[0] == "cut":
            say(action=action, events=[])
            return self.hang_up()
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        elif self.headers.get("Content-Encoding"):
            say(error="an encoding that was not agreed on")
        try:
            events = self.server.decode(self, body)
        except Exception as problem:  # noqa: BLE001
            say(error=f"{type(problem).__name__}: {problem}")
            return self.answer(400, b"cannot be decoded")
        tenant = self.headers.get("X-Scope-OrgID")
        agent = self.headers.get("User-Agent")
        say(action=action, path=self.path, tenant=tenant, agent=agent, events=events, at=time.time())
        if fault[0] == "drop":
            return self.hang_up()
        if fault[0] == "hang":
            time.sleep(3600)
        if fault[0] == "slow":
            time.sleep(float(fault[1]))
        if fault[0] == "status":
            headers = {"Retry-After": fault[2]} if len(fault) > 2 else {}
            return self.answer(int(fault[1]), b"", headers)
        if fault[0] == "refuse":
            return self.answer(400, "=".join(fault[1:]).replace("_", " ").encode())
        return self.server.accept(self, fault)

    def answer(self, status, body=b"", headers={}):  # noqa: B006
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def hang_up(self):
        self.close_connection = True
        cut(self.connection)


def value_of(value):
    """An AnyValue as a plain one."""
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [value_of(item) for item in value.array_value.values]
    if kind == "bytes_value":
        return {"bytes": value.bytes_value.hex()}
    return getattr(value, kind) if kind else None


def attributes(pairs):
    plain = {pair.key: value_of(pair.value) for pair in pairs}
    assert len(plain) == len(pairs), "an attribute stands twice"
    return plain


def otlp_events(handler, body):
    from google.protobuf.unknown_fields import UnknownFieldSet
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

    assert handler.path == "/v1/logs", handler.path
    assert handler.headers["Content-Type"] == "application/x-protobuf"
    request = ExportLogsServiceRequest.FromString(body)
    assert len(UnknownFieldSet(request)) == 0, "fields that no version of the protocol has"
    events = []
    for logs in request.resource_logs:
        resource = attributes(logs.resource.attributes)
        for scope in logs.scope_logs:
            for record in scope.log_records:
                events.append({
                    "time": record.time_unix_nano,
                    "observed": record.observed_time_unix_nano,
                    "severity": [record.severity_number, record.severity_text],
                    "body": value_of(record.body),
                    "attributes": attributes(record.attributes),
                    "resource": resource,
                    "scope": scope.scope.name,
                })
    return events


def otlp_accept(handler, fault):
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse

    response = ExportLogsServiceResponse()
    if fault[0] == "partial":
        response.partial_success.rejected_log_records = int(fault[1])
        response.partial_success.error_message = "too old for this store"
    # As Fluent Bit's receiver answers where nothing is to be said.
    status = 200 if fault[0] == "partial" else 201
    handler.answer(status, response.SerializeToString(), {"Content-Type": "application/x-protobuf"})


LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*\Z")


def loki_events(handler, body):
    assert handler.path == "/loki/api/v1/push", handler.path
    assert handler.headers["Content-Type"] == "application/json"
    push = json.loads(body)
    assert set(push) == {"streams"}, set(push)
    events = []
    seen = set()
    for stream in push["streams"]:
        assert set(stream) == {"stream", "values"}, set(stream)
        labels = stream["stream"]
        assert labels and len(labels) <= 15, labels
        for name, value in labels.items():
            assert LABEL.match(name) and isinstance(value, str) and value, (name, value)
        key = json.dumps(labels, sort_keys=True)
        assert key not in seen, "a stream stands twice"
        seen.add(key)
        assert stream["values"], "a stream without entries"
        for when, line, metadata in stream["values"]:
            assert isinstance(when, str) and when.isdigit(), when
            assert isinstance(line, str)
            assert len(metadata) <= 128 and all(isinstance(v, str) for v in metadata.values()), metadata
            assert sum(len(k.encode()) + len(v.encode()) for k, v in metadata.items()) <= 65536
            assert not set(metadata) & set(labels), "a label stands in the metadata too"
            events.append({"labels": labels, "time": int(when), "line": line, "metadata": metadata})
    return events


def loki_accept(handler, _fault):
    handler.answer(204)


class HttpServer(http.server.ThreadingHTTPServer):
    daemon_threads = True


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("protocol", choices=["forward", "otlp", "loki"])
    parser.add_argument("--faults", default="")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--shared-key", default="")
    parser.add_argument("--user", default="")
    parser.add_argument("--password", default="")
    parser.add_argument("--tls", nargs=2, default=None)
    options = parser.parse_args()
    address = ("127.0.0.1", options.port)
    if options.protocol == "forward":
        server = TcpServer(address, Forward)
        if options.tls:
            server.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            server.tls.load_cert_chain(*options.tls)
    else:
        server = HttpServer(address, Http)
        server.decode, server.accept = {
            "otlp": (otlp_events, otlp_accept),
            "loki": (loki_events, loki_accept),
        }[options.protocol]
    server.options, server.faults = options, Faults(options.faults)
    say(port=server.server_address[1])
    server.serve_forever()


if __name__ == "__main__":
    main()
