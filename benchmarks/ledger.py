"""Result files of the accuracy ledger, which `docs/ledger.py` makes a page of.

A benchmark that is given `--ledger` keeps what it found in `docs/ledger/NAME.json`: the question,
one sentence that answers it, its tables, the command, the day, the machine and the versions.
"""

import json
import shlex
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from nnbench.machine import fingerprint, whole_file

FOLDER = Path(__file__).parents[1] / "docs" / "ledger"

CALIBRATION = "python benchmarks/calibration"
MAKERS = {
    "simulated": f"{CALIBRATION}/simulated.py --ledger",
    "looks": f"{CALIBRATION}/looks.py --ledger",
    "check": f"{CALIBRATION}/check.py results/quiet results/tenants --ledger",
    "verdict": f"{CALIBRATION}/judge.py results/identical results/planted --ledger",
    "commits": f"{CALIBRATION}/history/calibrate.py --ledger",
    "predictions": f"{CALIBRATION}/predictions.py --ledger",
    "tune": "python -m benchmarks.tune models --ledger",
    "counts": "python benchmarks/counts/applications.py --ledger",
    "read": "python benchmarks/history/read_large.py --ledger",
    "report": "python benchmarks/report/read_large.py --ledger",
    "start": "python benchmarks/start.py --ledger",
}
"""What writes the result files, in the order of the page; it names those that there are none of."""


def keep(
    name: str,
    question: str,
    answer: str,
    tables: Sequence[Table | dict[str, object]],
    notes: Sequence[str] = (),
    command: str | None = None,
) -> Path:
    """Write the result file of one benchmark; returns its path.

    A table is Rich's, or a title, columns and rows of text. `command` is the one that is running,
    where it is not told. Raises ValueError for a name that is not among `MAKERS`.
    """
    if name not in MAKERS:
        raise ValueError(f"{name} is not among MAKERS")
    taken = fingerprint.take()
    told = {
        "question": question,
        "answer": answer,
        "notes": list(notes),
        "tables": [table if isinstance(table, dict) else _plain(table) for table in tables],
        "command": command or _this_command(),
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{taken['cpu']}, {taken['cpus']} CPUs",
        "versions": taken["versions"],
    }
    path = FOLDER / f"{name}.json"
    whole_file.write(path, json.dumps(told, indent=1, ensure_ascii=False) + "\n")
    return path


def cell(table: Table, row: str, column: str) -> str:
    """The text in the row that begins with `row`, in the first column whose name begins so.

    Raises KeyError for an unknown row, ValueError for an unknown column.
    """
    plain = _plain(table)
    position = [name.startswith(column) for name in plain["columns"]].index(True)
    return str({cells[0]: cells for cells in plain["rows"]}[row][position])


def _plain(table: Table) -> dict[str, Any]:
    """A table's title, columns and rows as text."""
    cells = [[_text(cell) for cell in column.cells] for column in table.columns]
    return {
        "title": _text(table.title),
        "columns": [_text(column.header) for column in table.columns],
        "rows": [list(row) for row in zip(*cells, strict=True)],
    }


def _text(cell: object) -> str:
    """What Rich would print, without its markup, in one line."""
    if isinstance(cell, Text):
        return cell.plain
    return " ".join(Text.from_markup(str(cell or "")).plain.split())


def _this_command() -> str:
    """What was typed, from the folder of the repository."""
    root = str(FOLDER.parents[1])
    script, *rest = sys.argv
    named = script.removeprefix(f"{root}/")
    if named.endswith("__main__.py"):
        named = "-m " + str(Path(named).parent).replace("/", ".")
    return shlex.join(["python", *named.split(" "), *rest])
