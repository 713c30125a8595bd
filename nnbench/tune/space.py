"""The settings of a training that a person can change without changing the network.

A setting is a case. `FACTORS` are what of it is varied, one at a time: each has its values, the
present one first. Of some a change trains another network in the end (`CHANGING`), all others
compute the same in another way.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from nnbench.errors import UserError
from nnbench.machine import devices
from nnbench.workload.case import PATHS, SOURCES, Case

PATH, BACKEND, JIT, STEPS = "path", "backend", "jit", "steps"
SOURCE, THREADS, BATCH, PRECISION = "source", "threads", "batch", "precision"
FACTORS = (PATH, BACKEND, STEPS, JIT, BATCH, THREADS, SOURCE, PRECISION)
"""In the order in which their changes are tried."""

CHANGING = (BATCH, PRECISION)
"""Factors whose changes train something else: other steps, or other numbers."""

OF_TRAINING = {
    JIT: "jit",
    STEPS: "steps_per_execution",
    SOURCE: "source",
    BATCH: "batch_size",
    PRECISION: "precision",
}
"""Fields of a case's training; the other factors are fields of the case."""

TIMES_STEPS, TIMES_BATCH = (8, 64), (4, 16)
"""Steps per execution, and how many times larger a batch: far enough apart to tell them."""

LEAST_STEPS = 4
"""A larger batch leaves an epoch so many steps at least where only some of the rows are timed."""

Value = str | int | None


def value(case: Case, factor: str) -> Value:
    """What a case has of a factor."""
    found: Value = getattr(case.training, OF_TRAINING[factor]) if factor in OF_TRAINING else None
    return found if factor in OF_TRAINING else getattr(case, factor)


def _with(case: Case, factor: str, other: Value) -> Case:
    if factor in OF_TRAINING:
        training: Any = {OF_TRAINING[factor]: other}
        return replace(case, training=replace(case.training, **training))
    given: Any = {factor: other}
    return replace(case, **given)


