"""A guard for projects: a training recorded once, and compared with what the code does now.

    <golden>/golden.json       what was trained, with which seed and bounds, and the fingerprint
    <golden>/trajectory.npz    plain arrays: weights by epoch, losses, predictions, layers' outputs

On the same CPU, devices, versions and settings a training must be equal in every bit. Across them
it must lie within the bounds that were stated when it was recorded. A changed model, changed data
or another commit excuse nothing: they are what is guarded.
"""

import json
import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nnbench.drift import diagnosis, execution, metrics, policies, trajectory, words
from nnbench.drift.diagnosis import Difference
from nnbench.drift.trajectory import Trajectory
from nnbench.errors import UserError
from nnbench.machine import fingerprint, whole_file
from nnbench.machine.fields import Field
from nnbench.measure.process import WorkerLostError, data_file
from nnbench.store.folder import read_description, read_fingerprint
from nnbench.workload import user_model
from nnbench.workload.case import Case
from nnbench.workload.datasets import Dataset
from nnbench.workload.study import Data

SCHEMA, LIMIT_S = 1, 600.0
DESCRIPTION, ARRAYS = "golden.json", "trajectory.npz"
MATTERS = ("cpu", "cpus", "gpus", "settings", "versions")


@dataclass(frozen=True)
class Bounds:
    """What is tolerated across fingerprints: relative L2 of final weights, and ULPs if stated."""

    relative: float = 1e-4
    ulp: float | None = None

    def __post_init__(self) -> None:
        if not (self.relative >= 0 and (self.ulp is None or self.ulp >= 0)):
            raise UserError("bounds are of 0 or more")

    def holds(self, difference: Difference) -> bool:
        """Whether a difference lies within."""
        far = difference.drift
        within = far.comparable and far.relative_l2 <= self.relative
        return within and (self.ulp is None or far.max_ulp <= self.ulp)


@dataclass(frozen=True)
class Golden:
    """A recorded training as read from its folder; `data` is how its data set was asked for."""

    folder: Path
    case: Case
    data: Data
    policy: str
    seed: int
    bounds: Bounds
    fingerprint: dict[str, Any]
    code: dict[str, str | None]
    trajectory: Trajectory


@dataclass(frozen=True)
class Verdict:
    """What a check found: `exact` tells that equality in every bit was required, else `bounds`.

    `elsewhere` are the differences of the fingerprint that matter, `changed` those of commit and
    model. `weights` has each weight's ULPs after the first epoch that differs, and at the end.
    """

    passed: bool
    exact: bool
    bounds: Bounds
    difference: Difference
    elsewhere: list[str]
    changed: list[str]
    weights: dict[str, tuple[float, float]]


def record(
    folder: Path, case: Case, data: Data, loaded: Dataset, *, policy: str, seed: int, bounds: Bounds
) -> Golden:
    """Train in two fresh processes, and keep the training if they agree in every bit.

    Raises UserError if they do not, or if the folder holds a record or cannot be written.
    """
    if (folder / DESCRIPTION).exists():
        raise UserError(f"{folder} holds a recorded training already: remove it to record anew")
    (first, here), (second, _) = (_train(case, loaded, policy, seed) for _ in range(2))
    difference = diagnosis.explain(first, second)
    if difference.sources:
        raise UserError(
            f"under '{policy}' two trainings of {case.name} do not agree, so there is nothing to "
            f"guard: {words.difference(difference)} `nnbench drift` finds what makes them agree"
        )
    description = {
        "schema": SCHEMA,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "case": case.to_json(),
        "data": vars(data),
        "policy": policy,
        "seed": seed,
        "bounds": vars(bounds),
        "fingerprint": here,
        "code": _code(case),
        "weights_digest": metrics.digest(first.at(-1)),
    }
    trajectory.write(first, folder / ARRAYS)
    whole_file.write(folder / DESCRIPTION, json.dumps(description, indent=1) + "\n")
    # A record holds no more than what the network is; whoever asked called it so.
    return replace(read(folder), case=case)


