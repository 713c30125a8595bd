"""How much of a study is measured: what is left open follows from a first look at its networks.

Networks that take no time are measured as usual, without a look. All cases of a run share their
epochs, or whole trainings could not be compared: the slowest decides. What was seen stands in the
run's specification, so that the same command on the same host makes the same plan again.
"""

import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from nnbench.errors import UserError
from nnbench.machine import fingerprint
from nnbench.measure import first_look, trial
from nnbench.measure.process import DataFile, Worker, WorkerLostError, data_file
from nnbench.measure.schedule import SWEEPS
from nnbench.show import units
from nnbench.store import runs
from nnbench.workload import user_model
from nnbench.workload.case import Case
from nnbench.workload.datasets import Dataset
from nnbench.workload.study import USUAL_BLOCKS, USUAL_EPOCHS, USUAL_LAUNCHES, Study

EPOCHS = (USUAL_EPOCHS, 10, 3)
"""Few choices, so that a look on another day ends in the same one; 3 tell a steady epoch."""

TRAINING_S = 6.0
"""As many of these epochs as last no longer."""

STEPS_S, LEAST_SWEEPS = 4.0, 3
"""The turns of a case's steps in a block last so long together, but for so many at least."""

MINUTES_S = 300.0
"""A run that would take longer has one block a launch, then the fewest launches."""

FEWEST_LAUNCHES = 3
"""Below that an interval says next to nothing."""

PATIENCE = 4
"""A trial is given up after so many times what the plan takes it to last."""

CHEAP_EPOCH_S = TRAINING_S / USUAL_EPOCHS
LAYER_S, STEP_S, FLOPS_PER_S = 2e-4, 2e-3, 2e9
"""Of a machine and backend that are slow beyond doubt: what is cheap there is so everywhere."""

STARTS_S = {"tensorflow": 6.0, "jax": 3.0, "torch": 5.0}
TYPICAL_ONCE_S = {"tensorflow": 1.2, "jax": 0.8, "torch": 0.2}
TYPICAL_COMPILED_ONCE_S = {"tensorflow": 3.0, "jax": 0.8, "torch": 1.2}
TYPICAL_STEP_S = 2e-3
"""On a two-core virtual machine, for cheap networks: they are not looked at."""


@dataclass(frozen=True)
class Look:
    """What a case takes about, in seconds: its process, what is paid once, a step, an epoch."""

    start_s: float
    once_s: float
    step_s: float
    epoch_s: float

    @classmethod
    def rounded(cls, **times_s: float) -> "Look":
        """To what a look can tell."""
        return cls(**{name: float(f"{one:.3g}") for name, one in times_s.items()})

    @classmethod
    def typical(cls, case: Case) -> "Look":
        """Of a cheap network, without looking."""
        once_s = TYPICAL_ONCE_S if case.path == "fit" else TYPICAL_COMPILED_ONCE_S
        epoch_s = 0.02 + case.steps_per_epoch * TYPICAL_STEP_S
        return cls(STARTS_S[case.backend], once_s[case.backend], TYPICAL_STEP_S, epoch_s)

    def unit_s(self, case: Case) -> float:
        """What a sample of steps consists of: on the compiled path whole epochs."""
        return self.step_s if case.path == "fit" else self.epoch_s

    def turn_s(self, case: Case) -> float:
        """A case's turn for step samples."""
        unit_s = self.unit_s(case)
        untimed, timed = trial.turn(unit_s)
        return untimed * unit_s + timed * max(unit_s, trial.SAMPLE_S)

    def phases_s(self, case: Case, epochs: int) -> float:
        """A trial that takes the training apart."""
        if case.path == "fit":
            return self.once_s + epochs * self.epoch_s
        sample_s = max(self.epoch_s, trial.SAMPLE_S)
        return self.once_s + (2 + trial.epoch_samples(sample_s)) * sample_s

    def longest_s(self, case: Case, epochs: int) -> float:
        """The longest trial."""
        cold_s = self.once_s + epochs * self.epoch_s
        return max(cold_s, self.phases_s(case, epochs), self.getting_warm_s(case))

    def getting_warm_s(self, case: Case) -> float:
        """What a launch spends before a case's first sample of steps."""
        return (0.0 if case.path == "fit" else self.once_s) + 3 * self.unit_s(case)

    def block_s(self, case: Case, epochs: int, sweeps: int) -> float:
        """A case's trials of a block."""
        cold_s = self.once_s + epochs * self.epoch_s
        return cold_s + self.phases_s(case, epochs) + sweeps * self.turn_s(case)


Looks = Mapping[str, Look]
"""By the keys of cases as they would be with the usual epochs."""


