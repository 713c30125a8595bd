"""A run on disk: launches and trials, in the format of `store.folder`.

The description is `run.json`; the fields of every record are described in `results/README.md`.
"""

from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from nnbench.store import folder as folders
from nnbench.store.folder import Writer as Writer
from nnbench.workload.case import Case

RUN_FILE = "run.json"
TRIALS_FILE = folders.RECORDS_FILE
FORMAT = folders.Format(
    RUN_FILE, 1, "run", "not a run", taken="choose another --name, or --resume it"
)

OF_A_TRIAL = ("case", "side", "round", "launch", "block", "trial")
SAMPLE_COLUMNS = [*OF_A_TRIAL, "phase", "position", "seconds"]


@dataclass(frozen=True)
class Run:
    """A run as read from its folder; `damage` names lines that could not be used."""

    folder: Path
    created: str
    specification: dict[str, Any]
    fingerprint: dict[str, Any]
    launches: list[dict[str, Any]] = field(default_factory=list)
    trials: list[dict[str, Any]] = field(default_factory=list)
    damage: list[str] = field(default_factory=list)

    @cached_property
    def cases(self) -> dict[str, Case]:
        """The cases of the run by their keys, in the order they were named."""
        cases = [Case.from_json(plain) for plain in self.specification["cases"]]
        return {case.key: case for case in cases}

    def before_round(self, number: int) -> "Run":
        """The same run with the records of the rounds before `number` only."""
        return replace(
            self,
            launches=[record for record in self.launches if record["round"] < number],
            trials=[trial for trial in self.trials if trial["round"] < number],
        )

    def good_trials(self) -> list[dict[str, Any]]:
        """Trials that ended well, in order."""
        return [trial for trial in self.trials if trial["outcome"] == "ok"]

    def samples(self) -> pd.DataFrame:
        """A row a good sample; `position` counts them in a phase's block, steps by sweeps."""
        rows = [
            (
                *(trial[name] for name in OF_A_TRIAL),
                phase,
                trial["sweep"] * len(values) + position,
                value,
            )
            for trial in self.good_trials()
            for phase, values in trial.get("samples_s", {}).items()
            for position, value in enumerate(values)
        ]
        return pd.DataFrame(rows, columns=SAMPLE_COLUMNS)

    def failures(self) -> list[dict[str, Any]]:
        """Trials that did not end well, in order."""
        return [trial for trial in self.trials if trial["outcome"] != "ok"]


create, find = FORMAT.create, FORMAT.find


def read(folder: Path) -> Run:
    """Read a run. Raises UserError if there is none, or it is of an unknown schema."""
    run = FORMAT.read(folder, Run, lambda run: run.cases)
    for number, record in folders.records(folder, run.damage):
        match record:
            case {"kind": "launch", "launch": int(), "round": int(), "side": str()}:
                run.launches.append(record)
            case {
                "kind": "trial",
                "trial": int(),
                "launch": int(),
                "round": int(),
                "side": str(),
                "block": int(),
                "trial_kind": str(),
                "sweep": int(),
                "case": str(case),
                "outcome": str(),
            } if case in run.cases:
                run.trials.append(record)
            case _:
                run.damage.append(f"line {number} is no record of this run")
    return run
