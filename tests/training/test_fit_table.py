"""The table of what `fast_fit` does the same as `Model.fit`, as it stands in the documentation.

`NNBENCH_REWRITE_TABLE=1 pytest tests/training/test_fit_table.py` writes it.
"""

import json
import os
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


def found() -> Rows:
    """What every backend found, in processes of their own that run side by side."""
    processes = {}
    for backend in BACKENDS:
        settings = {**os.environ, **devices.environment(backend, "cpu", 1)}
        command = [sys.executable, str(SCRIPT), backend]
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
    rows = found()
    different = [(key, row) for key, row in rows.items() if "DIFFERENT" in str(row)]
    assert not different, different
    text = markdown(rows)
    if "NNBENCH_REWRITE_TABLE" in os.environ:
        TABLE.write_text(text)
    assert TABLE.read_text() == text
