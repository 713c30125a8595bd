"""Whether a commit changed what a training computes: a digest of one seeded training for each.

`measure.seeded_digest` trains, in the environment and folder of a commit. Timing plays no part.
"""

import json
import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from nnbench.errors import UserError
from nnbench.history.readers.runs import NUMERICS_FILE, digests_of
from nnbench.history.record import Part
from nnbench.machine import devices
from nnbench.measure.run import Progress, Side, Watcher
from nnbench.workload.case import Case
from nnbench.workload.datasets import Dataset

WORKER = "nnbench.measure.seeded_digest"
LIMIT_S = 600.0


def record(
    part: Part,
    folder: Path,
    cases: Sequence[Case],
    data: Dataset,
    checked_out: Mapping[str, Side],
    watch: Watcher,
) -> None:
    """Add the digests that a recorded part misses. Raises UserError if a training fails."""
    have, _ = digests_of(folder)
    missing = [
        (commit, mine)
        for commit in part.commits.values()
        for worker in dict.fromkeys(case.worker for case in cases)
        for mine in [[case for case in cases if case.worker == worker]]
        if any((commit, case.key) not in have for case in mine)
    ]
    with (
        tempfile.TemporaryDirectory() as scratch,
        ThreadPoolExecutor(devices.usable_cpus()) as pool,
    ):
        arrays = Path(scratch) / "data.npz"
        np.savez(arrays, features=data.features, labels=data.labels)
        answers = pool.map(lambda one: _digests(one[1], arrays, checked_out[one[0]]), missing)
        for done, ((commit, mine), found) in enumerate(zip(missing, answers, strict=True)):
            watch(Progress(done + 1, len(missing), "numbers"))
            with (folder / NUMERICS_FILE).open("a") as file:
                for case, one in zip(mine, found, strict=True):
                    file.write(json.dumps({"commit": commit, "case": case.key, **one}) + "\n")


def _digests(cases: Sequence[Case], arrays: Path, side: Side) -> list[dict[str, Any]]:
    """What each case computes there; empty digests where that nnbench is older than this study."""
    configuration = {"cases": [case.to_json() for case in cases], "data": str(arrays)}
    try:
        answer = subprocess.run(
            [side.python, "-m", WORKER, json.dumps(configuration)],
            cwd=side.folder,
            env={**os.environ, **devices.environment(*cases[0].worker)},
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise UserError(
            f"{side.folder}: the seeded training took more than {LIMIT_S:.0f} s: --no-numbers"
        ) from None
    if answer.returncode == 0:
        found: list[dict[str, Any]] = json.loads(answer.stdout.strip().splitlines()[-1])
        return found
    reason = "".join(answer.stderr.strip().splitlines()[-1:])
    if "No module named" in reason and WORKER in reason:
        return [{"digest": ""} for _ in cases]
    raise UserError(f"{side.folder}: the seeded training failed: {reason}")
