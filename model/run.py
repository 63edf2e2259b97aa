"""A built model used from Python: texts in, embeddings and logits out. The agent does the same in Rust."""
from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime as ort
from tokenizers import Tokenizer

MAX_TOKENS = 64


def tokenizer(path: Path, max_tokens: int = MAX_TOKENS) -> Tokenizer:
    """The tokenizer with padding off and texts cut at `max_tokens`."""
    made = Tokenizer.from_file(str(path))
    made.no_padding()
    made.enable_truncation(max_tokens)
    return made


def session(model: Path | bytes, threads: int = 1) -> ort.InferenceSession:
    """The model loaded for the CPU."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    source = model if isinstance(model, bytes) else str(model)
    return ort.InferenceSession(source, options, providers=["CPUExecutionProvider"])


def batches(ids: list[list[int]], size: int) -> list[list[int]]:
    """The indices of `ids` in batches of `size`, like lengths together."""
    order = sorted(range(len(ids)), key=lambda i: len(ids[i]))
    return [order[at:at + size] for at in range(0, len(order), size)]


def padded(ids: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    """One batch as arrays: token ids and attention mask, [batch, longest]."""
    longest = max(len(row) for row in ids)
    tokens = np.zeros((len(ids), longest), np.int64)
    mask = np.zeros_like(tokens)
    for row, at in zip(ids, range(len(ids))):
        tokens[at, :len(row)] = row
        mask[at, :len(row)] = 1
    return tokens, mask


def infer(model: ort.InferenceSession, tok: Tokenizer, texts: list[str], size: int = 16) -> list[np.ndarray]:
    """Each output of the model for all `texts`, in their order."""
    ids = [e.ids for e in tok.encode_batch(texts)]
    outs: list[np.ndarray] = []
    for rows in batches(ids, size):
        tokens, mask = padded([ids[i] for i in rows])
        got = model.run(None, {"input_ids": tokens, "attention_mask": mask})
        if not outs:
            outs = [np.zeros((len(texts), *g.shape[1:]), g.dtype) for g in got]
        for out, g in zip(outs, got):
            out[rows] = g
    return outs
