"""Measuring commits in turn: each round starts a worker of every commit and mixes their trials.

What differs from one occasion of measuring to the next is far larger than what commits do; in
turn, it hits all of them alike. Where there are more commits than workers fit side by side, each
round draws anew who is measured together, so that every commit meets many others.
"""

import hashlib
import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from nnbench.errors import UserError
from nnbench.history import seeded_digests
from nnbench.history.commits import Commit
from nnbench.machine import fingerprint
from nnbench.measure import environments
from nnbench.measure import run as measuring
from nnbench.measure.protocol import Environment
from nnbench.store import runs
from nnbench.workload.case import Case
from nnbench.workload.datasets import Dataset

MOST_TOGETHER = 12
WORKER_BYTES = 1 << 30
"""What a worker with its framework may need."""


@dataclass(frozen=True)
class Part:
    """One run of a recording: its name, what it consists of, and its commits by side.

    `round` counts the rounds in which every commit is measured anew, from 0.
    """

    name: str
    round: int
    wanted: dict[str, Any]
    commits: dict[str, str]


def together_at_most() -> int:
    """Workers that fit side by side into the memory that is free."""
    fit = psutil.virtual_memory().available // WORKER_BYTES
    return int(max(2, min(MOST_TOGETHER, fit)))


def plan(
    commits: Sequence[Commit],
    specify: Callable[[list[str], int], dict[str, Any]],
    *,
    launches: int,
    together: int,
    seed: int = 0,
) -> list[Part]:
    """The runs that measure every commit in `launches` rounds, at most `together` at once.

    `specify` makes the specification of a run from its sides and its number of rounds. Raises
    UserError for fewer than two commits.
    """
    if len(commits) < 2:
        raise UserError("at least two commits are needed to be measured in turn: name a range")
    if together < 2:
        raise UserError("commits are measured in turn: at least two together")
    if len(commits) <= together:
        return [_part(list(commits), specify, launches, 0, "")]
    parts = []
    count = -(-len(commits) // together)
    for number in range(launches):
        order = list(commits)
        random.Random(f"{seed}/{number}").shuffle(order)
        for chunk in range(count):
            chosen = set(order[chunk::count])
            mine = [commit for commit in commits if commit in chosen]
            parts.append(_part(mine, specify, 1, number, f"-{number:02d}-{chunk}"))
    return parts


def _part(
    commits: list[Commit],
    specify: Callable[[list[str], int], dict[str, Any]],
    rounds: int,
    number: int,
    suffix: str,
) -> Part:
    named = {commit.short: commit.name for commit in commits}
    wanted = {**specify(list(named), rounds), "commits": named}
    digest = hashlib.sha256(json.dumps(wanted, sort_keys=True).encode()).hexdigest()[:8]
    return Part(f"commits-{digest}{suffix}", number, wanted, named)


def check_out(commits: Sequence[Commit]) -> dict[str, Environment]:
    """A worktree and an environment for each commit, by its full hash.

    Raises UserError where one cannot be made or is unlike the others in versions.
    """
    places: dict[str, Environment] = {}
    first: dict[str, Any] | None = None
    for commit in commits:
        operand = environments.resolve(commit.name)
        place = operand.side or Environment()
        places[commit.name] = place
        found = environments.fingerprint_of(operand)
        found["versions"].pop("nnbench-arch", None)
        differing = fingerprint.unlike(first, found) if first else []
        if differing:
            raise UserError(
                f"{commit.short} is unlike {commits[0].short} ({'; '.join(differing)}): "
                "record it apart from the others"
            )
        first = first or found
    return places


def folder_of(parent: Path, part: Part) -> Path:
    """The folder of a part, made if it is not there. Raises UserError if another host made it."""
    folder = parent / part.name
    here = fingerprint.take()
    if not folder.exists():
        # The commit is that of each side: what is checked out here is not measured.
        return runs.create(parent, part.name, part.wanted, {**here, "commit": None})
    saved = runs.read(folder)
    unlike = fingerprint.unlike(saved.fingerprint, here)
    if unlike or saved.specification != part.wanted:
        reason = "; ".join(unlike) or "another specification"
        raise UserError(f"{folder} was measured elsewhere ({reason}): use another --results")
    return folder


def measure(
    part: Part,
    folder: Path,
    data: Dataset,
    places: dict[str, Environment],
    watch: measuring.Watcher,
) -> runs.Run:
    """Measure what is missing of a part."""
    by_side = {side: places[name] for side, name in part.commits.items()}
    return measuring.execute(folder, data, watch, by_side)


def digests(
    part: Part,
    folder: Path,
    cases: Sequence[Case],
    data: Dataset,
    places: dict[str, Environment],
    watch: measuring.Watcher,
) -> None:
    """Record what each commit computes, beside what it takes."""
    by_side = {side: (name, places[name]) for side, name in part.commits.items()}
    seeded_digests.record(folder, cases, data, by_side, watch)
