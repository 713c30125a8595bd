"""From the samples of a run to estimates: seconds, ratios, and what else its trials recorded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Self, cast

import numpy as np
from numpy.typing import NDArray

from nnbench.phases import COLD, EPOCH, PHASES, STEP, ColdParts, split_cold
from nnbench.stats.blocks import LOWEST_STEPS, Blocks, value_of_block
from nnbench.stats.estimate import Estimate, unpaired_ratio
from nnbench.stats.interval import Interval
from nnbench.store.runs import Run
from nnbench.store.trials import BEGAN, COUNTED, STEPS, Rows, Trials
from nnbench.workload.case import Case

if TYPE_CHECKING:
    import pandas as pd

BLOCK = ["case", "phase", "side", "round", "launch", "block"]
"""What the samples of one block of a case and phase have in common."""


@dataclass(frozen=True)
class CaseSummary:
    """One case: an estimate in seconds for each phase it has, and its ratios to the first case.

    `ratios` are formed within blocks, of phases that both cases have. `utilisation` is the step's
    FLOPs a second as a share of the matrix-product rate that the same workers measured. Memory is
    the median of the trials' peaks; the host's holds the framework, too.
    """

    case: Case
    times: dict[str, Estimate]
    ratios: dict[str, Estimate]
    baseline: Case
    loss: float | None
    failures: int
    parameters: int | None
    step_flops: int | None
    utilisation: float | None
    peak_host_bytes: int | None
    peak_device_bytes: int | None

    @cached_property
    def rows_per_s(self) -> Interval | None:
        """Rows that steady steps train on a second: throughput, without what stands around them."""
        step = self.times.get(STEP)
        if step is None:
            return None
        rows = self.case.batch_rows
        return Interval(rows / step.value, rows / step.high, rows / step.low)

    @cached_property
    def cold_parts(self) -> ColdParts | None:
        """The cold training taken apart; None where a part was not measured."""
        times_s = {phase: estimate.value for phase, estimate in self.times.items()}
        epochs, steps = self.case.cold_epochs, self.case.steps_per_epoch
        return split_cold(times_s, cold_epochs=epochs, steps_per_epoch=steps)


def block_values(samples: pd.DataFrame) -> pd.DataFrame:
    """Reduce samples to one value per case, phase, launch and block, in seconds.

    Steady phases keep the median without warm-up; the column `samples` counts the warm-up, too.
    """
    import pandas as pd

    in_order = samples.sort_values(["trial", "position"], kind="stable")
    rows = []
    for key, series in in_order.groupby(BLOCK, sort=False)["seconds"]:
        named = cast("tuple[str, ...]", key)
        rows.append((*named, value_of_block(named[1], series.to_list()), len(series)))
    return pd.DataFrame(rows, columns=[*BLOCK, "seconds", "samples"])


@dataclass(frozen=True)
class Measured:
    """The good samples of a run, and their `block_values`, as tables."""

    samples: pd.DataFrame
    blocks: pd.DataFrame

    @classmethod
    def of(cls, run: Run) -> Self:
        """Collect them from a run."""
        samples = run.samples()
        return cls(samples, block_values(samples))

    @cached_property
    def paired_values(self) -> pd.DataFrame:
        """`blocks`, but with the lowest tenth of a block's samples for steps."""
        import pandas as pd

        steps = self.samples[self.samples["phase"] == STEP].groupby(BLOCK, sort=False)["seconds"]
        quartiles = steps.agg(seconds=lambda series: series.quantile(LOWEST_STEPS), samples="size")
        others = self.blocks[self.blocks["phase"] != STEP]
        return pd.concat([others, quartiles.reset_index()], ignore_index=True)


def widest_interval(run: Run) -> dict[str, float]:
    """The widest relative half width of `cold`, `epoch`, `step` by case, of those that have one."""
    blocks = Blocks.of(run)
    widths: dict[str, float] = {}
    for key, case in run.cases.items():
        for side in dict.fromkeys(unit.side for unit in blocks.units):
            for found in blocks.times(case, side, (COLD, EPOCH, STEP)).values():
                if found.has_interval and found.launches > 1:
                    widths[key] = max(widths.get(key, 0.0), found.relative_half_width)
    return widths


