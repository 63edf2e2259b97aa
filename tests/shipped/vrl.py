"""Runs a VRL program over events: `vrl.py PROGRAM-FILE`, one JSON object a line in, one a line out, times as text.

Fields named in VRL_TIMES (by commas) come in as text and are made times first, as Vector's sources give them.
"""

import json
import os
import sys

from vrl_python import VRLRuntime


def main():
    program = open(sys.argv[1], encoding="utf-8").read()
    times = [name for name in os.environ.get("VRL_TIMES", "").split(",") if name]
    wrong = VRLRuntime.check_syntax(program)
    if wrong is not None:
        sys.exit(str(wrong))
    # Through `get`, so that the compiler knows no more of their type than it does in Vector.
    first = "".join(f'.{name} = get!({{"t": parse_timestamp!(.{name}, format: "%+")}}, ["t"])\n' for name in times)
    for line in sys.stdin:
        result = VRLRuntime.run(first + program, json.loads(line), "UTC")
        print(json.dumps(result.processed_event, default=str))


main()
