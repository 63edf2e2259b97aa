"""Is model/data/ fit to train on? Ends with 1 and names each row that is not.

- format: five columns, a known category and level, a program, a message without control characters
- no row twice, nor two rows of one program that differ in digits and punctuation alone
- no message of one program under two categories
- no text of the evaluation sets: no run of six words, digits masked, that stands in them too. Skipped, and said so, where
  ../shared/eval is not beside the checkout.
"""
from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from lines import LEVELS, Line, read

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
RUN = 6
WORD = re.compile(r"[a-z0]+")
DIGITS = re.compile(r"\d+")
# The C library's own words for errors are in every program's lines: they count as one word.
ERRORS = re.compile("|".join(re.escape(os.strerror(n).lower()) for n in range(1, 134)))


def categories(pack: Path) -> list[str]:
    """The ids of the pack's categories. Read without a YAML parser, so that the check runs on a bare Python."""
    head = pack.read_text(encoding="utf-8").split("\nrules:", 1)[0]
    return re.findall(r"^    - id: (\w+)$", head, re.M)


def words(text: str) -> list[str]:
    """The words of `text`, lower case, each run of digits as one 0."""
    return WORD.findall(DIGITS.sub("0", ERRORS.sub("errno", text.lower())))


def runs(text: str) -> Iterator[tuple[str, ...]]:
    """Every run of RUN words in which at least RUN - 1 have letters: numbers in a row are nobody's text."""
    found = words(text)
    for at in range(len(found) - RUN + 1):
        run = tuple(found[at:at + RUN])
        if sum(w != "0" for w in run) >= RUN - 1:
            yield run


def format_errors(rows: list[Line], known: set[str]) -> Iterator[str]:
    """Rows that cannot be used as they stand."""
    for row in rows:
        if row.category not in known:
            yield f"{row.source}: there is no category {row.category!r}"
        if row.level not in LEVELS:
            yield f"{row.source}: there is no level {row.level!r}"
        if not row.program.strip() or not row.message.strip():
            yield f"{row.source}: program and message must not be empty"
        if any(ord(c) < 32 for c in row.logger + row.message):
            yield f"{row.source}: a control character"


def repeat_errors(rows: list[Line]) -> Iterator[str]:
    """Rows that say what an earlier row of the same program says."""
    seen: dict[tuple[str, str, str], Line] = {}
    for row in rows:
        key = (row.program.lower(), row.logger.lower(), " ".join(words(row.message)))
        first = seen.setdefault(key, row)
        if first is not row:
            but = "" if first.category == row.category else f", under {row.category} instead of {first.category}"
            yield f"{row.source}: the same as {first.source}{but}: {row.message[:80]}"


def evaluation_lines(folder: Path) -> Iterator[str]:
    """Every line of the evaluation sets, one after the other."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix in {".log", ".jsonl", ""} and path.name != "LICENSE":
            with path.open(encoding="utf-8", errors="replace") as file:
                yield from file


def leak_errors(rows: list[Line], evaluation: Iterable[str]) -> Iterator[str]:
    """Rows that share a run of words with the evaluation sets."""
    ours: dict[tuple[str, ...], list[Line]] = {}
    for row in rows:
        for run in runs(row.message):
            ours.setdefault(run, []).append(row)
    told: set[str] = set()
    for line in evaluation:
        for run in runs(line):
            for row in ours.get(run, ()):
                if row.source not in told:
                    told.add(row.source)
                    yield f"{row.source}: evaluation text ({' '.join(run)})"


def drop(folder: Path, sources: set[str]) -> None:
    """Takes the rows named in `sources` (file:line) out of their files."""
    for path in sorted(folder.glob("*.tsv")):
        texts = path.read_text(encoding="utf-8").split("\n")
        kept = [t for n, t in enumerate(texts, 1) if f"{path.name}:{n}" not in sources]
        if len(kept) < len(texts):
            path.write_text("\n".join(kept), encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=HERE / "data")
    parser.add_argument("--evaluation", type=Path, default=ROOT.parent / "shared" / "eval")
    parser.add_argument("--drop", action="store_true", help="take the rows in error out of their files")
    args = parser.parse_args()
    rows = read(args.data)
    errors = [*format_errors(rows, set(categories(ROOT / "rules" / "general.yaml"))), *repeat_errors(rows)]
    skipped = ""
    if args.evaluation.is_dir():
        errors += leak_errors(rows, evaluation_lines(args.evaluation))
    else:
        skipped = f"; SKIPPED: no evaluation sets at {args.evaluation}"
    for error in sorted(errors):
        print(error)
    if args.drop:
        drop(args.data, {":".join(error.split(":", 2)[:2]) for error in errors})
    programs = len({r.program for r in rows})
    print(f"model/data: {len(rows)} lines of {programs} programs, {len(errors)} errors{skipped}")
    sys.exit(1 if errors else 0)


if __name__ == "__main__":
    main()
