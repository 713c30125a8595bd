"""Measuring commits in turn: each round starts a worker of every commit and mixes their trials.

What differs from one occasion of measuring to the next is far larger than what commits do; in
turn, it hits all of them alike. Where there are more commits than workers fit side by side, each
round draws anew who is measured together, so that every commit meets many others. Whether a commit
changed results is told by a digest of one seeded training of each, in which timing plays no part.
"""

import hashlib
import itertools
import json
import math
import random
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil

from nnbench.errors import UserError
from nnbench.history.commits import Commit
from nnbench.history.readers.runs import NUMERICS_FILE, digests_of
from nnbench.machine import child, fingerprint
from nnbench.machine.devices import usable_cpus
from nnbench.measure import environments, seeded_digest
from nnbench.measure import run as measuring
from nnbench.measure.process import data_file
from nnbench.measure.protocol import Environment
from nnbench.store import folder as folders
from nnbench.store import runs
from nnbench.workload.case import Case
from nnbench.workload.datasets import Dataset
from nnbench.workload.study import Study

MOST_TOGETHER = 12
WORKER_BYTES = 1 << 30


@dataclass(frozen=True)
class Part:
    """One run of a recording; `round` counts, from 0, how often all were measured before."""

    name: str
    round: int
    wanted: dict[str, Any]
    commits: dict[str, str]

    def environments(self, checked_out: Mapping[str, Environment]) -> dict[str, Environment]:
        """Where each of its commits is measured, of those that are checked out."""
        return {short: checked_out[name] for short, name in self.commits.items()}

    def folder(self, parent: Path) -> Path:
        """Its folder, made if it is not there. Raises UserError if another host made it."""
        folder = parent / self.name
        here = fingerprint.take()
        if not folder.exists():
            # The commit is that of each environment: what is checked out here is not measured.
            return runs.create(parent, self.name, self.wanted, {**here, "commit": None})
        saved = runs.read(folder)
        unlike = fingerprint.unlike(saved.fingerprint, here)
        if unlike or not folders.same(saved.specification, self.wanted):
            reason = "; ".join(unlike) or "another specification"
            raise UserError(f"{folder} was measured elsewhere ({reason}): use another --results")
        return folder


def plan(
    commits: Sequence[Commit],
    study: Study,
    cases: Sequence[Case],
    *,
    together: int | None = None,
    **trials: Any,
) -> list[Part]:
    """The runs that measure every commit, at most `together` (or what memory allows) at once.

    `trials` are `kinds` and `sweeps` of `measure.run.specification`. Raises UserError for fewer
    than two commits, and for a precision or budget of more commits than go together.
    """
    fit = int(psutil.virtual_memory().available // WORKER_BYTES)
    together = max(2, min(MOST_TOGETHER, fit)) if together is None else together
    if len(commits) < 2:
        raise UserError("at least two commits are needed to be measured in turn: name a range")
    if together < 2:
        raise UserError("commits are measured in turn: at least two together")

    def part(mine: Sequence[Commit], asked: Study, number: int = 0, suffix: str = "") -> Part:
        named = {commit.short: commit.name for commit in mine}
        wanted = measuring.specification(asked, cases, sides=list(named), **trials)
        wanted = {**wanted, "commits": named}
        decides = json.dumps(folders.deciding(wanted), sort_keys=True)
        digest = hashlib.sha256(decides.encode()).hexdigest()[:8]
        return Part(f"commits-{digest}{suffix}", number, wanted, named)

    if len(commits) <= together:
        return [part(commits, study)]
    effort = study.effort
    if effort.precision or effort.budget:
        raise UserError(
            f"{len(commits)} commits are measured in parts of {together}, which no precision and "
            "no budget is shared by: say --launches, or --together more"
        )
    one_round = replace(study, effort=replace(effort, launches=1))
    parts = []
    count = math.ceil(len(commits) / together)
    for number in range(effort.launch_count):
        order = list(range(len(commits)))
        random.Random(f"{effort.seed}/{number}").shuffle(order)
        for chunk in range(count):
            mine = [commits[place] for place in sorted(order[chunk::count])]
            parts.append(part(mine, one_round, number, f"-{number:02d}-{chunk}"))
    return parts


def check_out(commits: Sequence[Commit]) -> dict[str, Environment]:
    """An environment for each commit, by full hash. Raises UserError where versions are unlike."""
    checked_out: dict[str, Environment] = {}
    first: dict[str, Any] = {}
    for commit in commits:
        operand = environments.resolve(commit.name)
        checked_out[commit.name] = operand.side or Environment()
        found = environments.fingerprint_of(operand)
        found["versions"].pop("nnbench-arch", None)
        first = first or found
        if differing := fingerprint.unlike(first, found):
            raise UserError(
                f"{commit.short} is unlike {commits[0].short} ({'; '.join(differing)}): "
                "record it apart from the others"
            )
    return checked_out


@contextmanager
def _ended_with(pool: ThreadPoolExecutor) -> Iterator[None]:
    """Where something ends the command, its threads wait for no training."""
    try:
        yield
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        child.end_all()
        raise


def add_digests(
    part: Part,
    folder: Path,
    cases: Sequence[Case],
    data: Dataset,
    checked_out: Mapping[str, Environment],
    watch: measuring.Watcher,
) -> None:
    """Add the digests that a recorded part misses. Raises UserError if a training fails.

    Commits at which nothing was measured have none.
    """
    have, _ = digests_of(folder)
    without = {one.side for one in measuring.failures(runs.read(folder)) if one.is_whole}
    workers = dict.fromkeys(case.worker for case in cases)
    shares = [[case for case in cases if case.worker == worker] for worker in workers]
    missing = [
        (commit, mine)
        for (short, commit), mine in itertools.product(part.commits.items(), shares)
        if short not in without and any((commit, case.key) not in have for case in mine)
    ]
    with data_file(data) as arrays, ThreadPoolExecutor(usable_cpus()) as pool, _ended_with(pool):

        def digests(number: int) -> list[dict[str, Any]]:
            commit, mine = missing[number]
            log = arrays.path.with_name(f"{number}.log")
            return seeded_digest.digests(mine, arrays, checked_out[commit], log)

        if missing:
            watch(measuring.Progress(0, len(missing), "each commit trains once more, for numbers"))
        answers = pool.map(digests, range(len(missing)))
        for done, ((commit, mine), found) in enumerate(zip(missing, answers, strict=True)):
            watch(measuring.Progress(done + 1, len(missing), "numbers"))
            with (folder / NUMERICS_FILE).open("a") as file:
                for case, one in zip(mine, found, strict=True):
                    file.write(json.dumps({"commit": commit, "case": case.key, **one}) + "\n")
