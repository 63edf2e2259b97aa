"""`make model-figures`: what the built model measures, held against the figures it has to reach; ends with 1 below one.

Enters: a model directory (--model) and the lines of model/data/. Leaves, on standard output: the mean cosine between the
int8 and the float32 model's embeddings, between the trained and the base model's, templates per second at 32 tokens on one
thread, and sizes.
"""
from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

import numpy as np
import onnxruntime as ort

import base
import graph
import lines
import run
import trained

HERE = Path(__file__).resolve().parent
COSINE = 0.98
PER_SECOND = 250
TOKENS = 32
BATCH = 16


def cosine(a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
    """Mean and smallest cosine between the rows of two sets of embeddings of length 1."""
    each = (a * b).sum(axis=1)
    return float(each.mean()), float(each.min())


def per_second(model: ort.InferenceSession, rounds: int = 30) -> float:
    """Texts of TOKENS tokens judged in a second: the best of several rounds, for others may be using the machine."""
    ids = np.random.default_rng(0).integers(1000, 30000, (BATCH, TOKENS))
    feed = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        model.run(None, feed)
        times.append(time.perf_counter() - began)
    return BATCH / min(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    target = Path(os.environ.get("CARGO_TARGET_DIR", HERE.parent / "target"))
    parser.add_argument("--model", type=Path, default=target / "model")
    parser.add_argument("--every", type=int, default=8, help="use one line of so many")
    args = parser.parse_args()

    texts = [lines.text(r.logger, r.level, r.message) for r in lines.read(HERE / "data")][:: args.every]
    tokenizer = run.tokenizer(args.model / "tokenizer.json")
    weights = base.merge(base.load_base(), trained.load(HERE / "adapter").weights)
    built = run.session(args.model / "model.onnx")
    shipped = run.infer(built, tokenizer, texts)[0]
    exact = run.infer(run.session(graph.build(weights, int8=False).SerializeToString()), tokenizer, texts)[0]
    plain = run.infer(run.session(graph.build(base.load_base(), int8=False).SerializeToString()), tokenizer, texts)[0]
    alone = run.infer(built, tokenizer, texts[:64], size=1)[0]

    mean, least = cosine(shipped, exact)
    print(f"int8 against float32, {len(texts)} lines: mean cosine {mean:.4f}, least {least:.4f} (wanted: {COSINE})")
    print("trained against the base model: mean cosine {:.4f}, least {:.4f}".format(*cosine(exact, plain)))
    print(f"judged alone against in a batch: least cosine {cosine(shipped[:64], alone)[1]:.6f}")
    speed = per_second(built)
    print(f"{speed:.0f} templates/s at {TOKENS} tokens, one thread, batches of {BATCH} (wanted: {PER_SECOND})")
    for file in sorted(args.model.iterdir()):
        print(f"{file.stat().st_size / 1e6:8.2f} MB  {file.name}")
    sys.exit(0 if mean >= COSINE and speed >= PER_SECOND else 1)


if __name__ == "__main__":
    main()
