"""The encoder's forward pass in JAX, for training only. The same arithmetic as graph.py, in float32.

Enters: the base weights (frozen), the trainable arrays, token ids and attention mask. Leaves: the sentence embedding
and the head's features.
"""
from __future__ import annotations

import jax
import jax.numpy as jnp

from base import EPSILON, HEADS, LAYERS, WIDTH

Arrays = dict[str, jax.Array]


def norm(x: jax.Array, gamma: jax.Array, beta: jax.Array) -> jax.Array:
    """LayerNorm over the last axis."""
    centred = x - x.mean(-1, keepdims=True)
    return centred * jax.lax.rsqrt((centred**2).mean(-1, keepdims=True) + EPSILON) * gamma + beta


def dense(x: jax.Array, name: str, base: Arrays, low: Arrays) -> jax.Array:
    """x @ (weight + low-rank part) + bias; x is [rows, in]."""
    y = x @ base[name] + base[f"{name}.bias"]
    if f"{name}.a" in low:
        y = y + (x @ low[f"{name}.a"]) @ low[f"{name}.b"]
    return y


def embed(base: Arrays, ids: jax.Array) -> jax.Array:
    """The rows that the first layer reads, [batch, sequence, width]."""
    x = base["words"][ids] + base["positions"][: ids.shape[1]]
    return norm(x, base["norm0.weight"], base["norm0.bias"])


def layers(base: Arrays, low: Arrays, rows: jax.Array, mask: jax.Array, which: range) -> jax.Array:
    """`rows` [batch, sequence, width] after the layers `which`."""
    batch, length, _ = rows.shape
    x = rows.reshape(batch * length, WIDTH)
    hidden = jnp.where(mask[:, None, None, :] > 0, 0.0, -1e9)

    def heads(y: jax.Array) -> jax.Array:
        return y.reshape(batch, length, HEADS, WIDTH // HEADS).transpose(0, 2, 1, 3)

    for i in which:
        q, k, v = (heads(dense(x, f"{i}.{name}", base, low)) for name in "qkv")
        weights = jax.nn.softmax(q @ k.transpose(0, 1, 3, 2) / (WIDTH // HEADS) ** 0.5 + hidden)
        seen = (weights @ v).transpose(0, 2, 1, 3).reshape(batch * length, WIDTH)
        x = norm(x + dense(seen, f"{i}.o", base, low), base[f"{i}.norm1.weight"], base[f"{i}.norm1.bias"])
        up = jax.nn.gelu(dense(x, f"{i}.up", base, low), approximate=False)
        x = norm(x + dense(up, f"{i}.down", base, low), base[f"{i}.norm2.weight"], base[f"{i}.norm2.bias"])
    return x.reshape(batch, length, WIDTH)


def unit(x: jax.Array) -> jax.Array:
    """Rows scaled to length 1."""
    return x * jax.lax.rsqrt((x**2).sum(-1, keepdims=True) + 1e-12)


def mean(rows: jax.Array, mask: jax.Array) -> jax.Array:
    """The mean of each text's tokens."""
    kept = mask[:, :, None].astype(rows.dtype)
    return (rows * kept).sum(1) / kept.sum(1)


def outputs(base: Arrays, low: Arrays, ids: jax.Array, mask: jax.Array, first: int) -> tuple[jax.Array, ...]:
    """For a batch: the sentence embedding of length 1, the same by the base alone, and what the head reads.

    Only the layers from `first` on are trained, so what comes before them is computed once for both.
    """
    trunk = jax.lax.stop_gradient(layers(base, {}, embed(base, ids), mask, range(first)))
    rows = layers(base, low, trunk, mask, range(first, LAYERS))
    before = mean(layers(base, {}, trunk, mask, range(first, LAYERS)), mask)
    middle = mean(rows, mask)
    both = jnp.concatenate([rows[:, 0], middle], axis=-1)
    return unit(middle), unit(before), unit(both @ low["feature.weight"] + low["feature.bias"])
