"""Which trainings a drift study consists of, and which of them are compared with each other.

A **reference** is trained for every backend, policy and seed, unshuffled. Each condition changes
one thing of it:

- `same process`, `new process`: nothing but where it runs;
- `threads`: one thread, in a new process; compared with the training in a new process;
- `data order`: both from the reference's initial weights, with shuffling, one after the other;
- `equal start`: from the reference's initial weights, so that only arithmetic is left;
- `path`, `precision`, `backend`, `device`, `other side` (another environment or commit): the same
  with another one, which says nothing about seeds, so under `SEEDED` policies only;
- `replicas`: the same on two devices, each with its share of every batch, from the reference's
  initial weights; only where it is named, since their processes start apart.
"""

import itertools
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from nnbench.drift.policies import POLICIES
from nnbench.errors import UserError
from nnbench.machine import devices
from nnbench.store import folder as folders
from nnbench.workload import quantities, user_model
from nnbench.workload.case import Case
from nnbench.workload.study import MOST_LAUNCHES

REFERENCE = "reference"
SAME, NEW, THREADS = "same process", "new process", "threads"
ORDER, EQUAL_START = "data order", "equal start"
PATH, PRECISION, BACKEND, DEVICE = "path", "precision", "backend", "device"
REPLICAS = "replicas"
OTHER, OTHER_START = "other side", "other side, equal start"
USUAL = (SAME, NEW, THREADS, ORDER, EQUAL_START, PATH, PRECISION, BACKEND, DEVICE)
CONDITIONS = (*USUAL, REPLICAS)
SEEDED = ("keras", "keras+det")


@dataclass(frozen=True)
class Process:
    """A process: what it is tied to, which `repeat` of several, and in which environment."""

    backend: str
    device: str
    threads: int | None
    deterministic: bool
    repeat: int = 0
    environment: str = ""

    @property
    def label(self) -> str:
        """In words, for progress and logs."""
        threads = "1 thread" if self.threads == 1 else ""
        ops = "deterministic" if self.deterministic else ""
        words = [self.backend, threads, ops, self.environment, f"process {self.repeat + 1}"]
        return " ".join(filter(None, words))


@dataclass(frozen=True)
class Planned:
    """A training from the start of `given`; `baselines`: with what it is compared, name and key."""

    condition: str
    member: int
    policy: str
    seed: int
    case: Case
    baselines: tuple[tuple[str, str], ...]
    given: str | None = None
    fresh: bool = True
    repeat: int = 0
    environment: str = ""

    @property
    def key(self) -> str:
        """What it is called in the study's records."""
        return _key(self.case.backend, self.policy, self.seed, self.condition, self.member)

    @property
    def process(self) -> Process:
        """The process that it runs in."""
        deterministic = POLICIES[self.policy].deterministic
        return Process(*self.case.worker, deterministic, self.repeat, self.environment)


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


@dataclass(frozen=True)
class Effort:
    """How much is trained."""

    policies: str = "all"
    "Seed policies, with commas: nothing, numpy, ... or all."
    conditions: str = "all"
    "What is varied, with commas: new process, threads, ... or all; replicas only if named."
    seeds: int = 5
    "How many seeds."
    trainings: int = 2
    "Trainings that are compared with each other."
    limit: float = 300.0
    "Seconds after which a training is given up."

    def __post_init__(self) -> None:
        """Raise UserError for what makes no study."""
        named("policy", self.policies, POLICIES)
        _conditions(self.conditions)
        quantities.check("number of seeds", self.seeds, 1, MOST_LAUNCHES)
        quantities.check("number of trainings to compare", self.trainings, 2, MOST_LAUNCHES)
        quantities.check("limit in seconds", self.limit, 0.001, quantities.MOST_SECONDS)


def specification(
    cases: Sequence[Case], effort: Effort, *, cpus: int, gpu: bool, other_side: str | None
) -> dict[str, Any]:
    """All that decides the trainings; one case a backend. Raises UserError if it makes no study."""
    backends = [case.backend for case in cases]
    if len(set(backends)) != len(backends):
        raise UserError("a drift study is of one network and one path: name one")
    case = cases[0]
    code = {"model_digest": user_model.parse(case.model).digest()} if case.model else {}
    conditions = _conditions(effort.conditions)
    if REPLICAS in conditions:
        for one in cases:
            replace(one, device=_twice(one.device))
    return {
        **code,
        "case": case.to_json(),
        "backends": backends,
        "policies": named("policy", effort.policies, POLICIES),
        "seeds": list(range(1, effort.seeds + 1)),
        "trainings": effort.trainings,
        "conditions": [name for name in CONDITIONS if name in conditions],
        "cpus": cpus,
        "gpu": gpu,
        "other_side": other_side,
        "limit_s": effort.limit,
        folders.ASKED: {"typed": {case.label: case.name}},
    }


def _conditions(text: str) -> list[str]:
    return list(USUAL) if text == "all" else named("condition", text, CONDITIONS)


def _twice(device: str) -> str:
    """Two devices of the same kind. Raises UserError for several already."""
    if devices.replicas(device) > 1:
        raise UserError(f"{REPLICAS} compares one device with two: leave --replicas out")
    return f"{device.partition(':')[0]}*2"


def named(what: str, text: str, known: Collection[str]) -> list[str]:
    """Those that a text names, with commas, or all. Raises UserError for one that is not known."""
    names = list(known) if text == "all" else text.split(",")
    for name in names:
        if name not in known:
            raise UserError(f"unknown {what} '{name}': choose from {', '.join(known)}")
    return names


