"""Which trainings a drift study consists of, and which of them are compared with each other.

A **reference** is trained for every backend, policy and seed, in the order given. Each condition
changes one thing of it:

- `same process`, `new process`: nothing but where it runs;
- `threads`: one thread, in a new process; compared with the training in a new process;
- `data order`: both from the reference's initial weights, with shuffling, one after the other;
- `equal start`: from the reference's initial weights, so that only arithmetic is left;
- `path`, `precision`, `backend`, `device`: the same, but another path, precision, ...;
- `other side`: the same in another environment or at another commit.

Those from `path` on say nothing about seeds, and are asked under `SEEDED` policies only.
"""

from collections.abc import Iterable, Sequence
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
OTHER, OTHER_START = "other side", "other side, equal start"
CONDITIONS = (SAME, NEW, THREADS, ORDER, EQUAL_START, PATH, PRECISION, BACKEND, DEVICE)
SEEDED = ("keras", "keras+det")

OTHER_PRECISION = {"float32": "bfloat16", "bfloat16": "float32", "float16": "float32"}
OTHER_PATH = {"fit": "compiled", "compiled": "fit"}


@dataclass(frozen=True)
class Process:
    """One process: what it is tied to, which of several like it, and in which environment."""

    backend: str
    device: str
    threads: int | None
    deterministic: bool
    replica: int = 0
    environment: str = ""

    @property
    def label(self) -> str:
        """In words, for progress and logs."""
        threads = f" {self.threads} thread" if self.threads == 1 else ""
        ops = " deterministic" if self.deterministic else ""
        environment = f" {self.environment}" if self.environment else ""
        return f"{self.backend}{threads}{ops}{environment} process {self.replica + 1}"


@dataclass(frozen=True)
class Planned:
    """One training. `given` is the key of the training whose start it takes.

    `fresh` tells that generators are first put back to those of a new process. `baselines` are
    the keys of the trainings that it is compared with, each with its condition's name in the
    matrix.
    """

    condition: str
    member: int
    policy: str
    seed: int
    case: Case
    process: Process
    given: str | None = None
    fresh: bool = True
    baselines: tuple[tuple[str, str], ...] = ()

    @property
    def key(self) -> str:
        """What it is called in the study's records."""
        return _key(self.case.backend, self.policy, self.seed, self.condition, self.member)


@dataclass(frozen=True)
class Pair:
    """Two trainings that are compared, the second with the first, under a condition's name."""

    backend: str
    policy: str
    seed: int
    condition: str
    first: str
    second: str


def _key(backend: str, policy: str, seed: int, condition: str, member: int = 0) -> str:
    return f"{backend}|{policy}|{seed}|{condition}|{member}"


