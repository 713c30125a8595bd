"""Whether a commit changed what a training computes: a digest of one seeded training for each.

`measure.seeded_digest` trains, in the environment and folder of a commit. Timing plays no part.
"""

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from nnbench.history.readers.runs import NUMERICS_FILE, digests_of
from nnbench.history.record import Part
from nnbench.machine.devices import usable_cpus
from nnbench.measure import seeded_digest
from nnbench.measure.process import data_file
from nnbench.measure.protocol import Environment
from nnbench.measure.run import Progress, Watcher
from nnbench.workload.case import Case
from nnbench.workload.datasets import Dataset


def record(
    part: Part,
    folder: Path,
    cases: Sequence[Case],
    data: Dataset,
    checked_out: Mapping[str, Environment],
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
    with data_file(data) as arrays, ThreadPoolExecutor(usable_cpus()) as pool:

        def digests(number: int) -> list[dict[str, Any]]:
            commit, mine = missing[number]
            log = arrays.path.with_name(f"{number}.log")
            return seeded_digest.digests(mine, arrays, checked_out[commit], log)

        answers = pool.map(digests, range(len(missing)))
        for done, ((commit, mine), found) in enumerate(zip(missing, answers, strict=True)):
            watch(Progress(done + 1, len(missing), "numbers"))
            with (folder / NUMERICS_FILE).open("a") as file:
                for case, one in zip(mine, found, strict=True):
                    file.write(json.dumps({"commit": commit, "case": case.key, **one}) + "\n")
