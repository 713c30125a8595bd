"""Measuring commits in turn: each round starts a worker of every commit and mixes their trials.

What differs from one occasion of measuring to the next is far larger than what commits do; in
turn, it hits all of them alike. Where there are more commits than workers fit side by side, each
round draws anew who is measured together, so that every commit meets many others.
"""

import hashlib
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil

from nnbench.errors import UserError
from nnbench.history.commits import Commit
from nnbench.machine import fingerprint
from nnbench.measure import environments
from nnbench.measure import run as measuring
from nnbench.measure.protocol import Environment
from nnbench.store import runs
from nnbench.workload.case import Case
from nnbench.workload.study import Study

MOST_TOGETHER = 12
WORKER_BYTES = 1 << 30
"""What a worker with its framework may need."""


@dataclass(frozen=True)
class Part:
    """One run of a recording: its name, what it consists of, and its commits by short name.

    `round` counts the rounds in which every commit is measured anew, from 0.
    """

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
        if unlike or saved.specification != self.wanted:
            reason = "; ".join(unlike) or "another specification"
            raise UserError(f"{folder} was measured elsewhere ({reason}): use another --results")
        return folder


def together_at_most() -> int:
    """Workers that fit side by side into the memory that is free."""
    fit = psutil.virtual_memory().available // WORKER_BYTES
    return int(max(2, min(MOST_TOGETHER, fit)))


def plan(
    commits: Sequence[Commit],
    study: Study,
    cases: Sequence[Case],
    *,
    together: int | None = None,
    **trials: Any,
) -> list[Part]:
    """The runs that measure every commit in the study's launches, at most `together` at once.

    `trials` are the `kinds` and `sweeps` of `measure.run.specification`. Raises UserError for
    fewer than two commits, and for a precision or budget of more commits than go together.
    """
    together = together or together_at_most()
    if len(commits) < 2:
        raise UserError("at least two commits are needed to be measured in turn: name a range")
    if together < 2:
        raise UserError("commits are measured in turn: at least two together")

    def part(mine: Sequence[Commit], asked: Study, number: int = 0, suffix: str = "") -> Part:
        named = {commit.short: commit.name for commit in mine}
        wanted = measuring.specification(asked, cases, sides=list(named), **trials)
        wanted = {**wanted, "commits": named}
        digest = hashlib.sha256(json.dumps(wanted, sort_keys=True).encode()).hexdigest()[:8]
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
    count = -(-len(commits) // together)
    for number in range(effort.launches):
        order = list(commits)
        random.Random(f"{effort.seed}/{number}").shuffle(order)
        for chunk in range(count):
            chosen = set(order[chunk::count])
            mine = [commit for commit in commits if commit in chosen]
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