def read(folder: Path) -> Golden:
    """Read a recorded training. Raises UserError if it is missing or damaged."""

    def described(plain: Field) -> dict[str, Any]:
        case, data = Case.of(plain["case"]), plain["data"]
        return {
            "case": case,
            # Records of earlier versions were of data that have nothing but a name.
            "data": Data(case.data) if data.value is None else data.record(Data),
            "policy": policies.named(plain["policy"].text()).name,
            "seed": plain["seed"].whole(),
            "bounds": plain["bounds"].record(Bounds),
            "fingerprint": read_fingerprint(plain["fingerprint"]),
            "code": {name: one.text("") or None for name, one in plain["code"].members().items()},
        }

    missing = f"{folder} holds no recorded training, which nnbench drift record makes"
    path, again = folder / DESCRIPTION, "record it again"
    found = read_description(path, SCHEMA, described, missing, again)
    return Golden(folder=folder, trajectory=trajectory.read(folder / ARRAYS), **found)


def check(
    golden: Golden,
    tell: Callable[[Dataset], None] = lambda data: None,
    *,
    model: str | None = None,
    data: str | None = None,
    relative: float | None = None,
    ulp: float | None = None,
) -> Verdict:
    """Train again in a fresh process and compare with the record; bounds given replace its own.

    `tell` is given the data that were read. Functions that the record names are run only if they
    are named here, too, as `model` or `data`. Raises UserError if they are not, if the data are not
    those of the record, or it cannot be trained here.
    """
    case = golden.case
    user_model.confirm(golden.folder, golden.data.data, data, "--data")
    user_model.confirm(golden.folder, case.model or f"the network {case.label}", model, "--model")
    try:
        loaded = golden.data.load(as_given=case.model is not None)
        loaded = loaded.taken_by([case.architecture])
    except UserError as mistake:
        raise UserError(f"what {golden.folder} was recorded with: {mistake}") from None
    if loaded.digest != case.data_digest:
        raise UserError(
            f"{case.data} holds other data than when {golden.folder} was recorded: "
            "restore them, or record anew"
        )
    tell(loaded)
    bounds = golden.bounds
    if relative is not None or ulp is not None:
        bounds = Bounds(bounds.relative if relative is None else relative, ulp)
    before = golden.trajectory
    now, here = _train(case, loaded, golden.policy, golden.seed)
    difference = diagnosis.explain(before, now)
    elsewhere = fingerprint.differences(golden.fingerprint, here, MATTERS)
    weights = {}
    epoch = difference.drift.first_epoch
    if difference.drift.comparable and epoch is not None:
        begun = map(diagnosis.largest_ulp, before.after(epoch), now.after(epoch))
        ended = map(diagnosis.largest_ulp, before.at(-1), now.at(-1))
        weights = dict(zip(before.names, zip(begun, ended, strict=True), strict=True))
    return Verdict(
        passed=bounds.holds(difference) if elsewhere else not difference.sources,
        exact=not elsewhere,
        bounds=bounds,
        difference=difference,
        elsewhere=elsewhere,
        changed=_changed(golden, here),
        weights=weights,
    )


def _train(case: Case, data: Dataset, policy: str, seed: int) -> tuple[Trajectory, dict[str, Any]]:
    chosen = policies.named(policy)
    request = {"code": chosen.code_for(case.backend), "seed": seed, "observe_order": True}
    with data_file(data) as arrays, tempfile.TemporaryDirectory() as folder:
        try:
            log = Path(folder, "worker.log")
            with execution.start(case, chosen, arrays, log) as worker:
                ready = worker.wait_until_ready()
                answer = worker.ask(case, LIMIT_S, kind="train", folder=folder, **request)
        except WorkerLostError as lost:
            raise UserError(f"the training was lost: {lost.reason}") from lost
        if "error" in answer:
            raise execution.mistake(answer["error"])
        versions = {name: v for name, v in ready["versions"].items() if name != "nnbench-arch"}
        here = {**fingerprint.take(), "versions": versions, "cpus": ready["cpus"]}
        return trajectory.read(Path(folder, answer["file"])), here


def _code(case: Case) -> dict[str, str | None]:
    return {case.model: user_model.parse(case.model).digest()} if case.model else {}


def _changed(golden: Golden, here: dict[str, Any]) -> list[str]:
    commits = (one.get("commit") or "none" for one in (golden.fingerprint, here))
    before, after = (re.sub(r"^(.{9})[^+]*", r"\1", commit) for commit in commits)
    found = [f"commit {before} and {after}"] if before != after else []
    now = _code(golden.case)
    edited = (name for name, digest in golden.code.items() if now.get(name) != digest)
    return found + [f"{name.rpartition(':')[0]} was edited" for name in edited]