def skipped(wanted: dict[str, Any]) -> list[str]:
    """What was asked for and cannot be had here, one line each."""
    found = []
    if DEVICE in wanted["conditions"] and not wanted["gpu"]:
        found.append("device against device: no GPU is at hand here, so it was not run")
    if THREADS in wanted["conditions"] and wanted["cpus"] < 2:
        found.append("threads: one CPU is at hand here, so 1 against n was not run")
    if PATH in wanted["conditions"] and Case.from_json(wanted["case"]).on_other_path is None:
        found.append("path against path: only fit can be had with these options")
    if BACKEND in wanted["conditions"] and len(wanted["backends"]) < 2:
        found.append("backend against backend: one backend was asked for")
    cannot = (name for name in wanted["policies"] if not POLICIES[name].runs_here)
    return found + [f"policy {name}: TensorFlow is not installed here" for name in cannot]


def plan(wanted: dict[str, Any]) -> list[list[Planned]]:
    """All trainings, in groups that share a process' state, in an order in which they can run."""
    backends = wanted["backends"]
    groups: dict[tuple[Process, str, int], list[Planned]] = {}
    for backend, policy, seed in itertools.product(backends, wanted["policies"], wanted["seeds"]):
        for one in _trainings(wanted, backend, policy, seed):
            groups.setdefault((one.process, policy, seed), []).append(one)
    processes = list(dict.fromkeys(process for process, _, _ in groups))
    # Each process is started once: first those whose ops need not be deterministic.
    processes.sort(key=lambda one: (backends.index(one.backend), one.deterministic))
    return [groups[key] for key in sorted(groups, key=lambda key: processes.index(key[0]))]


def pairs(wanted: dict[str, Any]) -> list[Pair]:
    """Which trainings are compared."""
    return [
        Pair(one.case.backend, one.policy, one.seed, condition, baseline, one.key)
        for group in plan(wanted)
        for one in group
        for condition, baseline in one.baselines
    ]


def _trainings(wanted: dict[str, Any], backend: str, policy: str, seed: int) -> Iterator[Planned]:
    conditions, repeats = wanted["conditions"], range(1, wanted["trainings"])
    case = Case.from_json({**wanted["case"], "backend": backend})
    case = replace(case, training=replace(case.training, shuffle=False))
    if REPLICAS in conditions and backend == "tensorflow" and case.training.jit == "auto":
        # Several devices are trained without XLA.
        case = replace(case, training=replace(case.training, jit="off"))
    reference = _key(backend, policy, seed, REFERENCE)

    def one(condition: str, member: int = 0, named: str = "", **changes: Any) -> Planned:
        usual = {"case": case, "baselines": ((named or condition, reference),)}
        return Planned(condition, member, policy, seed, **{**usual, **changes})

    yield one(REFERENCE, baselines=())
    if SAME in conditions:
        yield from (one(SAME, number, fresh=False) for number in repeats)
    if EQUAL_START in conditions:
        yield one(EQUAL_START, given=reference)
    if ORDER in conditions:
        shuffled = replace(case, training=replace(case.training, shuffle=True))
        first = one(ORDER, given=reference, case=shuffled, baselines=())
        follows = replace(first, fresh=False, baselines=((ORDER, first.key),))
        yield from (first, *(replace(follows, member=number) for number in repeats))
    varies_threads = THREADS in conditions and (case.threads or wanted["cpus"]) > 1
    if NEW in conditions or varies_threads:
        yield from (one(NEW, number, repeat=number) for number in repeats)
    if varies_threads:
        baselines = ((THREADS, _key(backend, policy, seed, NEW, 1)),)
        yield one(THREADS, case=replace(case, threads=1), baselines=baselines)
    seeded = [name for name in wanted["policies"] if name in SEEDED] or wanted["policies"][-1:]
    if policy not in seeded:
        return
    if PATH in conditions and (changed := case.on_other_path):
        yield one(PATH, named=f"{case.path} / {changed.path}", given=reference, case=changed)
    if PRECISION in conditions and case.model is None:
        ours = case.training.precision
        other = "bfloat16" if ours == "float32" else "float32"
        changed = replace(case, training=replace(case.training, precision=other))
        yield one(PRECISION, named=f"{ours} / {other}", given=reference, case=changed)
    before = wanted["backends"][: wanted["backends"].index(backend)]
    if BACKEND in conditions and before:
        names = [f"{name} / {backend}" for name in before]
        start = _key(before[0], policy, seed, REFERENCE)
        keys = [start, *(_key(name, policy, seed, BACKEND) for name in before[1:])]
        yield one(BACKEND, given=start, baselines=tuple(zip(names, keys, strict=True)))
    if DEVICE in conditions and wanted["gpu"]:
        device = "cpu" if case.device.startswith("gpu") else "gpu"
        changed = replace(case, device=device)
        yield one(DEVICE, named="cpu / gpu", given=reference, case=changed)
    if REPLICAS in conditions:
        changed = replace(case, device=_twice(case.device))
        yield one(
            REPLICAS, named=f"{case.device} / {changed.device}", given=reference, case=changed
        )
    if elsewhere := wanted["other_side"]:
        yield one(OTHER, named=elsewhere, environment=elsewhere)
        named = f"{elsewhere}, equal start"
        yield one(OTHER_START, named=named, given=reference, environment=elsewhere)
