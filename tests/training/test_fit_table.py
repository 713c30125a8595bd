"""The table of what `fast_fit` does the same as `Model.fit`, as it stands in the documentation.

`NNBENCH_REWRITE_TABLE=1 pytest tests/training/test_fit_table.py` writes it. Without, rows
take turns on the backends: all of them take minutes.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from nnbench.machine import devices
from nnbench.machine.devices import BACKENDS

ROOT = Path(__file__).parents[2]
SCRIPT = Path(__file__).with_name("fit_table.py")
TABLE = ROOT / "docs" / "fast-fit-table.md"
HEAD = """# What `fast_fit` does as `Model.fit` does

Found by `tests/training/fit_table.py`, which trains each row with both from equal weights and
compares histories, weights and counts. Do not edit: `NNBENCH_REWRITE_TABLE=1 pytest
tests/training/test_fit_table.py` writes it anew.

- *same*: equal histories and weights.
- *same, in a bare loop* (Torch): the step is not recorded but taken in Python, with a warning.
- *refused*: one sentence says why; with `otherwise="fit"` it is trained with `model.fit`.
- *neither*: `fit` fails on it too; here one sentence says why.

"""
Rows = dict[tuple[str, str], dict[str, tuple[str, str]]]


def markdown(rows: Rows) -> str:
    """The rows by section, then each reason once."""
    lines: list[str] = []
    reasons: dict[str, int] = {}
    sections = list(dict.fromkeys(section for section, _ in rows))
    for (section, name), found in sorted(rows.items(), key=lambda row: sections.index(row[0][0])):
        if f"## {section}" not in lines:
            lines += ["", f"## {section}", "", f"| | {' | '.join(BACKENDS)} |"]
            lines += ["| --- |" + " --- |" * len(BACKENDS)]
        cells = []
        for backend in BACKENDS:
            outcome, reason = found.get(backend, ("-", ""))
            number = reasons.setdefault(reason, len(reasons) + 1) if reason else 0
            cells.append(f"{outcome} ({number})" if number else outcome)
        lines.append(f"| {name} | {' | '.join(cells)} |")
    told = [f"{number}. {reason.replace('|', '/')}" for reason, number in reasons.items()]
    return HEAD + "\n".join(lines).lstrip("\n") + "\n\n## Reasons\n\n" + "\n".join(told) + "\n"


def cells(text: str) -> Rows:
    """The rows as they stand in the documentation."""
    table, _, told = text.partition("## Reasons")
    numbered = re.findall(r"^(\d+)\. (.*)$", told, re.MULTILINE)
    reasons = {f"({number})": reason for number, reason in numbered}
    rows: Rows = {}
    for part in table.split("\n## ")[1:]:
        section, *lines = part.splitlines()
        for line in lines[3:]:
            if line:
                name, *shown = line.strip("| ").split(" | ")
                split = (re.fullmatch(r"(.*?)(?: (\(\d+\)))?", one) for one in shown)
                found = [(one[1], reasons.get(one[2], "")) for one in split if one is not None]
                rows[section, name] = dict(zip(BACKENDS, found, strict=True))
    return rows


def part(place: int, rows: int) -> range:
    """The rows that the backend at this place tries, of so many."""
    # TensorFlow's fit traces each of them for seconds: it has a third of its share.
    share = len(BACKENDS) * (3 if BACKENDS[place] == "tensorflow" else 1)
    return range(place, rows, share)


def found(*, whole: bool) -> Rows:
    """What every backend found, in processes of their own that run side by side."""
    processes = {}
    for place, backend in enumerate(BACKENDS):
        settings = {**os.environ, **devices.environment(backend, "cpu", 1)}
        some = part(place, len(BACKENDS) * 9)
        which = ["0", "1"] if whole else [str(some.start), str(some.step)]
        command = [sys.executable, str(SCRIPT), backend, *which]
        pipe, none = subprocess.PIPE, subprocess.DEVNULL
        processes[backend] = subprocess.Popen(
            command, env=settings, stdout=pipe, stderr=none, text=True
        )
    rows: Rows = {}
    for backend, process in processes.items():
        output, _ = process.communicate()
        assert process.returncode == 0, f"{backend}: {output[-2000:]}"
        for line in output.splitlines():
            section, name, outcome, reason = json.loads(line)
            rows.setdefault((section, name), {})[backend] = outcome, reason
    return rows


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_the_table_in_the_documentation_is_what_is_found() -> None:
    if not all(map(devices.is_installed, BACKENDS)):
        pytest.skip("needs all backends")
    whole = "NNBENCH_REWRITE_TABLE" in os.environ
    rows = found(whole=whole)
    different = [(key, row) for key, row in rows.items() if "DIFFERENT" in str(row)]
    assert not different, different
    if whole:
        TABLE.write_text(markdown(rows))
    known = cells(TABLE.read_text())
    assert len(known) > 90
    tried = sum(len(part(place, len(known))) for place in range(len(BACKENDS)))
    assert whole or sum(map(len, rows.values())) >= tried - len(BACKENDS)
    for key, row in rows.items():
        for backend, (outcome, reason) in row.items():
            assert known[key][backend] == (outcome, reason.replace("|", "/")), (key, backend)
