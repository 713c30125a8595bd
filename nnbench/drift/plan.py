"""Which trainings a drift study consists of, and which of them are held against each other.

A **reference** is trained for every backend, policy and seed, in the order given. Each condition
changes one thing of it:

- `same process`, `new process`: nothing but where it runs;
- `threads`: one thread, in a new process; held against the training in a new process;
- `data order`: both from the reference's initial weights, with shuffling, one after the other;
- `equal start`: from the reference's initial weights, so that only arithmetic is left;
- `path`, `precision`, `backend`, `device`: the same, but another path, precision, ...;
- `other side`: the same in another environment or at another commit.

Those of `ONCE_SEEDED` say nothing about seeds, and are asked under `SEEDED` policies only.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from nnbench.drift.policies import POLICIES
from nnbench.errors import UserError
from nnbench.workload import user_code
from nnbench.workload.case import Case

REFERENCE = "reference"
SAME, NEW, THREADS = "same process", "new process", "threads"
ORDER, EQUAL_START = "data order", "equal start"
PATH, PRECISION, BACKEND, DEVICE = "path", "precision", "backend", "device"
SIDE, SIDE_START = "other side", "other side, equal start"
CONDITIONS = (SAME, NEW, THREADS, ORDER, EQUAL_START, PATH, PRECISION, BACKEND, DEVICE)
ONCE_SEEDED = (PATH, PRECISION, BACKEND, DEVICE, SIDE, SIDE_START)
SEEDED = ("keras", "keras+det")

OTHER_PRECISION = {"float32": "bfloat16", "bfloat16": "float32", "float16": "float32"}
OTHER_PATH = {"fit": "compiled", "compiled": "fit"}


@dataclass(frozen=True)
class Place:
    """One process: what it is tied to, which of several like it, and on which side."""

    backend: str
    device: str
    threads: int | None
    deterministic: bool
    replica: int = 0
    side: str = ""

    @property
    def label(self) -> str:
        """In words, for progress and logs."""
        threads = f" {self.threads} thread" if self.threads == 1 else ""
        ops = " deterministic" if self.deterministic else ""
        side = f" {self.side}" if self.side else ""
        return f"{self.backend}{threads}{ops}{side} process {self.replica + 1}"


@dataclass(frozen=True)
class Planned:
    """One training. `given` is the key of the training whose start it takes.

    `fresh` tells that generators are first put back to those of a new process.
    """

    condition: str
    member: int
    policy: str
    seed: int
    case: Case
    place: Place
    given: str | None = None
    fresh: bool = True

    @property
    def key(self) -> str:
        """What it is called in the study's records."""
        return _key(self.case.backend, self.policy, self.seed, self.condition, self.member)


@dataclass(frozen=True)
class Pair:
    """Two trainings that are held against each other, under a condition's name."""

    backend: str
    policy: str
    seed: int
    condition: str
    first: str
    second: str


def _key(backend: str, policy: str, seed: int, condition: str, member: int) -> str:
    return f"{backend}|{policy}|{seed}|{condition}|{member}"


def specification(
    case: Case,
    *,
    backends: Sequence[str],
    policies: Sequence[str],
    seeds: int,
    trainings: int = 2,
    conditions: Sequence[str] = CONDITIONS,
    cpus: int,
    gpu: bool = False,
    other_side: str | None = None,
    limit_s: float = 300.0,
) -> dict[str, Any]:
    """Everything that decides which trainings a study consists of, as plain data.

    `case` is the network and its training; its backend and path are the reference's. `trainings`
    is how many are held against each other where a thing is repeated. Raises UserError for
    numbers that make no study.
    """
    if seeds < 1 or trainings < 2:
        raise UserError("a drift study needs at least 1 seed and 2 trainings to compare")
    for name in conditions:
        if name not in CONDITIONS:
            raise UserError(f"unknown condition '{name}': choose from {', '.join(CONDITIONS)}")
    for name in policies:
        if name not in POLICIES:
            raise UserError(f"unknown policy '{name}': choose from {', '.join(POLICIES)}")
    code = {"model_digest": user_code.digest(case.model)} if case.model else {}
    return {
        **code,
        "case": case.to_json(),
        "backends": list(backends),
        "policies": list(policies),
        "seeds": list(range(1, seeds + 1)),
        "trainings": trainings,
        "conditions": [name for name in CONDITIONS if name in conditions],
        "cpus": cpus,
        "gpu": gpu,
        "other_side": other_side,
        "limit_s": limit_s,
    }


def skipped(wanted: dict[str, Any]) -> list[str]:
    """What of the conditions asked for cannot be had here, one line each."""
    found = []
    if DEVICE in wanted["conditions"] and not wanted["gpu"]:
        found.append("device against device: no GPU is at hand here, so it was not run")
    if THREADS in wanted["conditions"] and wanted["cpus"] < 2:
        found.append("threads: one CPU is at hand here, so 1 against n was not run")
    if BACKEND in wanted["conditions"] and len(wanted["backends"]) < 2:
        found.append("backend against backend: one backend was asked for")
    return found


def plan(wanted: dict[str, Any]) -> list[list[Planned]]:
    """All trainings, in groups of one process, policy and seed, in an order in which they can run.

    A group is run in one go: its members share the state that a process carries on.
    """
    groups: list[list[Planned]] = []
    for backend in wanted["backends"]:
        for deterministic in (False, True):
            names = [
                name for name in wanted["policies"] if POLICIES[name].deterministic == deterministic
            ]
            for place in _places(wanted, backend, deterministic):
                for name in names:
                    for seed in wanted["seeds"]:
                        groups.append(_group(wanted, place, name, seed))
    return [group for group in groups if group]