def summarise(run: Run, blocks: Blocks | None = None) -> list[CaseSummary]:
    """Estimates for every case of a run that has any, in the run's order.

    Each is compared with the first of its backend, device, threads and path, not to mix machines.
    """
    blocks = blocks or Blocks.of(run)
    baselines: dict[tuple[str, str, int | None, str], Case] = {}
    summaries = []
    good, nothing = run.trials.rows_by("case", run.good_rows()), np.array([], dtype=np.int64)
    everything = run.trials.rows_by("case")
    columns = {name: run.trials.column(name) for name in ("loss", *COUNTED)}
    for key, case in run.cases.items():
        times = blocks.times(case, phases=PHASES)
        if not times:
            continue
        rows = good.get(key, nothing)
        known = {name: _middle(column[rows]) for name, column in columns.items()}
        counted = {name: _whole(value) for name, value in known.items()}
        flops = case.step_cost.flops if case.step_cost else counted["step_flops"]
        baseline = baselines.setdefault(case.comparable, case)
        summaries.append(
            CaseSummary(
                case=case,
                times=times,
                ratios=blocks.ratios(case, baseline) if baseline is not case else {},
                baseline=baseline,
                loss=known["loss"],
                failures=len(everything.get(key, nothing)) - len(rows),
                parameters=case.parameters or counted["parameters"],
                step_flops=flops,
                utilisation=_utilisation(flops, times.get(STEP), product_rates(run, case)),
                peak_host_bytes=counted["peak_host_bytes"],
                peak_device_bytes=counted["peak_device_bytes"],
            )
        )
    return summaries


def product_rates(run: Run, case: Case) -> list[float]:
    """FLOP/s of a matrix product in each launch of the kind that a case runs in."""
    return [
        launch["product_flops_per_s"]
        for launch in run.launches
        if "product_flops_per_s" in launch
        and (launch["backend"], launch["device"], launch["threads"]) == case.worker
    ]


def _middle(values: NDArray[np.float64]) -> float | None:
    """The median of what is known."""
    known = values[~np.isnan(values)]
    return float(np.median(known)) if len(known) else None


def _whole(value: float | None) -> int | None:
    return None if value is None else int(value)


def step_flops(case: Case, trials: Trials, rows: Rows) -> int | None:
    """Operations of one step: by arithmetic, or as its trials counted the network they built."""
    if case.step_cost:
        return case.step_cost.flops
    return _whole(_middle(trials.column("step_flops")[rows]))


def _utilisation(flops: int | None, step: Estimate | None, rates: Sequence[float]) -> float | None:
    if not rates or step is None or flops is None:
        return None
    return flops / step.value / float(np.median(rates))


def ratios_between_runs(first: Run, second: Run) -> dict[str, Estimate]:
    """Second / first, unpaired, for cases and phases with two launches or more in both runs."""
    before, after = Blocks.of(first), Blocks.of(second)
    found: dict[str, Estimate] = {}
    for key, case in first.cases.items():
        for phase in before.seconds if key in second.cases else ():
            old, new = before.series(key, phase), after.series(key, phase)
            if min(len(set(old[1])), len(set(new[1]))) >= 2:
                found[f"{first.label(case)} {phase}"] = unpaired_ratio(*old, *new)
    return found


def measured_share(run: Run) -> float | None:
    """Part of the wall-clock, once a worker is ready, that lies inside measured phases.

    None without trials. A launch, or a round of sides in turn, lasts from its first trial's
    beginning to its last's end: between trials there is only the parent's bookkeeping.
    """
    trials, good = run.trials, run.good_rows()
    if not len(good):
        return None
    began_s, took_s, steps = (trials.column(name)[good] for name in (BEGAN, "wall_s", STEPS))
    backends = [run.cases[key].backend for key in trials.names("case")]
    number = {name: place for place, name in enumerate(dict.fromkeys(backends))}
    backend = np.array([number[name] for name in backends])[trials.column("case")[good]]
    in_turn = np.array([bool(side) for side in trials.names("side")])[trials.column("side")[good]]
    place = np.where(in_turn, trials.column("round")[good], trials.column("launch")[good])
    _, span = np.unique(place * len(number) + backend, return_inverse=True)
    first_s, last_s = np.full(span.max() + 1, np.inf), np.full(span.max() + 1, -np.inf)
    np.minimum.at(first_s, span, began_s)
    np.maximum.at(last_s, span, began_s + took_s)
    wall_s = sum((last_s - first_s).tolist())
    series = trials.series()
    of_series = np.repeat(np.arange(len(series.rows)), series.counts)
    sums_s = np.bincount(of_series, trials.seconds, minlength=len(series.rows))
    inside_s = np.bincount(series.rows, sums_s, minlength=len(trials))[good]
    inside_s = np.where(np.isnan(steps), 1.0, steps) * inside_s
    return float(np.cumsum(inside_s)[-1]) / wall_s if wall_s > 0 else None