@dataclass(frozen=True)
class Plan:
    """How much is measured, `round_s` for each launch of all workers; why, where it is unusual."""

    epochs: int
    launches: int
    blocks: int
    sweeps: int
    limit_s: float
    round_s: float
    reason: str = ""

    @property
    def total_s(self) -> float:
        """Seconds that it takes about."""
        return self.launches * self.round_s

    def of(self, study: Study) -> Study:
        """The study, with nothing left open."""
        effort = replace(
            study.effort, launches=self.launches, blocks=self.blocks, limit=self.limit_s
        )
        training = replace(study.training, epochs=self.epochs)
        return replace(study, training=training, effort=effort)


def is_cheap(case: Case) -> bool:
    """Whether no look is needed to know that the usual epochs take no time."""
    cost, network = case.step_cost, case.architecture
    if cost is None or network is None:
        return False
    step_s = STEP_S + LAYER_S * network.depth + cost.flops / FLOPS_PER_S
    return case.steps_per_epoch * step_s <= CHEAP_EPOCH_S


def needs_look(study: Study, cases: Sequence[Case]) -> bool:
    """Whether to look: not at cheap networks, nor where measuring would be as soon done."""
    effort = study.effort
    as_soon = study.training.epochs is not None and effort.launches == effort.blocks == 1
    return not as_soon and not all(map(is_cheap, cases))


def usual_key(case: Case) -> str:
    """The key of a case, whatever its epochs."""
    return replace(case, cold_epochs=USUAL_EPOCHS).key


def plan(study: Study, cases: Sequence[Case], looks: Looks, sides: int = 1) -> Plan:
    """What to measure, by what was seen of the cases; what the study asks for stays as it is."""
    effort, given = study.effort, study.training.epochs
    seen = [(case, looks.get(usual_key(case)) or Look.typical(case)) for case in cases]
    slowest, slow = max(seen, key=lambda one: one[1].epoch_s)
    fitting = (count for count in EPOCHS if count * slow.epoch_s <= TRAINING_S)
    epochs = given or (next(fitting, EPOCHS[-1]) if looks else USUAL_EPOCHS)
    turn_s = max(look.turn_s(case) for case, look in seen)
    sweeps = max(LEAST_SWEEPS, min(SWEEPS, int(STEPS_S / turn_s))) if looks else SWEEPS

    def round_s(blocks: int) -> float:
        starts = {case.worker: look.start_s for case, look in seen}
        of_cases = sum(
            look.getting_warm_s(case) + blocks * look.block_s(case, epochs, sweeps)
            for case, look in seen
        )
        return sum(starts.values()) + sides * of_cases

    launches, blocks = effort.launch_count, effort.block_count
    if looks and effort.blocks is None and launches * round_s(blocks) > MINUTES_S:
        blocks = 1
    if looks and effort.launches is None and launches * round_s(blocks) > MINUTES_S:
        launches = FEWEST_LAUNCHES
    limit_s = effort.limit_s
    if effort.limit is None:
        longest_s = max(look.longest_s(case, epochs) for case, look in seen)
        limit_s = max(limit_s, float(round(PATIENCE * longest_s))) if looks else limit_s
    fewer = {
        "epochs": (given, epochs, USUAL_EPOCHS),
        "launches": (effort.launches, launches, USUAL_LAUNCHES),
        "blocks": (effort.blocks, blocks, USUAL_BLOCKS),
    }
    changed = {
        name: f"{count} {name if count > 1 else name.removesuffix('s')} instead of {usual}"
        for name, (asked, count, usual) in fewer.items()
        if asked is None and count != usual
    }
    reason = ""
    if changed:
        options = ", ".join(f"--{name}" for name in changed)
        took = f"an epoch of {slowest.name} takes about {units.seconds(slow.epoch_s)}"
        told = f"{', '.join(changed.values())}: {took} ({slowest.context})"
        reason = f"{told}; {options} for others"
    return Plan(epochs, launches, blocks, sweeps, limit_s, round_s(blocks), reason)


