"""The same history before three judges: nnbench's alarms, asv's step detection, pytest-benchmark.

A judge gets the runs of one repetition and gives its alarms: a phase (or `numbers`) and the
numbers, from 0, of the commit it puts the change on and of all that it names. Only nnbench names
several. asv and pytest-benchmark see the samples as they would have kept them.
"""

import statistics
from collections import defaultdict
from pathlib import Path

from asv._stats import get_weight
from asv.step_detect import detect_regressions, detect_steps
from asv_runner.statistics import compute_stats
from pytest_benchmark.utils import parse_compare_fail

from nnbench.history import check, table
from nnbench.history.alarms import NUMBERS
from nnbench.store import runs

Alarms = dict[tuple[str, int], set[int]]


def nnbench(folder: Path, repository: Path) -> Alarms:
    """`nnbench history check`, its exit status: slower commits, and other numbers."""
    history = table.read([folder], repository)
    numbers = {name: number for number, name in enumerate(history.known)}
    return {
        (
            NUMBERS if one.alarm.kind == NUMBERS else one.alarm.series.benchmark,
            numbers[one.alarm.commit],
        ): {numbers[name] for name in one.alarm.commits}
        for one in check.run(history).alarms
    }


def samples(folder: Path) -> dict[str, list[list[float]]]:
    """For each phase, the samples of every commit in order, seconds."""
    run = runs.read(folder)
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for trial in run.trials.records(run.good_rows()):
        for phase, values in trial["samples_s"].items():
            found[phase][trial["side"]] += values
    sides = run.specification["sides"]
    return {phase: [by_side[side] for side in sides] for phase, by_side in found.items()}


def asv(folder: Path, repository: Path) -> Alarms:
    """What `asv publish` lists as regressions: its step fit of the medians, threshold 5 %."""
    alarms: Alarms = {}
    for phase, by_commit in samples(folder).items():
        values, weights = [], []
        for one in by_commit:
            value, stats = compute_stats(one, 1)
            values.append(value)
            weights.append(get_weight(stats))
        _, _, jumps = detect_regressions(detect_steps(values, weights), 0.05)
        alarms |= {(phase, after): {after} for _, after, _, _ in jumps or []}
    return alarms


def pytest_benchmark(folder: Path, repository: Path) -> Alarms:
    """`--benchmark-compare-fail=median:5%` at every commit, against the one before."""
    rule = parse_compare_fail("median:5%")
    alarms: Alarms = {}
    for phase, by_commit in samples(folder).items():
        medians = [{"median": statistics.median(one)} for one in by_commit]
        for number in range(1, len(medians)):
            if rule.fails(medians[number], medians[number - 1]):
                alarms[phase, number] = {number}
    return alarms


JUDGES = {"nnbench": nnbench, "asv publish": asv, "pytest-benchmark median:5%": pytest_benchmark}
