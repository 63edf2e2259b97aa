#!/usr/bin/env python3
"""`logsieve classify` with the built model for what no rule decides: how a model is scored before the agent uses it.

    LOGSIEVE=target/release/logsieve MODEL=target/model score_labels.py --agent model/as_agent.py [--arg=--no-rules]

Takes the arguments of `logsieve classify --format json` and prints the same objects; stage is "bert" where the model
decided. --no-rules lets the model judge every line. --always sets the thresholds aside.
"""
from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import judge  # noqa: E402  (the folder above must be known first)
from lines import text  # noqa: E402


def main() -> None:
    wanted = sys.argv[1:]
    own = {flag for flag in ("--no-rules", "--always") if flag in wanted}
    passed = [a for a in wanted if a not in own]
    agent = os.environ.get("LOGSIEVE", "target/release/logsieve")
    done = subprocess.run([agent, *passed], stdout=subprocess.PIPE, check=True)
    events = [json.loads(x) for x in done.stdout.decode("utf-8").splitlines()]
    open_ones = [e for e in events if e["stage"] != "rule" or "--no-rules" in own]
    texts = [text(e.get("logger") or "", e.get("level") or "", e["template"]) for e in open_ones]
    verdicts = judge.Judge(Path(os.environ.get("MODEL", "target/model"))).verdicts(texts) if texts else []
    for event, verdict in zip(open_ones, verdicts):
        kept = verdict.sure or "--always" in own
        event["category"] = verdict.category if kept else "unclassified"
        event["confidence"], event["stage"] = verdict.confidence, "bert"
        event["reason"] = f"nearest: {verdict.nearest}" if kept else verdict.doubt
    sys.stdout.write("".join(json.dumps(e) + "\n" for e in events))


if __name__ == "__main__":
    main()
