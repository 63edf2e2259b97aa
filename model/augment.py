"""Variants of a training line, so that the model does not lean on one part of its input."""
from __future__ import annotations

import random

from lines import LEVELS, Line, text


def variant(row: Line, dice: random.Random) -> str:
    """One text for `row`: logger or level left out, real values in place of placeholders, cut short, words lost."""
    logger = "" if dice.random() < 0.3 else row.logger or row.program
    roll = dice.random()
    level = "" if roll < 0.25 else dice.choice(LEVELS) if roll < 0.3 else row.level
    message = row.message if dice.random() < 0.25 else row.template
    words = message.split()
    if len(words) > 8 and dice.random() < 0.15:
        words = words[: dice.randint(6, len(words))]
    if len(words) > 4 and dice.random() < 0.3:
        words = [w for w in words if dice.random() > 0.12] or words
    return text(logger, level, " ".join(words))
