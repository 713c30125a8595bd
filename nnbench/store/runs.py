"""A run on disk: launches and trials, in the format of `store.folder`.

The description is `run.json`; the fields of every record are described in `results/README.md`.
"""

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nnbench.errors import DamageError
from nnbench.machine import fields
from nnbench.machine.fields import Field
from nnbench.store import folder as folders
from nnbench.store.folder import ASKED
from nnbench.store.folder import Writer as Writer
from nnbench.store.trials import COUNTED, STEPS, TEXTS, WHOLE, Plain, Rows, Trials
from nnbench.workload.case import Case
from nnbench.workload.counts import NetworkCount

if TYPE_CHECKING:
    import pandas as pd

RUN_FILE = "run.json"
TRIALS_FILE = folders.RECORDS_FILE
FORMAT = folders.Format(
    RUN_FILE, 1, "run", "not a run", taken="choose another --name, or --resume it"
)

OF_A_TRIAL = ("case", "side", "round", "launch", "block", "trial")
SAMPLE_COLUMNS = [*OF_A_TRIAL, "phase", "position", "seconds"]
IDENTITY = {
    "launch": ("launch",),
    "trial": ("launch", "round", "side", "block", "case", "trial_kind", "sweep"),
}
"""What no two records of a kind have in common."""
_identity = {kind: itemgetter(*names) for kind, names in IDENTITY.items()}

OPTIONAL = {
    *("count", "first_epoch_s", "logs", "noise", "not_counted", "samples_s", "steps_per_sample")
}
"""What a trial has or has not."""

LOOKED = {"start_s", "once_s", "step_s", "epoch_s"}
"""What a first look at a case tells, see `measure.effort`."""

CURVE = "curve"
OK = "ok"
"""The outcome of a trial that ended well."""
FAILED = "failed"
"""The outcome of a trial whose network or data cannot be had or trained so: it is not repeated."""
MOST_REPEATS, LONGEST_S = 10_000, 1e9
"""Blocks and sweeps of a run, and seconds of any duration: beyond them it is damage."""


AT_ONCE = 1000
"""Records that are read before columns take them."""

STEP_TRIAL = {
    **dict.fromkeys(("kind", "side", "began", "case", "trial_kind", "outcome"), str),
    **dict.fromkeys((*WHOLE, STEPS), int),
    "samples_s": dict,
    "wall_s": float,
}
"""The names and types of a trial of a step, as it is written."""
_STEP_TYPES = tuple(STEP_TRIAL.values())
_step_values, _step_whole = itemgetter(*STEP_TRIAL), itemgetter(*WHOLE, STEPS)


