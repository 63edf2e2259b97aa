"""The labelled lines of model/data/, read and masked as the agent masks them.

Enters: TSV files with the columns program, category, level, logger, message. Leaves: rows with the template that the
agent makes of the message, so that training and use see the same text.
"""
from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

COLUMNS = ["program", "category", "level", "logger", "message"]
LEVELS = ["trace", "debug", "info", "notice", "warn", "error", "fatal"]


@dataclass
class Line:
    """One labelled line; `template` is empty until `mask` has run."""

    program: str
    category: str
    level: str
    logger: str
    message: str
    source: str
    template: str = ""
    rule: str | None = None


def read(folder: Path) -> list[Line]:
    """All rows of `folder`/*.tsv, in the order of file names and lines. A row of a wrong width ends the program."""
    rows: list[Line] = []
    for path in sorted(folder.glob("*.tsv")):
        for number, text in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
            fields = text.split("\t")
            if not text or fields == COLUMNS:
                continue
            if len(fields) != len(COLUMNS):
                raise SystemExit(f"{path}:{number}: {len(COLUMNS)} columns are expected, there are {len(fields)}")
            rows.append(Line(*fields, source=f"{path.name}:{number}"))
    return rows


def classify(agent: Path, lines: list[str], pack: str = "general") -> list[dict[str, object]]:
    """What the agent says of each line, in order."""
    command = [str(agent), "classify", "--format", "json", "--no-join", "--pack", pack, "-"]
    done = subprocess.run(command, input="".join(f"{x}\n" for x in lines).encode(), stdout=subprocess.PIPE, check=True)
    said = [json.loads(x) for x in done.stdout.decode("utf-8").splitlines()]
    if len(said) != len(lines):
        raise SystemExit(f"{len(lines)} lines went in, {len(said)} events came out of {agent}")
    return said


def mask(agent: Path, rows: list[Line]) -> None:
    """Fills `template` and `rule` (the category that a rule gives, if one does) of every row."""
    wrapped = [json.dumps({"level": r.level, "logger": r.logger or r.program, "msg": r.message}) for r in rows]
    for row, event in zip(rows, classify(agent, wrapped)):
        row.template = str(event["template"])
        row.rule = str(event["category"]) if event["stage"] == "rule" else None


def rule_examples(agent: Path, pack: Path) -> list[Line]:
    """The lines by which the pack's rules are tested, as labelled lines; `program` is the rule."""
    import yaml  # the data's check has to run on a bare Python

    rules = yaml.safe_load(pack.read_text(encoding="utf-8"))["rules"]
    found = [(r["id"], r["category"], x) for r in rules for x in r.get("match", []) if "\n" not in x]
    rows = []
    for (rule, category, _), event in zip(found, classify(agent, [x for _, _, x in found])):
        logger, template = str(event.get("logger") or ""), str(event["template"])
        row = Line(rule, category, str(event["level"] or "info"), logger, str(event["message"]), rule, template, category)
        rows.append(row)
    return rows


def examples(rows: list[Line]) -> list[tuple[str, str]]:
    """(category, text) of all rows, each text once."""
    seen = {text(row.logger, row.level, row.template): row.category for row in rows}
    return [(category, said) for said, category in seen.items() if "\t" not in said and "\n" not in said]


def text(logger: str, level: str, template: str) -> str:
    """What the model reads: the parts that are known, one after the other."""
    return " | ".join(part for part in (logger, level, template) if part)
