"""From the model's outputs to a verdict. The agent does the same; this is the reference, and what calibration fits.

1. head: softmax of the logits. 2. nearest: the k examples whose features are most alike vote, each with
exp(sharpness * (similarity - 1)). 3. mixed = head_share * head + (1 - head_share) * vote; its largest entry is the category.
4. confidence = sigmoid of a linear function of: the mixed probability's log-odds, the margin to the second, and the
similarity of the nearest example. So a text that is far from everything known gets a low confidence whatever the head
says. 5. Below the category's threshold, or below `min_similarity`: abstain.
"""
from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import run
import trained

CLIP = 1e-4


@dataclass
class Verdict:
    """What the model says of one text; `sure` is false where it abstains, `doubt` then says why."""

    category: str
    confidence: float
    sure: bool
    doubt: str
    nearest: str


def softmax(logits: np.ndarray) -> np.ndarray:
    """Rows that add up to 1."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def vote(features: np.ndarray, bank: np.ndarray, labels: np.ndarray, classes: int, how: dict[str, Any]) -> tuple:
    """The examples' vote [rows, classes], and each row's nearest example: (similarity, index)."""
    alike = features @ bank.T
    k = min(how["k"], len(bank))
    near = np.argpartition(-alike, k - 1, axis=1)[:, :k]
    weight = np.exp(how["sharpness"] * (np.take_along_axis(alike, near, axis=1) - 1))
    votes = np.zeros((len(features), classes))
    for column in range(k):
        np.add.at(votes, (np.arange(len(features)), labels[near[:, column]]), weight[:, column])
    return votes / votes.sum(axis=1, keepdims=True), alike.max(axis=1), alike.argmax(axis=1)


def evidence(mixed: np.ndarray, nearest: np.ndarray) -> np.ndarray:
    """What the confidence is computed from: [rows, 4], the first column 1."""
    ranked = np.sort(mixed, axis=1)
    top = np.clip(ranked[:, -1], CLIP, 1 - CLIP)
    return np.stack([np.ones(len(top)), np.log(top / (1 - top)), ranked[:, -1] - ranked[:, -2], nearest], axis=1)


def confidence(seen: np.ndarray, weights: list[float]) -> np.ndarray:
    """The calibrated probability that the category is right."""
    return 1 / (1 + np.exp(-seen @ np.asarray(weights)))


class Judge:
    """A built model directory, ready to judge texts."""

    def __init__(self, folder: Path) -> None:
        self.config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        self.names = [self.config["id2label"][str(i)] for i in range(len(self.config["id2label"]))]
        self.examples, self.bank = trained.read_examples(folder)
        self.labels = np.array([self.config["label2id"][category] for category, _ in self.examples])
        self.tokenizer = run.tokenizer(folder / "tokenizer.json", self.config["input"]["max_tokens"])
        self.session = run.session(folder / "model.onnx")

    def verdicts(self, texts: list[str]) -> list[Verdict]:
        """One verdict for each text."""
        _, features, logits = run.infer(self.session, self.tokenizer, texts)
        how = self.config["nearest"]
        votes, nearest, index = vote(features, self.bank, self.labels, len(self.names), how)
        mixed = how["head_share"] * softmax(logits) + (1 - how["head_share"]) * votes
        sure = confidence(evidence(mixed, nearest), self.config["calibration"])
        return [self.verdict(*row) for row in zip(mixed.argmax(axis=1), sure, nearest, index)]

    def verdict(self, category: int, certainty: float, nearest: float, index: int) -> Verdict:
        """One row's verdict."""
        limits = self.config["thresholds"]
        limit = limits.get(self.names[category], limits["default"])
        far = nearest < self.config["min_similarity"]
        doubt = f"far from every example ({nearest:.2f})" if far else f"confidence {certainty:.2f} is below {limit:.2f}"
        sure = not far and certainty >= limit
        return Verdict(self.names[category], float(certainty), bool(sure), "" if sure else doubt, self.examples[index][1])
