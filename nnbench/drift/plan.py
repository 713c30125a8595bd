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

from collections.abc import Iterable, Iterator, Sequence
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


@dataclass(frozen=True)
class Effort:
    """How much is trained."""

    policies: str = "all"
    "Seed policies, with commas: nothing, numpy, ... or all."
    conditions: str = "all"
    "What is varied, with commas: new process, threads, ... or all."
    seeds: int = 5
    "How many seeds."
    trainings: int = 2
    "Trainings that are compared with each other."
    limit: float = 300.0
    "Seconds after which a training is given up."


def specification(
    cases: Sequence[Case],
    effort: Effort,
    *,
    cpus: int,
    gpu: bool = False,
    other_side: str | None = None,
) -> dict[str, Any]:
    """Everything that decides which trainings a study consists of, as plain data.

    `cases` are one network and its training, once for each backend; `other_side` names another
    environment to train in, too. Raises UserError for cases and numbers that make no study.
    """
    backends = [case.backend for case in cases]
    if len(set(backends)) != len(backends):
        raise UserError("a drift study is of one network and one path: name one")
    if effort.seeds < 1 or effort.trainings < 2:
        raise UserError("a drift study needs at least 1 seed and 2 trainings to compare")
    conditions = _named("condition", effort.conditions, CONDITIONS)
    case = cases[0]
    code = {"model_digest": user_code.digest(case.model)} if case.model else {}
    return {
        **code,
        "case": case.to_json(),
        "backends": backends,
        "policies": _named("policy", effort.policies, POLICIES),
        "seeds": list(range(1, effort.seeds + 1)),
        "trainings": effort.trainings,
        "conditions": [name for name in CONDITIONS if name in conditions],
        "cpus": cpus,
        "gpu": gpu,
        "other_side": other_side,
        "limit_s": effort.limit,
    }


def _named(what: str, text: str, known: Iterable[str]) -> list[str]:
    """Names with commas between them, all the known ones for `all`."""
    names = list(known) if text == "all" else text.split(",")
    for name in names:
        if name not in known:
            raise UserError(f"unknown {what} '{name}': choose from {', '.join(known)}")
    return names


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
    groups: dict[tuple[Process, str, int], list[Planned]] = {}
    for backend in wanted["backends"]:
        for policy in wanted["policies"]:
            for seed in wanted["seeds"]:
                for one in _trainings(wanted, backend, policy, seed):
                    groups.setdefault((one.process, policy, seed), []).append(one)
    processes = list(dict.fromkeys(process for process, _, _ in groups))
    # Each process is started once: first those whose ops need not be deterministic.
    processes.sort(key=lambda one: (wanted["backends"].index(one.backend), one.deterministic))
    order = {process: number for number, process in enumerate(processes)}
    return [groups[key] for key in sorted(groups, key=lambda key: order[key[0]])]


def pairs(wanted: dict[str, Any]) -> list[Pair]:
    """Which trainings are compared."""
    return [
        Pair(one.case.backend, one.policy, one.seed, condition, baseline, one.key)
        for group in plan(wanted)
        for one in group
        for condition, baseline in one.baselines
    ]


def _trainings(wanted: dict[str, Any], backend: str, policy: str, seed: int) -> Iterator[Planned]:
    """The reference, and what each condition changes of it."""
    conditions, repeats = wanted["conditions"], range(1, wanted["trainings"])
    case = Case.from_json({**wanted["case"], "backend": backend})
    case = replace(case, training=replace(case.training, shuffle=False))
    here = Process(backend, case.device, case.threads, POLICIES[policy].deterministic)
    reference = _key(backend, policy, seed, REFERENCE)

    def one(condition: str, member: int = 0, named: str | None = None, **changes: Any) -> Planned:
        """A training that is compared with the reference, unless `changes` say otherwise."""
        baselines = ((named or condition, reference),)
        usual = {"case": case, "process": here, "baselines": baselines}
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
        for number in repeats:
            yield one(NEW, number, process=replace(here, replica=number))
    if varies_threads:
        alone, new = replace(here, threads=1), _key(backend, policy, seed, NEW, 1)
        baselines = ((THREADS, new),)
        yield one(THREADS, process=alone, case=replace(case, threads=1), baselines=baselines)
    if policy not in _seeded(wanted):
        return
    if PATH in conditions:
        changed = replace(case, path=OTHER_PATH[case.path])
        yield one(PATH, named=f"{case.path} / {changed.path}", given=reference, case=changed)
    if PRECISION in conditions and case.model is None:
        ours, other = case.training.precision, OTHER_PRECISION[case.training.precision]
        changed = replace(case, training=replace(case.training, precision=other))
        yield one(PRECISION, named=f"{ours} / {other}", given=reference, case=changed)
    before = wanted["backends"][: wanted["backends"].index(backend)]
    if BACKEND in conditions and before:
        keys = [_key(name, policy, seed, BACKEND) for name in before]
        keys[0] = _key(before[0], policy, seed, REFERENCE)
        names = [f"{name} / {backend}" for name in before]
        yield one(BACKEND, given=keys[0], baselines=tuple(zip(names, keys, strict=True)))
    if DEVICE in conditions and wanted["gpu"]:
        device = "cpu" if case.device.startswith("gpu") else "gpu"
        process, changed = replace(here, device=device), replace(case, device=device)
        yield one(DEVICE, named="cpu / gpu", given=reference, process=process, case=changed)
    elsewhere = wanted["other_side"]
    if elsewhere:
        process = replace(here, environment=elsewhere)
        yield one(OTHER, named=elsewhere, process=process)
        named = f"{elsewhere}, equal start"
        yield one(OTHER_START, named=named, given=reference, process=process)


def _seeded(wanted: dict[str, Any]) -> list[str]:
    return [name for name in wanted["policies"] if name in SEEDED] or wanted["policies"][-1:]
