"""Fluent Bit's side of its WASM filter, for the tests: calls the module as flb_wasm_call_function_format_json does.

    host.py MODULE FUNCTION [DIRECTORY ...]

The directories are the filter's `accessible_paths`. What the module says on standard error goes to standard error.

Standard input: records, each as its length (32 bits, little endian) and its bytes. Standard output, for each: the instructions that were
executed for it (64 bits), the bytes of linear memory after it (64 bits), 1 where the record would go on or 0 where Fluent Bit would lose it
(8 bits), the length of the answer (32 bits) and the answer. Before the first one, a line of the same kind for the start.

One instance for all records; tag and record are copied in with a NUL behind each, into memory from the module's own malloc, as WAMR does
where a module has one; the answer is copied out up to its NUL, then the copies are freed. An instruction is one WebAssembly operator, counted
as it is executed.
"""
import hashlib
import os
import struct
import sys
from importlib.metadata import version

import wasmtime

FUEL = 10 ** 18


def compiled(engine, path):
    """The module as machine code, which is kept beside it for the next host."""
    with open(path, 'rb') as file:
        code = file.read()
    name = hashlib.sha256(code + version('wasmtime').encode()).hexdigest()[:16]
    kept = f'{path}.{name}.cwasm'
    if os.path.exists(kept):
        return wasmtime.Module.deserialize_file(engine, kept)
    module = wasmtime.Module(engine, code)
    part = f'{kept}.{os.getpid()}'
    with open(part, 'wb') as file:
        file.write(module.serialize())
    os.rename(part, kept)
    return module


def main():
    config = wasmtime.Config()
    config.consume_fuel = True
    engine = wasmtime.Engine(config)
    module = compiled(engine, sys.argv[1])
    store = wasmtime.Store(engine)
    store.set_fuel(FUEL)
    # Nothing but WASI: Fluent Bit's runtime offers no more.
    linker = wasmtime.Linker(engine)
    linker.define_wasi()
    wasi = wasmtime.WasiConfig()
    wasi.inherit_stderr()
    for directory in sys.argv[3:]:
        wasi.preopen_dir(directory, directory)
    store.set_wasi(wasi)
    exports = linker.instantiate(store, module).exports(store)
    memory, malloc, free, apply = (exports[name] for name in ('memory', 'malloc', 'free', sys.argv[2]))
    out = sys.stdout.buffer

    def answer(spent, goes_on, reply):
        out.write(struct.pack('<QQBI', spent, memory.data_len(store), goes_on, len(reply)) + reply)

    def copy_in(data):
        at = malloc(store, len(data) + 1)
        if at:
            memory.write(store, data + b'\0', at)
        return at

    def c_string(at, guess):
        """What stands at `at` up to its NUL; None where there is none in memory."""
        end = memory.data_len(store)
        text = b''
        while 0 < at < end:
            piece = bytes(memory.read(store, at, min(at + guess, end)))
            nul = piece.find(0)
            if nul >= 0:
                return text + piece[:nul]
            text += piece
            at += len(piece)
        return None

    exports['_initialize'](store)
    answer(FUEL - store.get_fuel(), 1, b'')
    tag = b'kube.var.log.containers.web'
    while head := sys.stdin.buffer.read(4):
        record = sys.stdin.buffer.read(struct.unpack('<I', head)[0])
        tag_at, at = copy_in(tag), copy_in(record)
        before = store.get_fuel()
        reply = c_string(apply(store, tag_at, len(tag), 1767225600, 5, at, len(record)) & 0xffffffff, len(record) + 512)
        spent = before - store.get_fuel()
        free(store, tag_at)
        free(store, at)
        answer(spent, 1 if reply else 0, reply or b'')
    out.flush()


main()
