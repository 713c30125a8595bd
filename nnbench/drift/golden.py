"""A guard for projects: a training recorded once, and held against what the code does now.

    <golden>/golden.json       what was trained, with which seed and bounds, and the fingerprint
    <golden>/trajectory.npz    weights by epoch, losses, predictions, layers' outputs

Both are read without running anything: JSON and plain arrays, no pickles.

What is tolerated follows from where the check runs. On the same CPU, devices, versions and
settings a training must be equal in every bit. Across them it must lie within the bounds that
were stated when it was recorded. A changed model, changed data or another commit excuse nothing:
they are what is guarded.
"""

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nnbench.drift import diagnosis, metrics, policies, trajectory, worker
from nnbench.drift.diagnosis import Difference
from nnbench.drift.matrix import ulps
from nnbench.drift.trajectory import Trajectory
from nnbench.errors import UserError
from nnbench.machine import fingerprint
from nnbench.measure.process import WorkerLostError, data_file
from nnbench.workload import user_code
from nnbench.workload.case import Case
from nnbench.workload.datasets import Dataset

SCHEMA = 1
DESCRIPTION = "golden.json"
ARRAYS = "trajectory.npz"

RELATIVE = 1e-4
"""Relative L2 distance of final weights that is tolerated across versions unless stated."""

LIMIT_S = 600.0
MATTERS = ("cpu", "cpus", "gpus", "settings", "versions")


@dataclass(frozen=True)
class Bounds:
    """What is tolerated across fingerprints: relative L2 of final weights, and ULPs if stated."""

    relative: float = RELATIVE
    ulp: float | None = None

    def holds(self, difference: Difference) -> bool:
        """Whether a difference lies within."""
        far = difference.drift
        within = far.comparable and far.relative_l2 <= self.relative
        return within and (self.ulp is None or far.max_ulp <= self.ulp)

    @property
    def text(self) -> str:
        """In words."""
        also = "" if self.ulp is None else f" and {ulps(self.ulp)}"
        return f"within {self.relative:.1e} relative{also}"


@dataclass(frozen=True)
class Golden:
    """A recorded training as read from its folder."""

    folder: Path
    created: str
    case: Case
    policy: str
    seed: int
    bounds: Bounds
    fingerprint: dict[str, Any]
    code: dict[str, str | None]
    trajectory: Trajectory


@dataclass(frozen=True)
class Verdict:
    """What a check found: `exact` tells that equality in every bit was required.

    `elsewhere` are the differences of the fingerprint that matter, `changed` those of what is
    guarded: commit, model and data.
    """

    passed: bool
    exact: bool
    difference: Difference
    elsewhere: tuple[str, ...]
    changed: tuple[str, ...]
    required: str
    layers: tuple[str, ...]

    @property
    def lines(self) -> list[str]:
        """The account for a person, a line each."""
        head = "The training is as recorded" if self.passed else "The training has drifted"
        found = [f"{head} (required: {self.required})."]
        if self.elsewhere:
            found.append(f"Recorded elsewhere: {'; '.join(self.elsewhere)}.")
        if self.changed:
            found.append(f"Changed since: {'; '.join(self.changed)}.")
        if self.difference.sources:
            found.append(self.difference.text)
        return found + [f"  {line}" for line in self.layers if not self.passed]