def _places(wanted: dict[str, Any], backend: str, deterministic: bool) -> list[Place]:
    case = Case.from_json(wanted["case"])
    here = Place(backend, case.device, case.threads, deterministic)
    places = [here]
    conditions = wanted["conditions"]
    if NEW in conditions or _varies_threads(wanted):
        places += [replace(here, replica=number) for number in range(1, wanted["trainings"])]
    if _varies_threads(wanted):
        places.append(replace(here, threads=1))
    if DEVICE in conditions and wanted["gpu"]:
        places.append(replace(here, device="cpu" if case.device.startswith("gpu") else "gpu"))
    if wanted["other_side"]:
        places.append(replace(here, side=wanted["other_side"]))
    return places


def _varies_threads(wanted: dict[str, Any]) -> bool:
    threads = wanted["case"]["threads"] or wanted["cpus"]
    return THREADS in wanted["conditions"] and threads > 1


def _group(wanted: dict[str, Any], place: Place, policy: str, seed: int) -> list[Planned]:
    conditions = wanted["conditions"]
    whole = Case.from_json(wanted["case"])
    case = replace(
        whole,
        backend=place.backend,
        device=place.device,
        threads=place.threads,
        training=replace(whole.training, shuffle=False),
    )
    start = _key(place.backend, policy, seed, REFERENCE, 0)
    seeded = policy in _seeded(wanted)

    def one(condition: str, member: int = 0, **changes: Any) -> Planned:
        return Planned(
            **{
                "condition": condition,
                "member": member,
                "policy": policy,
                "seed": seed,
                "case": case,
                "place": place,
                **changes,
            }
        )

    if place.side:
        return [one(SIDE), one(SIDE_START, given=start)] if seeded else []
    if place.device != whole.device:
        return [one(DEVICE, given=start)] if seeded else []
    if place.threads == 1 and whole.threads != 1:
        return [one(THREADS)]
    if place.replica:
        return [one(NEW, place.replica)]
    group = [one(REFERENCE)]
    repeats = range(1, wanted["trainings"])
    if SAME in conditions:
        group += [one(SAME, number, fresh=False) for number in repeats]
    if EQUAL_START in conditions:
        group.append(one(EQUAL_START, given=start))
    if ORDER in conditions:
        shuffled = replace(case, training=replace(case.training, shuffle=True))
        group += [
            one(ORDER, number, given=start, case=shuffled, fresh=number == 0)
            for number in range(wanted["trainings"])
        ]
    if seeded and PATH in conditions:
        group.append(one(PATH, given=start, case=replace(case, path=OTHER_PATH[case.path])))
    if seeded and PRECISION in conditions and case.model is None:
        other = OTHER_PRECISION[case.training.precision]
        changed = replace(case, training=replace(case.training, precision=other))
        group.append(one(PRECISION, given=start, case=changed))
    first = wanted["backends"][0]
    if seeded and BACKEND in conditions and place.backend != first:
        group.append(one(BACKEND, given=_key(first, policy, seed, REFERENCE, 0)))
    return group


def _seeded(wanted: dict[str, Any]) -> list[str]:
    return [name for name in wanted["policies"] if name in SEEDED] or wanted["policies"][-1:]


def pairs(wanted: dict[str, Any]) -> list[Pair]:
    """Which trainings are held against each other; the first of a pair is the yardstick."""
    found = []
    first_backend = wanted["backends"][0]
    for planned in (one for group in plan(wanted) for one in group):
        backend, policy, seed = planned.case.backend, planned.policy, planned.seed
        yardsticks = [(planned.condition, (backend, REFERENCE, 0))]
        match planned.condition:
            case "reference":
                continue
            case "threads":
                yardsticks = [(THREADS, (backend, NEW, 1))]
            case "data order":
                if planned.member == 0:
                    continue
                yardsticks = [(ORDER, (backend, ORDER, 0))]
            case "backend":
                others = wanted["backends"][1 : wanted["backends"].index(backend)]
                yardsticks = [
                    (f"{other} / {backend}", (other, *role))
                    for other, *role in (
                        (first_backend, REFERENCE, 0),
                        *((other, BACKEND, 0) for other in others),
                    )
                ]
            case "path":
                whole = wanted["case"]["path"]
                yardsticks = [(f"{whole} / {OTHER_PATH[whole]}", (backend, REFERENCE, 0))]
            case "precision":
                whole = wanted["case"]["training"]["precision"]
                yardsticks = [(f"{whole} / {OTHER_PRECISION[whole]}", (backend, REFERENCE, 0))]
            case "device":
                yardsticks = [("cpu / gpu", (backend, REFERENCE, 0))]
            case "other side":
                yardsticks = [(str(wanted["other_side"]), (backend, REFERENCE, 0))]
            case "other side, equal start":
                label = f"{wanted['other_side']}, equal start"
                yardsticks = [(label, (backend, REFERENCE, 0))]
        found += [
            Pair(
                backend,
                policy,
                seed,
                label,
                _key(where, policy, seed, condition, member),
                planned.key,
            )
            for label, (where, condition, member) in yardsticks
        ]
    return found
