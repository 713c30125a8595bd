"""From samples to estimates: what charts, report and command line put before a person."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from nnbench.case import Case
from nnbench.phases import COLD, EPOCH, PHASES, STEP, ColdParts, split_cold
from nnbench.results import Run
from nnbench.statistics import Estimate, nested_estimate, steady_median, unpaired_ratio

STEADY = (STEP, EPOCH)


@dataclass(frozen=True)
class CaseSummary:
    """One case: an estimate in seconds for each phase it has, and its ratios to the first case.

    `ratios` are formed within blocks; they are missing for the first case of a comparison and
    for phases that only one of the two has.
    """

    case: Case
    times: dict[str, Estimate]
    ratios: dict[str, Estimate]
    baseline: Case
    loss: float | None
    failures: int

    @cached_property
    def cold_parts(self) -> ColdParts | None:
        """The cold training taken apart; None where a part was not measured."""
        return split_cold(
            {phase: estimate.value for phase, estimate in self.times.items()},
            cold_epochs=self.case.cold_epochs,
            steps_per_epoch=self.case.steps_per_epoch,
        )


def block_values(samples: pd.DataFrame) -> pd.DataFrame:
    """Reduce samples to one value per case, phase, launch and block, in seconds.

    Steady-state phases lose their warm-up (see `statistics.steady_from`) and keep the median;
    the column `samples` counts what was kept and thrown away together.
    """
    columns = ["case", "phase", "side", "round", "launch", "block"]
    rows = []
    for key, group in samples.groupby(columns, sort=False):
        series = group.sort_values(["trial", "position"])["seconds"].to_numpy()
        value = steady_median(series) if key[1] in STEADY else float(np.median(series))
        rows.append((*key, value, len(series)))
    return pd.DataFrame(rows, columns=[*columns, "seconds", "samples"])


def widest_interval(run: Run) -> dict[str, float]:
    """For each case the widest of its intervals that matter, as half the relative width.

    Those are `cold`, `epoch` and `step`; a case without an interval is missing.
    """
    values = block_values(run.samples())
    widths: dict[str, float] = {}
    for (case, phase, _), chosen in values.groupby(["case", "phase", "side"], sort=False):
        found = nested_estimate(chosen["seconds"], chosen["launch"])
        if phase in (COLD, EPOCH, STEP) and found.has_interval and found.launches > 1:
            widths[str(case)] = max(widths.get(str(case), 0.0), found.relative_half_width)
    return widths


def summarise(run: Run) -> list[CaseSummary]:
    """Estimates for every case of a run that has any, in the run's order.

    Each case is compared with the first case that shares its backend, device and threads:
    ratios across those would mix machines.
    """
    values = block_values(run.samples())
    baselines: dict[tuple[str, str, int | None], Case] = {}
    summaries = []
    for key, case in run.cases.items():
        mine = values[values["case"] == key]
        if mine.empty:
            continue
        baseline = baselines.setdefault(case.worker, case)
        losses = [trial["loss"] for trial in run.good_trials() if trial["case"] == key]
        summaries.append(
            CaseSummary(
                case=case,
                times={phase: _estimate(mine, phase) for phase in _phases(mine)},
                ratios=paired_ratios(values, case, baseline) if baseline is not case else {},
                baseline=baseline,
                loss=float(np.median(losses)) if losses else None,
                failures=sum(trial["case"] == key for trial in run.failures()),
            )
        )
    return summaries


def _phases(values: pd.DataFrame) -> list[str]:
    present = set(values["phase"])
    return [phase for phase in PHASES if phase in present]


def _estimate(values: pd.DataFrame, phase: str) -> Estimate:
    chosen = values[values["phase"] == phase]
    return nested_estimate(
        chosen["seconds"], chosen["launch"], samples=int(chosen["samples"].sum())
    )


def paired_ratios(values: pd.DataFrame, mine: Case, base: Case) -> dict[str, Estimate]:
    """For each phase that both cases have: `mine` / `base`, formed within blocks.

    `values` comes from `block_values`.
    """
    pairs = values[values["case"] == mine.key].merge(
        values[values["case"] == base.key],
        on=["phase", "side", "launch", "block"],
        suffixes=("", "_base"),
    )
    pairs["ratio"] = pairs["seconds"] / pairs["seconds_base"]
    return {
        phase: nested_estimate(
            chosen["ratio"], chosen["launch"], samples=int(chosen["samples"].sum())
        )
        for phase in _phases(pairs)
        for chosen in [pairs[pairs["phase"] == phase]]
    }


def _label(case: Case, phase: str) -> str:
    place = case.backend if case.device == "cpu" else f"{case.backend} {case.device}"
    return f"{place} {case.architecture.label} {phase}"


def ratios_between_sides(run: Run) -> dict[str, Estimate]:
    """For each case and phase of a run with two sides: second side / first, paired by round.

    The two launches of one round ran one after the other, so each pair is one unit.
    """
    first, second = run.specification["sides"]
    values = block_values(run.samples())
    by_launch = (
        values.groupby(["case", "phase", "side", "round"], sort=False)
        .agg(seconds=("seconds", "median"), samples=("samples", "sum"))
        .reset_index()
    )
    pairs = by_launch[by_launch["side"] == first].merge(
        by_launch[by_launch["side"] == second],
        on=["case", "phase", "round"],
        suffixes=("_first", "_second"),
    )
    pairs["ratio"] = pairs["seconds_second"] / pairs["seconds_first"]
    return {
        _label(case, phase): nested_estimate(
            chosen["ratio"],
            chosen["round"],
            samples=int(chosen["samples_first"].sum() + chosen["samples_second"].sum()),
        )
        for key, case in run.cases.items()
        for phase in PHASES
        for chosen in [pairs[(pairs["case"] == key) & (pairs["phase"] == phase)]]
        if len(chosen)
    }


def ratios_between_runs(first: Run, second: Run) -> dict[str, Estimate]:
    """For each case and phase that both runs have: second / first, unpaired.

    Phases with fewer than two launches on a side are left out.
    """
    before, after = block_values(first.samples()), block_values(second.samples())
    found: dict[str, Estimate] = {}
    for key, case in first.cases.items():
        for phase in PHASES:
            old = before[(before["case"] == key) & (before["phase"] == phase)]
            new = after[(after["case"] == key) & (after["phase"] == phase)]
            if min(old["launch"].nunique(), new["launch"].nunique()) >= 2:
                found[_label(case, phase)] = unpaired_ratio(
                    old["seconds"], old["launch"], new["seconds"], new["launch"]
                )
    return found


def groups(summaries: Sequence[CaseSummary]) -> list[list[CaseSummary]]:
    """Summaries that may be compared with one another: same backend, device and threads."""
    found: dict[tuple[str, str, int | None], list[CaseSummary]] = {}
    for summary in summaries:
        found.setdefault(summary.case.worker, []).append(summary)
    return list(found.values())
