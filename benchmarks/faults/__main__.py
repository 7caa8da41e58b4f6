"""Does it keep working? Each row starts a service of its own and does to it what its name says.

    python -m benchmarks.faults [ROW …] [--short]

Prints what was measured beside what must hold, a line of JSON at the end, and exits with 1 if a
bound does not hold. The service runs on the first core and the requests come from the second,
where there are two. `tests/benchmarks/test_faults.py` runs the rows in short, for the bounds that
are counts.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Coroutine
from dataclasses import asdict
from pathlib import Path
from typing import Any

import uvloop

from benchmarks.faults.change import killing, reloads, rolling, stopping
from benchmarks.faults.hostile import bombs, leaving, overload, scanner, slow_clients
from benchmarks.faults.service import Bounds
from benchmarks.machine import machine

Row = Callable[[Path, bool], Coroutine[Any, Any, Bounds]]
ROWS: dict[str, Row] = {
    row.__name__: row
    for row in (
        overload,
        leaving,
        slow_clients,
        reloads,
        stopping,
        killing,
        rolling,
        bombs,
        scanner,
    )
}


def run(row: Row, short: bool) -> Bounds:
    """One row, in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        return uvloop.run(row(Path(folder), short))


def main() -> None:
    """All rows, or those that are named."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("rows", nargs="*", choices=[[], *ROWS], default=[])
    parser.add_argument("--short", action="store_true")
    arguments = parser.parse_args()
    report = []
    for name in arguments.rows or ROWS:
        print(f"{name}: {(ROWS[name].__doc__ or '').strip()}", flush=True)
        for bound in run(ROWS[name], arguments.short):
            print(f"  {'holds' if bound.holds else 'FAILS'}  {bound.asked}: {bound.measured}")
            report.append({"row": name, **asdict(bound)})
    print(json.dumps({"benchmark": "faults", "machine": machine(), "bounds": report}))
    sys.exit(any(not bound["holds"] for bound in report))


if __name__ == "__main__":
    main()
