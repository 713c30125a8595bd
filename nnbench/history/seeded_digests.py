"""Whether a commit changed what a training computes: a digest of one seeded training for each.

`measure.seeded_digest` trains, in the environment and folder of a commit. Timing plays no part.
"""

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from nnbench.history.readers.runs import NUMERICS_FILE
from nnbench.machine.devices import usable_cpus
from nnbench.measure import seeded_digest
from nnbench.measure.process import data_file
from nnbench.measure.protocol import Environment
from nnbench.measure.run import Progress, Watcher
from nnbench.workload.case import Case
from nnbench.workload.datasets import Dataset


def record(
    folder: Path,
    cases: Sequence[Case],
    data: Dataset,
    sides: Mapping[str, tuple[str, Environment]],
    watch: Watcher,
) -> None:
    """Add the digests that are missing of a run, for each case and commit.

    `sides` maps a side to its commit's full hash and its place. Raises UserError if a training
    fails there.
    """
    path = folder / NUMERICS_FILE
    have = _known(path)
    workers = dict.fromkeys(case.worker for case in cases)
    missing = [
        (commit, side, [case for case in cases if case.worker == worker])
        for commit, side in sides.values()
        for worker in workers
        if any(case.worker == worker and (commit, case.key) not in have for case in cases)
    ]
    with data_file(data) as arrays, ThreadPoolExecutor(usable_cpus()) as pool:

        def digests(number: int) -> list[dict[str, Any]]:
            _, environment, mine = missing[number]
            log = arrays.path.with_name(f"{number}.log")
            return seeded_digest.digests(mine, arrays, environment, log)

        answers = pool.map(digests, range(len(missing)))
        for done, ((commit, _, mine), found) in enumerate(zip(missing, answers, strict=True)):
            watch(Progress(done + 1, len(missing), "numbers"))
            lines = [
                json.dumps({"commit": commit, "case": case.key, **one}) + "\n"
                for case, one in zip(mine, found, strict=True)
            ]
            with path.open("a") as file:
                file.writelines(lines)


def _known(path: Path) -> set[tuple[str, str]]:
    known = set()
    for line in path.read_text().splitlines() if path.exists() else []:
        try:
            one = json.loads(line)
            known.add((one["commit"], one["case"]))
        except (ValueError, KeyError, TypeError):
            continue
    return known