@dataclass(frozen=True)
class Settled:
    """A study with nothing left open, its cases, and the plan that made it so."""

    study: Study
    cases: Sequence[Case]
    plan: Plan
    looks: Looks

    @property
    def record(self) -> dict[str, Any]:
        """What of it stands in a run's specification; nothing where all is as usual."""
        if not self.looks:
            return {}
        looks = {key: asdict(look) for key, look in self.looks.items()}
        return {"look": looks, **({"fewer": self.plan.reason} if self.plan.reason else {})}

    def told(self, rounds: int) -> list[str]:
        """The plan in a line, of which so many rounds are left to measure; and why it is so."""
        effort, made = self.study.effort, self.plan
        count = len({case.label for case in self.cases})
        places = ((case.backend, case.device, case.path) for case in self.cases)
        where = (", ".join(dict.fromkeys(names)) for names in zip(*places, strict=True))
        line = f"{_many(count, 'network')} on {'; '.join(where)}: {made.epochs} epochs, "
        blocks = _many(made.blocks, "block")
        known = self.looks or all(map(is_cheap, self.cases))
        a_round = f", each {self._about(made.round_s)}" if known else ""
        if effort.budget_s is not None:
            line += f"launches of {blocks} for {units.about(effort.budget_s)}{a_round}"
        elif effort.precision is not None:
            line += f"launches of {blocks} until intervals are within {effort.precision}{a_round}"
        else:
            line += f"{_many(made.launches, 'launch', 'es')} of {blocks}"
            line += f", {self._about(rounds * made.round_s)}" if known else ""
        return [line, made.reason] if made.reason else [line]

    def _about(self, time_s: float) -> str:
        """A time as sure as it is: without a look it is known of another machine's quiet hours."""
        about = f"about {units.about(time_s)}"
        return about if self.looks else f"usually {about} on a quiet machine"


def _many(count: int, what: str, ending: str = "s") -> str:
    return f"{count} {what}{'' if count == 1 else ending}"


def settle(
    study: Study,
    data: Dataset,
    folders: Iterable[Path] = (),
    *,
    sides: int = 1,
    tell: Callable[[str], None] | None = None,
) -> Settled:
    """Settle what a study leaves open, by what one of these folders holds or a look shows."""
    cases, looks = study.cases(data), {}
    if needs_look(study, cases):
        looks = seen(folders, cases) or {}
        if not looks and tell is not None:
            tell(f"a first look at {_many(len(cases), 'training')}: how long does a step take?")
        looks = looks or looked(data, cases, study.effort.limit_s)
    return settled(study, data, cases, looks, sides=sides)


def settled(
    study: Study, data: Dataset, cases: Sequence[Case], looks: Looks, *, sides: int = 1
) -> Settled:
    """The study with nothing left open, by what was seen of its cases."""
    made = plan(study, cases, looks, sides)
    study = made.of(study)
    return Settled(study, study.cases(data), made, looks)


def folders(results: Path, name: str | None = None) -> list[Path]:
    """Where a run of the same cases may lie: the one of this name, then the newest first."""
    return [*([results / name] if name else []), *reversed(runs.find(results))]


def looked(data: Dataset, cases: Sequence[Case], limit_s: float) -> dict[str, Look]:
    """Look at each case in a worker; what cannot be trained is left out, and told when measured."""
    with data_file(data) as arrays:
        return looked_in(arrays, cases, limit_s)


def looked_in(arrays: DataFile, cases: Sequence[Case], limit_s: float) -> dict[str, Look]:
    """`looked`, with the data as a file."""
    found: dict[str, Look] = {}
    with tempfile.TemporaryDirectory() as scratch:
        left = list(cases)
        while left:
            # A worker answers until one of its cases cannot be trained: that one is passed over.
            first = left[0]
            began_s = time.monotonic()
            with Worker(first, arrays, Path(scratch) / "log") as worker:
                try:
                    worker.wait_until_ready(limit_s)
                    start_s = time.monotonic() - began_s
                    for case in [one for one in left if one.worker == first.worker]:
                        left.remove(case)
                        told = worker.ask(case, limit_s, kind=first_look.KIND, seed=0)
                        if told["outcome"] != "ok":
                            continue
                        times = {name: told[name] for name in ("once_s", "step_s", "epoch_s")}
                        found[usual_key(case)] = Look.rounded(start_s=start_s, **times)
                except WorkerLostError:
                    left = [one for one in left if one is not first]
    return found


def seen(folders: Iterable[Path], cases: Sequence[Case]) -> dict[str, Look] | None:
    """What the first of these folders to hold a run of these cases on this host says of them.

    Of one's own models as they are now: one that was edited since is another.
    """
    here, wanted = fingerprint.take(), {usual_key(case) for case in cases}
    models = user_model.digests(case.model for case in cases)
    for folder in folders:
        try:
            run = runs.described(folder)
        except UserError:
            continue
        known = {usual_key(case) for case in run.cases.values()}
        looks, alike = run.specification.get("look"), run.specification.get("models", {}) == models
        if looks and alike and known == wanted and not fingerprint.unlike(run.fingerprint, here):
            return {key: Look(**one) for key, one in looks.items()}
    return None
