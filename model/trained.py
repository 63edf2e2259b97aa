"""What training leaves under model/adapter/, and how it goes into a model directory."""
from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from base import Weights

FORMAT = 1


@dataclass
class Trained:
    """The adapter's arrays (empty where nothing is trained yet)."""

    weights: Weights = field(default_factory=dict)


def load(folder: Path) -> Trained:
    """What is committed under `folder`; nothing where it does not exist."""
    del folder
    return Trained()


def config(learnt: Trained) -> dict[str, object]:
    """config.json: how the agent has to use the model."""
    del learnt
    return {"model_type": "bert"}


def write_examples(learnt: Trained, out: Path) -> dict[str, object]:
    """The nearest-example files into `out`; what config.json says of them."""
    del learnt, out
    return {}
