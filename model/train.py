"""`make train`: fine-tunes encoder and head on model/data/ and the rules' own examples, and calibrates them.

Enters: the labelled lines, masked by the agent (--agent), and the base weights. Leaves: model/adapter/ (trained.py).
Two runs from one seed: the first leaves one program in FOLDS out, and the calibration and thresholds are fitted on those
programs alone; the second, whose adapter is kept, sees everything. `--try` keeps the first (half the time), with the lines
of the programs left out among its examples all the same.
"""
from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import time
from functools import partial
from pathlib import Path

# Before JAX is loaded: one thread for each of its operations, so that a run repeats to the last bit.
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false " + os.environ.get("XLA_FLAGS", "")

import jax
import jax.numpy as jnp
import numpy as np

import augment
import base
import calibrate
import forward
import graph
import lines
import run
import trained
from check_data import categories
from lines import Line

HERE = Path(__file__).resolve().parent
PACK = HERE.parent / "rules" / "general.yaml"
FOLDS = 6
BATCH = 32
LENGTHS = [12, 16, 20, 24, 32, 40, 64]
RANK = 16
FIRST = 3  # the layers below it stay the base's own: half the time, and the embedding stays close
LOGIT_SCALE = 12.0
SMOOTHING = 0.05
KEEP = 1.0
DECAY = 0.01
WARM_UP = 50

Arrays = dict[str, jax.Array]


def held_out(row: Line) -> bool:
    """Is this row's program one of those that the first run does not see?"""
    return int(hashlib.md5(row.program.lower().encode()).hexdigest(), 16) % FOLDS == 0


def first_head(rows: list[Line], labels: np.ndarray, classes: int) -> tuple[jax.Array, jax.Array]:
    """Weights and bias of a logistic regression over the base's embeddings: where the head begins."""
    model = run.session(graph.build(base.load_base(), int8=True).SerializeToString())
    tokenizer = run.tokenizer(base.package_dir() / "tokenizer.json")
    x = jnp.asarray(run.infer(model, tokenizer, [lines.text(r.logger, r.level, r.template) for r in rows])[0])

    @jax.jit
    def slopes(weight: jax.Array, bias: jax.Array) -> tuple:
        def wrong(weight: jax.Array, bias: jax.Array) -> jax.Array:
            likely = jax.nn.log_softmax(x @ weight + bias)
            return -likely[jnp.arange(len(labels)), labels].mean() + 5e-5 * (weight**2).sum()

        return jax.grad(wrong, (0, 1))(weight, bias)

    values = [jnp.zeros((base.WIDTH, classes)), jnp.zeros(classes)]
    m, v = [jnp.zeros_like(a) for a in values], [jnp.zeros_like(a) for a in values]
    for step in range(1, 151):
        for i, slope in enumerate(slopes(*values)):
            values[i], m[i], v[i] = adam("", values[i], m[i], v[i], slope, float(step), 0.2, decay=0.0)
    return values[0], values[1]


def trainable(weights: Arrays, head: tuple[jax.Array, jax.Array], seed: int) -> Arrays:
    """The arrays that are trained, as they begin: the model then gives the base's own embeddings."""
    dice = np.random.default_rng(seed)
    low: dict[str, np.ndarray] = {}
    for i in range(FIRST, base.LAYERS):
        for name in base.DENSE:
            ins, outs = weights[f"{i}.{name}"].shape
            low[f"{i}.{name}.a"] = dice.standard_normal((ins, RANK)) / np.sqrt(ins)
            low[f"{i}.{name}.b"] = np.zeros((RANK, outs))
    first = dice.standard_normal((base.WIDTH, base.WIDTH)) * 0.02
    low["feature.weight"] = np.vstack([first, np.eye(base.WIDTH)])
    low["feature.bias"] = np.zeros(base.WIDTH)
    low["head.weight"], low["head.bias"] = head[0] / LOGIT_SCALE, head[1]
    return {name: jnp.asarray(value, jnp.float32) for name, value in low.items()}


def loss(low: Arrays, weights: Arrays, ids: jax.Array, mask: jax.Array, labels: jax.Array) -> jax.Array:
    """Cross-entropy with smoothed labels, and how far the sentence embedding has moved from the base's.

    The second term keeps the embedding good for what it is elsewhere used for: finding templates by meaning.
    """
    embedding, before, features = forward.outputs(weights, low, ids, mask, FIRST)
    logits = LOGIT_SCALE * features @ low["head.weight"] + low["head.bias"]
    classes = logits.shape[1]
    wanted = jax.nn.one_hot(labels, classes) * (1 - SMOOTHING) + SMOOTHING / classes
    wrong = -(wanted * jax.nn.log_softmax(logits)).sum(1).mean()
    return wrong + KEEP * (1 - (embedding * jax.lax.stop_gradient(before)).sum(1)).mean()


def adam(name: str, value: jax.Array, m: jax.Array, v: jax.Array, slope: jax.Array, step: float, rate: float,
         decay: float = DECAY) -> tuple:
    """One AdamW step of one array: (value, m, v)."""
    m, v = 0.9 * m + 0.1 * slope, 0.98 * v + 0.02 * slope**2
    change = (m / (1 - 0.9**step)) / (jnp.sqrt(v / (1 - 0.98**step)) + 1e-8)
    return value * (1 - rate * decay) - rate * change, m, v