def named(text: str, known: Iterable[str]) -> list[str]:
    """Names with commas between them; `all` are the known ones."""
    return list(known) if text == "all" else text.split(",")


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
    is how many are compared where a thing is repeated. Raises UserError for numbers that make no
    study.
    """
    if seeds < 1 or trainings < 2:
        raise UserError("a drift study needs at least 1 seed and 2 trainings to compare")
    for what, names, known in (
        ("condition", conditions, CONDITIONS),
        ("policy", policies, POLICIES),
    ):
        for name in names:
            if name not in known:
                raise UserError(f"unknown {what} '{name}': choose from {', '.join(known)}")
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
    groups = [
        _group(wanted, process, name, seed)
        for backend in wanted["backends"]
        for deterministic in (False, True)
        for process in _processes(wanted, backend, deterministic)
        for name in wanted["policies"]
        if POLICIES[name].deterministic == deterministic
        for seed in wanted["seeds"]
    ]
    return [group for group in groups if group]


def pairs(wanted: dict[str, Any]) -> list[Pair]:
    """Which trainings are compared."""
    return [
        Pair(one.case.backend, one.policy, one.seed, condition, baseline, one.key)
        for group in plan(wanted)
        for one in group
        for condition, baseline in one.baselines
    ]


def _processes(wanted: dict[str, Any], backend: str, deterministic: bool) -> list[Process]:
    case = Case.from_json(wanted["case"])
    here = Process(backend, case.device, case.threads, deterministic)
    processes = [here]
    conditions = wanted["conditions"]
    varies_threads = THREADS in conditions and (case.threads or wanted["cpus"]) > 1
    if NEW in conditions or varies_threads:
        processes += [replace(here, replica=number) for number in range(1, wanted["trainings"])]
    if varies_threads:
        processes.append(replace(here, threads=1))
    if DEVICE in conditions and wanted["gpu"]:
        processes.append(replace(here, device="cpu" if case.device.startswith("gpu") else "gpu"))
    if wanted["other_side"]:
        processes.append(replace(here, environment=wanted["other_side"]))
    return processes


def _group(wanted: dict[str, Any], process: Process, policy: str, seed: int) -> list[Planned]:
    conditions, repeats = wanted["conditions"], range(1, wanted["trainings"])
    whole = Case.from_json(wanted["case"])
    case = replace(
        whole,
        backend=process.backend,
        device=process.device,
        threads=process.threads,
        training=replace(whole.training, shuffle=False),
    )
    reference = _key(process.backend, policy, seed, REFERENCE)
    seeded = policy in _seeded(wanted)

    def one(condition: str, member: int = 0, named: str | None = None, **changes: Any) -> Planned:
        """A training that is compared with the reference, unless `changes` say otherwise."""
        usual = {"case": case, "baselines": ((named or condition, reference),)}
        return Planned(condition, member, policy, seed, process=process, **{**usual, **changes})

    if process.environment:
        if not seeded:
            return []
        named = process.environment
        equal = one(OTHER_START, named=f"{named}, equal start", given=reference)
        return [one(OTHER, named=named), equal]
    if process.device != whole.device:
        return [one(DEVICE, named="cpu / gpu", given=reference)] if seeded else []
    if process.threads == 1 and whole.threads != 1:
        again = _key(process.backend, policy, seed, NEW, 1)
        return [one(THREADS, baselines=((THREADS, again),))]
    if process.replica:
        return [one(NEW, process.replica)]
    group = [one(REFERENCE, baselines=())]
    if SAME in conditions:
        group += [one(SAME, number, fresh=False) for number in repeats]
    if EQUAL_START in conditions:
        group.append(one(EQUAL_START, given=reference))
    if ORDER in conditions:
        shuffled = replace(case, training=replace(case.training, shuffle=True))
        first = one(ORDER, given=reference, case=shuffled, baselines=())
        follows = replace(first, fresh=False, baselines=((ORDER, first.key),))
        group += [first, *(replace(follows, member=number) for number in repeats)]
    if seeded and PATH in conditions:
        changed = replace(case, path=OTHER_PATH[case.path])
        named = f"{case.path} / {changed.path}"
        group.append(one(PATH, named=named, given=reference, case=changed))
    if seeded and PRECISION in conditions and case.model is None:
        ours, other = case.training.precision, OTHER_PRECISION[case.training.precision]
        changed = replace(case, training=replace(case.training, precision=other))
        named = f"{ours} / {other}"
        group.append(one(PRECISION, named=named, given=reference, case=changed))
    before = wanted["backends"][: wanted["backends"].index(process.backend)]
    if seeded and BACKEND in conditions and before:
        keys = [
            _key(other, policy, seed, BACKEND if number else REFERENCE)
            for number, other in enumerate(before)
        ]
        names = [f"{other} / {process.backend}" for other in before]
        baselines = tuple(zip(names, keys, strict=True))
        group.append(one(BACKEND, given=keys[0], baselines=baselines))
    return group


def _seeded(wanted: dict[str, Any]) -> list[str]:
    return [name for name in wanted["policies"] if name in SEEDED] or wanted["policies"][-1:]
