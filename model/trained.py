"""What training leaves under model/adapter/, and how it goes into a model directory.

adapter.safetensors: low-rank pairs, the features' projection and the head (16-bit floats). judging.json: categories, how
head and nearest examples are put together, calibration, thresholds. examples.tsv: category and text of each example.
"""
from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file

from base import WIDTH, Weights

FORMAT = 1
BASE = "all-MiniLM-L6-v2"


@dataclass
class Trained:
    """The adapter's arrays, how verdicts are made of them, and the examples; all empty where nothing is trained yet."""

    weights: Weights = field(default_factory=dict)
    judging: dict[str, Any] = field(default_factory=dict)
    examples: list[tuple[str, str]] = field(default_factory=list)
    version: str = "untrained"


def save(folder: Path, learnt: Trained) -> None:
    """Writes the three files."""
    folder.mkdir(parents=True, exist_ok=True)
    halves = {name: value.astype(np.float16) for name, value in learnt.weights.items()}
    save_file(halves, str(folder / "adapter.safetensors"))
    (folder / "judging.json").write_text(json.dumps(learnt.judging, indent=2) + "\n", encoding="utf-8")
    rows = "".join(f"{category}\t{text}\n" for category, text in learnt.examples)
    (folder / "examples.tsv").write_text(rows, encoding="utf-8")


def load(folder: Path) -> Trained:
    """What is committed under `folder`; nothing where it does not exist."""
    if not (folder / "adapter.safetensors").exists():
        return Trained()
    rows = (folder / "examples.tsv").read_text(encoding="utf-8").rstrip("\n").split("\n")
    examples = [(category, text) for category, text in (row.split("\t", 1) for row in rows)]
    digest = hashlib.sha256()
    for name in ("adapter.safetensors", "judging.json", "examples.tsv"):
        digest.update((folder / name).read_bytes())
    return Trained(
        weights={k: v.astype(np.float32) for k, v in load_file(str(folder / "adapter.safetensors")).items()},
        judging=json.loads((folder / "judging.json").read_text(encoding="utf-8")),
        examples=examples,
        version=digest.hexdigest()[:12],
    )


def config(learnt: Trained) -> dict[str, Any]:
    """config.json: how the agent has to use the model. The names of Hugging Face's layout stand where they exist."""
    labels = learnt.judging.get("categories", [])
    return {
        "format": FORMAT,
        "model_type": "bert",
        "base": BASE,
        "version": learnt.version,
        "hidden_size": WIDTH,
        "id2label": {str(i): name for i, name in enumerate(labels)},
        "label2id": {name: i for i, name in enumerate(labels)},
        **{key: value for key, value in learnt.judging.items() if key != "categories"},
    }


def write_examples(learnt: Trained, features: np.ndarray, out: Path) -> None:
    """examples.tsv (category, text) and examples.bin: for each row of it a float32 scale and WIDTH signed bytes."""
    scales = (np.abs(features).max(axis=1) / 127).astype("<f4")
    rows = np.zeros(len(features), np.dtype([("scale", "<f4"), ("codes", "i1", (WIDTH,))]))
    rows["scale"] = scales
    rows["codes"] = np.rint(features / scales[:, None])
    (out / "examples.bin").write_bytes(rows.tobytes())
    text = "".join(f"{category}\t{text}\n" for category, text in learnt.examples)
    (out / "examples.tsv").write_text(text, encoding="utf-8")


def read_examples(folder: Path) -> tuple[list[tuple[str, str]], np.ndarray]:
    """What `write_examples` wrote: (category, text) of each, and the features [rows, WIDTH]."""
    raw = np.frombuffer((folder / "examples.bin").read_bytes(), np.dtype([("scale", "<f4"), ("codes", "i1", (WIDTH,))]))
    rows = (folder / "examples.tsv").read_text(encoding="utf-8").rstrip("\n").split("\n")
    examples = [(category, text) for category, text in (row.split("\t", 1) for row in rows)]
    return examples, raw["codes"] * raw["scale"][:, None]