@dataclass(frozen=True)
class Space:
    """The values that each factor may take; `rows` are those that are timed, all or the first."""

    present: Case
    values: dict[str, list[Value]]
    rows: int

    @classmethod
    def around(
        cls, present: Case, *, backends: Sequence[str], keep: Sequence[str], cpus: int, stream: bool
    ) -> "Space":
        """What can be tried instead of a present setting on this host.

        `backends` are those to try, `keep` the factors that stay as they are; a `stream` makes its
        batches by itself.
        """
        batch, rows = present.training.batch_size, present.trained_rows
        larger = [batch * times for times in TIMES_BATCH if batch and batch * times < rows]
        halves = [cpus // 2] if cpus >= 4 else []
        mixed = ["bfloat16"] if present.device == "cpu" else ["bfloat16", "float16"]
        others: dict[str, list[Value]] = {
            PATH: [] if stream else list(PATHS),
            BACKEND: list(backends),
            STEPS: list(TIMES_STEPS),
            JIT: ["on", "off"],
            BATCH: [] if stream else [*larger, *([None] if batch and rows <= 4096 else [])],
            THREADS: [1, *halves] if present.device == "cpu" and cpus > 1 else [],
            SOURCE: [] if stream else list(SOURCES[1:]),
            PRECISION: [*mixed, *([] if present.model else ["float32"])],
        }
        if not devices.is_installed("tensorflow"):
            others[SOURCE] = [one for one in others[SOURCE] if one != "tf.data"]
        values: dict[str, list[Value]] = {}
        for factor in FACTORS:
            now = value(present, factor)
            more = [] if factor in keep else [one for one in others[factor] if one != now]
            values[factor] = [now, *more]
        return cls(present, values, rows)

    def changed(self, case: Case, factor: str, other: Value) -> Case | None:
        """The case with another value of a factor; None where that is the same or cannot be."""
        backend, path = case.backend, case.path
        if factor in (STEPS, SOURCE) and path != "fit":
            return None
        if factor == STEPS and backend == "torch":
            return None  # Keras refuses it there.
        if factor == JIT and backend == "jax" and (path == "compiled" or other == "off"):
            return None  # It is compiled in any case, or made for debugging.
        if factor == BATCH and not self._fits(other):
            return None
        if factor == PATH:
            return self._on_path(case, str(other))
        if factor == BACKEND:
            # "auto" is something else on each backend.
            case = _with(case, JIT, self.values[JIT][0])
            case = _with(case, STEPS, None) if other == "torch" else case
        try:
            return self._capped(_with(case, factor, other))
        except UserError:
            return None

    def _capped(self, case: Case) -> Case:
        """With as many steps at once as an epoch has."""
        steps, most = case.training.steps_per_execution, -(-self.rows // case.batch_rows)
        if steps is None or steps <= most or case.training == self.present.training:
            return case
        return _with(case, STEPS, most if most > 1 else self.values[STEPS][0])

    def _on_path(self, case: Case, path: str) -> Case:
        now, training = self.present.training, replace(case.training, source=None)
        training = replace(training, steps_per_execution=None)
        if path == "fit" == self.present.path:
            steps = None if case.backend == "torch" else now.steps_per_execution
            training = replace(training, steps_per_execution=steps, source=now.source)
        if path == "compiled" and case.backend == "jax":
            training = replace(training, jit=now.jit)
        return replace(case, path=path, training=training)

    def _fits(self, batch: Value) -> bool:
        if self.rows == self.present.trained_rows:
            return True
        return batch is not None and int(batch) * LEAST_STEPS <= self.rows

    def moves(self, case: Case) -> Iterator[tuple[str, Value, Case]]:
        """Every change of a single factor: its name, the other value, the case then."""
        for factor in FACTORS:
            for other in self.values[factor]:
                made = None if other == value(case, factor) else self.changed(case, factor, other)
                if made is not None and made != case:
                    yield factor, other, made

    def everything(self) -> list[Case]:
        """Every setting that changes lead to, one after the other: the full grid."""
        found: dict[Case, None] = {}
        left = [self.present]
        while left:
            case = left.pop()
            if case not in found:
                found[case] = None
                left += [made for _, _, made in self.moves(case)]
        return list(found)

    def single_changes(self) -> list[Case]:
        """The present setting on every backend and path, then each other single change of it.

        A path is worth something else on each backend: those two are not taken one by one.
        """
        found: list[Case] = []
        for path in self.values[PATH]:
            for backend in self.values[BACKEND]:
                made: Case | None = self.present
                if made and path != made.path:
                    made = self.changed(made, PATH, path)
                if made and backend != made.backend:
                    made = self.changed(made, BACKEND, backend)
                if made:
                    found.append(made)
        found.sort(key=self._distance)
        others = (made for _, _, made in self.moves(self.present))
        return list(dict.fromkeys([*found, *others]))

    def _distance(self, case: Case) -> tuple[bool, bool, bool]:
        now = self.present
        # All compiled paths come before the other `fit`s: most is won there.
        other = case.backend != now.backend
        return case != now, other and case.path == now.path, other

    def changes(self, case: Case) -> dict[str, Value]:
        """What of a case is not as it is now: the factors with their values."""
        pairs = {factor: value(case, factor) for factor in FACTORS}
        return {name: one for name, one in pairs.items() if one != value(self.present, name)}

    def keeps_training(self, case: Case) -> bool:
        """Whether it computes what is computed now."""
        return not any(factor in CHANGING for factor in self.changes(case))


def name(case: Case, present: Case) -> str:
    """A setting in words: backend and path, and whatever else is not usual or not as it is now."""
    training = case.training
    parts = [case.backend, case.path]
    if training.jit != "auto" or present.training.jit != "auto":
        parts.append(f"jit {training.jit}")
    if training.steps_per_execution:
        parts.append(f"{training.steps_per_execution} steps at once")
    if training.source:
        parts.append(training.source)
    if case.threads:
        parts.append(f"{case.threads} thread{'s' if case.threads > 1 else ''}")
    if training.batch_size != present.training.batch_size:
        parts.append(f"batch {training.batch_size or 'of all rows'}")
    if training.precision != present.training.precision:
        parts.append(training.precision)
    return ", ".join(parts)
