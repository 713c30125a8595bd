"""Do two sides compute the same? Digests of a seeded training of each case, kept beside the run."""

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from nnbench.errors import UserError
from nnbench.machine import child, whole_file
from nnbench.measure import seeded_digest
from nnbench.measure.process import data_file
from nnbench.measure.protocol import Environment
from nnbench.store.runs import Run
from nnbench.workload.case import Case
from nnbench.workload.datasets import Dataset

NUMBERS_FILE = "numbers.json"
UNKNOWN = {"", "various"}
"""Digests that say nothing: of an nnbench that has none, and of what no seed repeats."""


def other(run: Run, data: Dataset, sides: Mapping[str, Environment]) -> list[str] | None:
    """Networks of a run whose seeded training ends in other losses or weights on the sides.

    None where it is not known of any. Cases that were not measured on both sides are left out.
    Raises UserError where a training fails.
    """
    good = set(run.trials.values(("case", "side"), run.good_rows()))
    cases = [one for key, one in run.cases.items() if all((key, side) in good for side in sides)]
    found = _kept(run.folder) or _taken(run, cases, data, sides)
    known = [case for case in cases if not UNKNOWN & set(found.get(case.key, [""]))]
    differing = [case for case in known if len(set(found[case.key])) > 1]
    return list(dict.fromkeys(run.name(case) for case in differing)) if known else None


def _kept(folder: Path) -> dict[str, list[str]]:
    file = folder / NUMBERS_FILE
    try:
        found: dict[str, list[str]] = json.loads(file.read_text()) if file.exists() else {}
    except ValueError:
        return {}
    return found


def _taken(
    run: Run, cases: list[Case], data: Dataset, sides: Mapping[str, Environment]
) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    workers = dict.fromkeys(case.worker for case in cases)
    with data_file(data) as arrays, ThreadPoolExecutor(len(sides)) as pool:
        try:
            for worker in workers:
                mine = [case for case in cases if case.worker == worker]

                def of_side(side: str, mine: list[Case] = mine) -> list[str]:
                    log = arrays.path.with_name(f"{list(sides).index(side)}.log")
                    answers = seeded_digest.digests(mine, arrays, sides[side], log)
                    return [str(one["digest"]) for one in answers]

                for case, *each in zip(mine, *pool.map(of_side, sides), strict=True):
                    found[case.key] = each
        except BaseException as failure:
            # Threads wait for no training once something ends the command.
            if not isinstance(failure, UserError):
                pool.shutdown(wait=False, cancel_futures=True)
                child.end_all()
            raise
    whole_file.write(run.folder / NUMBERS_FILE, json.dumps(found, indent=1))
    return found