@jax.jit
def update(weights: Arrays, state: tuple, ids: jax.Array, mask: jax.Array, labels: jax.Array, step: float, rate: float) -> tuple:
    """One step over one batch: the new (low, m, v), and the loss."""
    low, m, v = state
    value, slopes = jax.value_and_grad(loss)(low, weights, ids, mask, labels)
    size = jnp.sqrt(sum((s**2).sum() for s in slopes.values()))
    slopes = {k: s / jnp.maximum(1.0, size) for k, s in slopes.items()}
    new = {k: adam(k, low[k], m[k], v[k], slopes[k], step, rate) for k in low}
    return tuple({k: triple[part] for k, triple in new.items()} for part in range(3)), value


def padded(ids: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    """Token ids and mask, as long as the next of LENGTHS: few shapes, so that few programs are compiled."""
    longest = max(len(row) for row in ids)
    length = next(n for n in LENGTHS if n >= longest)
    tokens, mask = np.zeros((len(ids), length), np.int32), np.zeros((len(ids), length), np.int32)
    for at, row in enumerate(ids):
        tokens[at, :len(row)], mask[at, :len(row)] = row, 1
    return tokens, mask


def epoch(ids: list[list[int]], dice: random.Random) -> list[list[int]]:
    """Batches of indices in random order, each of texts of about one length."""
    order = list(range(len(ids)))
    dice.shuffle(order)
    found = []
    for at in range(0, len(order), BATCH * 8):
        chunk = sorted(order[at:at + BATCH * 8], key=lambda i: len(ids[i]))
        found += [chunk[j:j + BATCH] for j in range(0, len(chunk) - BATCH + 1, BATCH)]
    dice.shuffle(found)
    return found


def fit(rows: list[Line], names: list[str], epochs: int, rate: float, seed: int) -> Arrays:
    """Trains on `rows` and gives the trained arrays."""
    tokenizer = run.tokenizer(base.package_dir() / "tokenizer.json")
    weights = {k: jnp.asarray(v) for k, v in base.load_base().items()}
    labels = np.array([names.index(row.category) for row in rows])
    low = trainable(weights, first_head(rows, labels, len(names)), seed)
    state = (low, {k: jnp.zeros_like(v) for k, v in low.items()}, {k: jnp.zeros_like(v) for k, v in low.items()})
    dice, steps, step, began = random.Random(seed), epochs * (len(rows) // BATCH), 0, time.time()
    for number in range(epochs):
        ids = [e.ids for e in tokenizer.encode_batch([augment.variant(row, dice) for row in rows])]
        total, found = 0.0, epoch(ids, dice)
        for batch in found:
            step += 1
            now = rate * min(1, step / WARM_UP) * max(0.02, 0.5 * (1 + np.cos(np.pi * min(1, step / steps))))
            tokens, mask = padded([ids[i] for i in batch])
            state, value = update(weights, state, tokens, mask, labels[batch], float(step), now)
            total += float(value)
        print(f"epoch {number + 1}/{epochs}: loss {total / len(found):.3f}, {time.time() - began:.0f} s", flush=True)
    return state[0]


def adapter(low: Arrays) -> base.Weights:
    """The trained arrays as they are kept: the logits' scale is part of the head."""
    kept = {name: np.asarray(value) for name, value in low.items()}
    kept["head.weight"] = kept["head.weight"] * LOGIT_SCALE
    return kept


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    target = Path(os.environ.get("CARGO_TARGET_DIR", HERE.parent / "target"))
    parser.add_argument("--agent", type=Path, default=target / "release" / "logsieve")
    parser.add_argument("--out", type=Path, default=HERE / "adapter")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--rate", type=float, default=2.5e-3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--judging", type=Path, help="the judging.json of an earlier --try, in place of the first run")
    parser.add_argument("--every", type=int, default=1, help="learn from one line of so many: to see that all of it runs")
    parser.add_argument("--try", action="store_true", dest="only_try")
    args = parser.parse_args()

    names = categories(PACK)
    rows = lines.read(HERE / "data")
    lines.mask(args.agent, rows)
    rows += lines.rule_examples(args.agent, PACK)
    rows = rows[:: args.every]
    known, unknown = [r for r in rows if not held_out(r)], [r for r in rows if held_out(r)]
    train = partial(fit, names=names, epochs=args.epochs, rate=args.rate, seed=args.seed)
    print(f"{len(known)} lines to learn from, {len(unknown)} of programs left out")
    if args.judging:
        judging = json.loads(args.judging.read_text(encoding="utf-8"))
    else:
        kept = adapter(train(known))
        trained.save(args.out, trained.Trained(kept, {"categories": names}, []))  # not lost to what comes next
        judging = calibrate.judging(kept, known, unknown, names)
    if not args.only_try:
        kept = adapter(train(rows))
    trained.save(args.out, trained.Trained(kept, judging, lines.examples(rows)))
    print(f"written: {args.out}")


if __name__ == "__main__":
    main()
