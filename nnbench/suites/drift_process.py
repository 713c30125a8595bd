"""The drift figures of a suite's cases, measured in a process for each backend and device.

`python -m nnbench.suites.drift_process` is that process: cases in, figures out, as JSON.
"""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from nnbench.errors import UserError
from nnbench.machine import devices
from nnbench.measure.channel import open_answers
from nnbench.workload.case import Case

LIMIT_S = 900.0

EPOCHS = 30
"""Epochs after which weights are compared, so that figures mean the same over all commits."""


def figures(cases: Sequence[Case]) -> dict[str, dict[str, float]]:
    """For each case's key its `drift.figures.drift_figures`; empty where they cannot be had.

    Cases whose process fails have none: that a model cannot be trained in all the ways that drift
    compares must not cost its timings.
    """
    found: dict[str, dict[str, float]] = {}
    for worker in dict.fromkeys(case.worker for case in cases):
        mine = [case for case in cases if case.worker == worker]
        try:
            answer = subprocess.run(
                [sys.executable, "-m", "nnbench.suites.drift_process"],
                input=json.dumps([case.to_json() for case in mine]),
                env={**os.environ, **devices.environment(*worker)},
                capture_output=True,
                text=True,
                timeout=LIMIT_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            continue
        if answer.returncode == 0:
            found |= json.loads(answer.stdout.splitlines()[-1])
    return found


def _figures(case: Case) -> dict[str, float]:
    from nnbench.drift.figures import drift_figures

    try:
        return drift_figures(case, epochs=EPOCHS)
    except UserError:
        return {}


def main() -> None:
    """Answer one list of cases, which share a backend, a device and threads."""
    plain: list[dict[str, Any]] = json.load(sys.stdin)
    cases = [Case.from_json(one) for one in plain]
    answer = open_answers()
    devices.start(*cases[0].worker)
    answer({case.key: _figures(case) for case in cases})


if __name__ == "__main__":
    main()