def record(
    folder: Path, case: Case, data: Dataset, *, policy: str, seed: int, bounds: Bounds
) -> Golden:
    """Train in two fresh processes, and keep the training if they agree in every bit.

    Raises UserError if they do not (there is nothing to guard then), if the folder holds a record
    already, or if it cannot be written.
    """
    policies.named(policy)
    if (folder / DESCRIPTION).exists():
        raise UserError(f"{folder} holds a recorded training already: remove it to record anew")
    (first, ready), (second, _) = (_train(case, data, policy, seed) for _ in range(2))
    difference = diagnosis.explain(first, second)
    if difference.sources:
        raise UserError(
            f"under '{policy}' two trainings of {case.label} do not agree, so there is nothing to "
            f"guard: {difference.text} `nnbench drift` finds what makes them agree"
        )
    description = {
        "schema": SCHEMA,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "case": case.to_json(),
        "policy": policy,
        "seed": seed,
        "bounds": {"relative": bounds.relative, "ulp": bounds.ulp},
        "fingerprint": _here(case, ready),
        "code": _code(case),
        "weights_digest": first.final_digest,
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        trajectory.write(first, folder / ARRAYS)
        (folder / DESCRIPTION).write_text(json.dumps(description, indent=1) + "\n")
    except OSError as failure:
        raise UserError(f"{folder} cannot be written: {failure.strerror}") from failure
    return read(folder)


def read(folder: Path) -> Golden:
    """Read a recorded training. Raises UserError if it is missing or damaged."""
    path = folder / DESCRIPTION
    try:
        plain = json.loads(path.read_text())
        if plain["schema"] != SCHEMA:
            raise UserError(
                f"{path} has schema {plain['schema']}, this nnbench reads {SCHEMA}: record it again"
            )
        return Golden(
            folder=folder,
            created=str(plain["created"]),
            case=Case.from_json(plain["case"]),
            policy=policies.named(plain["policy"]).name,
            seed=int(plain["seed"]),
            bounds=Bounds(**plain["bounds"]),
            fingerprint=dict(plain["fingerprint"]),
            code=dict(plain["code"]),
            trajectory=trajectory.read(folder / ARRAYS),
        )
    except OSError as failure:
        raise UserError(
            f"{folder} holds no recorded training ({DESCRIPTION}): nnbench drift record makes one"
        ) from failure
    except (ValueError, KeyError, TypeError) as failure:
        raise UserError(f"{path} is damaged ({failure!r}): record it again") from failure


def check(golden: Golden, data: Dataset, bounds: Bounds | None = None) -> Verdict:
    """Train again in a fresh process and hold it against the record; `bounds` replace its own.

    Raises UserError if it cannot be trained here.
    """
    if data.digest != golden.case.data_digest:
        raise UserError(
            f"{golden.case.data} holds other data than when {golden.folder} was recorded: "
            "restore them, or record anew"
        )
    now, ready = _train(golden.case, data, golden.policy, golden.seed)
    here = _here(golden.case, ready)
    elsewhere = fingerprint.differences(_mattering(golden.fingerprint), _mattering(here))
    changed = _changed(golden, here)
    difference = diagnosis.explain(golden.trajectory, now)
    tolerated = bounds or golden.bounds
    exact = not elsewhere
    return Verdict(
        passed=not difference.sources if exact else tolerated.holds(difference),
        exact=exact,
        difference=difference,
        elsewhere=tuple(elsewhere),
        changed=tuple(changed),
        required="equal in every bit, on the same machine and versions"
        if exact
        else f"{tolerated.text}, on another machine or version",
        layers=tuple(_by_layer(golden.trajectory, now, difference)),
    )


def _train(case: Case, data: Dataset, policy: str, seed: int) -> tuple[Trajectory, dict[str, Any]]:
    """One training in a process of its own, and what that process says of itself."""
    chosen = policies.named(policy)
    with data_file(data) as arrays, tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        process = worker.start(case, chosen, arrays, folder / "worker.log")
        try:
            ready = process.wait_until_ready()
            answer = worker.train(
                process, case, chosen, seed, folder=folder, limit_s=LIMIT_S, observe_order=True
            )
        except WorkerLostError as lost:
            raise UserError(f"the training was lost: {' '.join(str(lost).split())}") from lost
        finally:
            process.stop()
        if "error" in answer:
            raise UserError(answer["error"])
        return trajectory.read(folder / answer["file"]), ready


def _here(case: Case, ready: dict[str, Any]) -> dict[str, Any]:
    """The fingerprint, with the versions of what took part only."""
    versions = {name: v for name, v in ready["versions"].items() if name != "nnbench-arch"}
    return {**fingerprint.take(), "versions": versions, "cpus": ready["cpus"]}


def _mattering(whole: dict[str, Any]) -> dict[str, Any]:
    return {name: whole.get(name) for name in MATTERS}


def _code(case: Case) -> dict[str, str | None]:
    return {case.model: user_code.digest(case.model)} if case.model else {}


def _changed(golden: Golden, here: dict[str, Any]) -> list[str]:
    found = []
    before, after = golden.fingerprint.get("commit"), here.get("commit")
    if before != after:
        found.append(f"commit {_short(before)} and {_short(after)}")
    now = _code(golden.case)
    found += [
        f"{name.rpartition(':')[0]} was edited"
        for name, digest in golden.code.items()
        if now.get(name) != digest
    ]
    return found


def _short(commit: str | None) -> str:
    if not commit:
        return "none"
    name, plus, changes = commit.partition("+")
    return f"{name[:9]}{plus}{changes}"


def _by_layer(first: Trajectory, second: Trajectory, difference: Difference) -> Sequence[str]:
    """How far each weight is apart, after the first epoch that differs and at the end."""
    far = difference.drift
    if not far.comparable or far.first_epoch is None:
        return []
    place, there = first.epochs.index(far.first_epoch), second.epochs.index(far.first_epoch)
    rows = zip(
        first.names, first.at(place), second.at(there), first.at(-1), second.at(-1), strict=True
    )
    return [
        f"{name}: {_largest(a, b)} after epoch {far.first_epoch}, {_largest(c, d)} at the end"
        for name, a, b, c, d in rows
    ]


def _largest(first: trajectory.Array, second: trajectory.Array) -> str:
    return ulps(float(metrics.ulp_distance(first, second).max(initial=0.0)))
