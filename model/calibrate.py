"""How sure is sure: head and examples weighed, confidence calibrated, thresholds chosen, on programs never trained on.

Enters: an adapter, the lines it has learnt, and labelled lines of other programs. Leaves: judging.json's content.
"""
from __future__ import annotations

from typing import Any

import numpy as np

import base
import graph
import judge
import run
from lines import Line, text

# Rules decide most lines and are right in about 0.95 of them; with this share among what the model adds, both together
# are right in about 0.93.
SELECTIVE = 0.775
RIDGE = 1e-2


def outputs(weights: base.Weights, rows: list[Line]) -> tuple[np.ndarray, np.ndarray]:
    """Features and logits of `rows` by the model as it is shipped, in int8."""
    model = run.session(graph.build(base.merge(base.load_base(), weights), int8=True).SerializeToString())
    tokenizer = run.tokenizer(base.package_dir() / "tokenizer.json")
    _, features, logits = run.infer(model, tokenizer, [text(r.logger, r.level, r.template) for r in rows])
    return features, logits


def accepted(rows: list[Line], names: list[str]) -> np.ndarray:
    """[rows, classes]: is this category a right answer? Labels may name two ("a|b")."""
    return np.array([[name in row.category.split("|") for name in names] for row in rows])


def fit_confidence(seen: np.ndarray, right: np.ndarray) -> list[float]:
    """Logistic regression of `right` on the evidence, by Newton's method with a small ridge."""
    weights = np.zeros(seen.shape[1])
    for _ in range(50):
        p = 1 / (1 + np.exp(-seen @ weights))
        slope = seen.T @ (p - right) / len(right) + RIDGE * weights
        curve = (seen * (p * (1 - p))[:, None]).T @ seen / len(right) + RIDGE * np.eye(len(weights))
        weights = weights - np.linalg.solve(curve, slope)
    return [round(float(w), 5) for w in weights]


def calibration_error(sure: np.ndarray, right: np.ndarray, bins: int = 10) -> float:
    """ECE: the mean gap between confidence and share of right ones over `bins` equal bins, weighted by their size."""
    which = np.minimum((sure * bins).astype(int), bins - 1)
    gaps = [(which == b).mean() * abs(right[which == b].mean() - sure[which == b].mean()) for b in set(which)]
    return float(sum(gaps))


def curve(sure: np.ndarray, right: np.ndarray) -> list[tuple[float, float, float]]:
    """Risk and coverage: (threshold, coverage, share of right ones among those covered)."""
    points = []
    for limit in np.arange(0.0, 0.96, 0.05):
        kept = sure >= limit
        if kept.any():
            points.append((round(float(limit), 2), float(kept.mean()), float(right[kept].mean())))
    return points


def weigh(features: np.ndarray, logits: np.ndarray, bank: np.ndarray, labels: np.ndarray, gold: np.ndarray) -> tuple:
    """The weighing of head and examples with the highest mean log-probability of a right answer."""
    head, best = judge.softmax(logits), None
    for k in (4, 8, 16, 32):
        for sharpness in (10.0, 20.0, 40.0):
            how = {"k": k, "sharpness": sharpness}
            votes, nearest, _ = judge.vote(features, bank, labels, gold.shape[1], how)
            for share in (0.3, 0.5, 0.7, 0.85):
                mixed = share * head + (1 - share) * votes
                score = np.log(np.clip((mixed * gold).sum(axis=1), 1e-3, 1)).mean()
                if best is None or score > best[0]:
                    best = (score, {**how, "head_share": share}, mixed, nearest)
    assert best is not None
    return best[1:]


def judging(weights: base.Weights, known: list[Line], unknown: list[Line], names: list[str]) -> dict[str, Any]:
    """Everything between the model's outputs and a verdict, fitted on `unknown`; its figures are printed."""
    bank, _ = outputs(weights, known)
    features, logits = outputs(weights, unknown)
    labels = np.array([names.index(row.category) for row in known])
    gold = accepted(unknown, names)
    how, mixed, nearest = weigh(features, logits, bank, labels, gold)
    right = gold[np.arange(len(gold)), mixed.argmax(axis=1)]
    # At use the model sees only what no rule decides, which is harder than the rest: the confidence is fitted on that.
    left = np.array([row.rule is None for row in unknown])
    seen = judge.evidence(mixed, nearest)
    fitted = fit_confidence(seen[left], right[left])
    sure = judge.confidence(seen, fitted)
    print(f"programs left out: {len(unknown)} lines, head {accuracy(logits, gold):.3f}, with examples {right.mean():.3f}")
    print(f"of these undecided by rules: {left.sum()}, right {right[left].mean():.3f},"
          f" ECE {calibration_error(sure[left], right[left]):.3f}, {how}")
    points = curve(sure[left], right[left])
    for limit, coverage, selective in points:
        print(f"  threshold {limit:.2f}: coverage {coverage:.3f}, right among these {selective:.3f}")
    return {
        "categories": names,
        "input": {"parts": ["logger", "level", "template"], "join": " | ", "max_tokens": run.MAX_TOKENS},
        "nearest": how,
        "calibration": fitted,
        "thresholds": {"default": threshold(sure[left], right[left])},
        "min_similarity": round(float(np.quantile(nearest, 0.005)), 3),
    }


def accuracy(logits: np.ndarray, gold: np.ndarray) -> float:
    """The share of rows whose largest logit is a right answer."""
    return float(gold[np.arange(len(gold)), logits.argmax(axis=1)].mean())


def threshold(sure: np.ndarray, right: np.ndarray) -> float:
    """The lowest threshold at which SELECTIVE of what is then decided is right."""
    for limit in np.arange(0.3, 0.9, 0.01):
        kept = sure >= limit
        if kept.any() and right[kept].mean() >= SELECTIVE:
            print(f"threshold {limit:.2f}: coverage {kept.mean():.3f}, right among these {right[kept].mean():.3f}")
            return round(float(limit), 2)
    return 0.9