@dataclass(frozen=True)
class Run:
    """A run as read from its folder; `damage` names lines that could not be used."""

    folder: Path
    created: str
    specification: dict[str, Any]
    fingerprint: dict[str, Any]
    launches: list[dict[str, Any]] = field(default_factory=list)
    trials: Trials = field(default_factory=Trials)
    damage: list[str] = field(default_factory=list)

    @cached_property
    def cases(self) -> dict[str, Case]:
        """The cases of the run by their keys, in the order they were named."""
        cases = [Case.from_json(plain) for plain in self.specification["cases"]]
        return {case.key: case for case in cases}

    def network(self, case: Case) -> str:
        """What a case's network was called by who asked: `100,100`; else its label."""
        return self._names.get(case.label, case.label)

    def name(self, case: Case) -> str:
        """That, with the rows or the batch by which other cases of this network differ."""
        return f"{self.network(case)}{self._told_apart.get(case.key, '')}"

    @cached_property
    def _told_apart(self) -> dict[str, str]:
        """By key: `, batch 64`, `, 1,000 rows`; of most cases nothing has to be told."""
        alike: dict[str, list[Case]] = {}
        for case in self.cases.values():
            alike.setdefault(case.label, []).append(case)
        found: dict[str, str] = {}
        for mine in alike.values():
            several_rows = len({one.rows for one in mine}) > 1
            several_batches = len({one.training.batch_size for one in mine}) > 1
            for one in mine if several_rows or several_batches else ():
                size = one.training.batch_size
                batch = "full batch" if size is None else f"batch {size:,}"
                told = [f"{one.rows:,} rows"] * several_rows + [batch] * several_batches
                found[one.key] = "".join(f", {part}" for part in told)
        return found

    @cached_property
    def _names(self) -> dict[str, str]:
        """By label; a name that several networks were called by says nothing of any."""
        labels = {case.label for case in self.cases.values()}
        called = {label: folders.name_of(self.specification, label) for label in labels}
        counts = Counter(called.values())
        return {label: name for label, name in called.items() if counts[name] == 1}

    def label(self, case: Case) -> str:
        """That with where it was trained, which no two cases share: `jax, cpu, fit: 100,100`."""
        return f"{case.context}: {self.name(case)}"

    def before_round(self, number: int) -> "Run":
        """The same run with the records of the rounds before `number` only."""
        return replace(
            self,
            launches=[record for record in self.launches if record["round"] < number],
            trials=self.trials.where(self.trials.column("round") < number),
        )

    def good_rows(self) -> Rows:
        """Rows of the trials that ended well, in order."""
        return np.flatnonzero(self.trials.are(outcome=OK))

    def looks(self) -> Iterator[tuple[tuple[int, int], Mapping[str, Any]]]:
        """What the noise watch saw, with the launch and block in which it looked."""
        launches, blocks = (self.trials.column(name) for name in ("launch", "block"))
        for row, seen in self.trials.rare("noise"):
            yield (int(launches[row]), int(blocks[row])), seen

    def samples(self) -> "pd.DataFrame":
        """A row a good sample; `position` counts them in a phase's block, steps by sweeps."""
        # Workers know the outcomes of this module: they start without what takes half a second.
        import pandas as pd

        trials = self.trials
        series, seconds = trials.series(), trials.seconds
        good = trials.are(outcome=OK)[series.rows]
        rows, phases, starts, counts = (part[good] for part in series)
        if not counts.sum():
            return pd.DataFrame(columns=SAMPLE_COLUMNS)
        of_sample = np.repeat(rows, counts)
        position = np.arange(len(of_sample)) - np.repeat(np.cumsum(counts) - counts, counts)
        found: dict[str, Any] = {}
        for name in OF_A_TRIAL:
            values = trials.column(name)[of_sample]
            found[name] = _texts(trials.names(name), values) if name in TEXTS else values
        found["phase"] = _texts(trials.phases, np.repeat(phases, counts))
        sweeps = trials.column("sweep")[of_sample]
        found["position"] = sweeps * np.repeat(counts, counts) + position
        found["seconds"] = seconds[np.repeat(starts, counts) + position]
        return pd.DataFrame(found, columns=SAMPLE_COLUMNS)

    def failures(self) -> list[dict[str, Any]]:
        """Trials that did not end well, in order."""
        return list(self.trials.records(np.flatnonzero(~self.trials.are(outcome=OK))))


def _texts(names: list[str], codes: Rows) -> Any:
    """A column of texts for a table, made without an object for each."""
    import pandas as pd

    return pd.Series(names).array.take(codes)


create, find = FORMAT.create, FORMAT.find


def described(folder: Path | str) -> Run:
    """A run without its records. Raises UserError as `read` does."""
    return FORMAT.read(Path(folder), Run, _check)


def read(folder: Path | str) -> Run:
    """Read a run. Raises UserError if there is none, or it is of an unknown schema."""
    folder = Path(folder)
    run = described(folder)
    seen: set[int] = set()
    taken: list[Plain] = []

    def use(record: Field) -> None:
        if _is_plain_step(record.value, run):
            kind = "trial"
        elif (kind := record["kind"].text()) == "launch":
            _check_launch(record)
        elif kind == "trial":
            _check_trial(record, run)
        else:
            record["kind"].refuse("is no kind of record of a run")
        # Of hundreds of thousands only a hash of 64 bits is kept.
        if (identity := hash((kind, _identity[kind](record.value)))) in seen:
            named = ", ".join(IDENTITY[kind])
            raise DamageError(folder, f"there is a {kind} of this {named} already")
        seen.add(identity)
        if kind == "launch":
            run.launches.append(record.value)
            return
        taken.append(record.value)
        if len(taken) == AT_ONCE:
            run.trials.extend(taken)
            taken.clear()

    folders.records(folder, run.damage, use)
    run.trials.extend(taken)
    return run


def _check(wanted: Field) -> None:
    """Raise UserError for a specification that makes no run."""
    if not [Case.of(one) for one in wanted["cases"].entries()]:
        wanted["cases"].refuse("has no case")
    folders.set_whole_numbers(wanted, ["launches"], least=1)
    folders.set_whole_numbers(wanted, ["blocks"], least=1, most=MOST_REPEATS)
    folders.set_whole_numbers(wanted, {"sweeps"} & wanted.value.keys(), most=MOST_REPEATS)
    folders.set_whole_numbers(wanted, ["seed"], least=-fields.LARGEST_WHOLE)
    wanted["limit_s"].number(above=0)
    for name in ("precision", "budget_s"):
        wanted[name].number(1, above=0)
    for name in ("sides", *({"kinds"} & wanted.value.keys())):
        for one in wanted[name].entries():
            one.text()
    if not wanted["sides"].value:
        wanted["sides"].refuse("is empty")
    for one in wanted["commits"].members({}).values():
        one.text()
    for look in wanted["look"].members({}).values():
        for name in LOOKED:
            look[name].number(least=0, most=LONGEST_S)
        if set(look.value) != LOOKED:
            look.refuse("is no first look")
    wanted["fewer"].text("")
    if "decide" in wanted.value:
        wanted["decide"]["margin"].number(above=0)
        for one in wanted["decide"]["phases"].entries():
            one.text()
    wanted[ASKED]["command"].text("")
    folders.check_names(wanted)


def _check_launch(record: Field) -> None:
    folders.set_whole_numbers(record, ("launch", "round"))
    for name in ("side", "backend", "device"):
        record[name].text()
    record["threads"].whole(1, least=1)
    record.value["began"] = record["began"].moment().isoformat()
    for name in ("import_s", "first_use_s"):
        record[name].number(least=0, most=LONGEST_S)
    if "product_flops_per_s" in record.value:
        record["product_flops_per_s"].number(above=0, most=fields.LARGEST_MEASURED)


def _is_plain_step(record: Any, run: Run) -> bool:
    """Whether a record is a good trial of a step, as it is written: nearly all of a file are.

    Of one that is not, `_check_trial` says what is wrong, if anything is.
    """
    if type(record) is not dict or record.keys() != STEP_TRIAL.keys():
        return False
    if tuple(map(type, _step_values(record))) != _STEP_TYPES:
        return False
    try:
        year = datetime.fromisoformat(record["began"]).year
    except ValueError:
        return False
    whole, durations_s = _step_whole(record), record["samples_s"].values()
    return (
        min(whole) >= 0
        and max(whole) < fields.LARGEST_WHOLE
        and record["kind"] == "trial"
        and record["steps_per_sample"] > 0
        and year in fields.YEARS
        and record["case"] in run.cases
        and record["outcome"] == OK
        and record["trial_kind"] != CURVE
        and 0 <= record["wall_s"] <= LONGEST_S
        and all(fields.are_numbers(one, above=0, most=LONGEST_S) for one in durations_s)
    )


def _check_trial(record: Field, run: Run) -> None:
    folders.set_whole_numbers(record, ("trial", "launch", "round", "block", "sweep"))
    for name in ("side", "trial_kind", "outcome"):
        record[name].text()
    if record["case"].text() not in run.cases:
        record["case"].refuse("is no case of this run")
    record["began"].moment()
    record["wall_s"].number(least=0, most=LONGEST_S)
    # Most records are of steps, and have few of these.
    known = record.value.keys()
    for name in OPTIONAL & known:
        if record.value[name] is None:
            record[name].refuse("is null")
    if "message" in known:
        record["message"].text("")
    if "first_epoch_s" in known:
        record["first_epoch_s"].number(1, above=0, most=LONGEST_S)
    if "steps_per_sample" in known:
        record["steps_per_sample"].whole(1, least=1)
    for name in known & COUNTED:
        record[name].whole(0)
    if "not_counted" in known:
        for one in record["not_counted"].entries([]):
            one.text()
    if "count" in known:
        NetworkCount.of(record["count"])
    if "loss" in known:
        record["loss"].number(0, least=-fields.LARGEST_MEASURED, most=fields.LARGEST_MEASURED)
    if "noise" in known:
        for one in record["noise"].members({}).values():
            one.number(0, least=-fields.LARGEST_MEASURED, most=fields.LARGEST_MEASURED)
    good = record.value["outcome"] == OK
    for samples in record["samples_s"].members(None if good else {}).values():
        samples.check_numbers(above=0, most=LONGEST_S)
    if good and record["trial_kind"].value == CURVE:
        _check_curve(record)


def _check_curve(record: Field) -> None:
    record["seed"].whole(least=-fields.LARGEST_WHOLE)
    losses, ended = record["losses"].entries(), record["ended_s"].entries()
    if len(losses) != len(ended) or not losses:
        record["ended_s"].refuse("has not one moment for each of its losses")
    for one in losses:
        one.number(0)
    for log in record["logs"].members({}).values():
        if len(log.entries()) != len(losses):
            log.refuse("has not one value for each of the losses")
        for one in log.entries():
            one.number(0)
    for sooner, later in itertools.pairwise([0.0, *(one.number(most=LONGEST_S) for one in ended)]):
        if later <= sooner:
            record["ended_s"].refuse("does not grow")
