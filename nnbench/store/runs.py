"""Results on disk: one folder a run, one line a finished trial.

    <run>/run.json       written once: schema version, specification, fingerprint
    <run>/trials.jsonl   appended: `launch` and `trial` records, one JSON object a line
    <run>/logs/          what each worker wrote on its standard error

A record is flushed to the disk before the next trial begins. A line that was cut off by a kill
is dropped when the file is next read or appended to; nothing else is ever rewritten. The fields
of every record are described in `results/README.md`.
"""

import errno
import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from nnbench.errors import UserError
from nnbench.machine import whole_file
from nnbench.workload.case import Case

SCHEMA = 1
RUN_FILE = "run.json"
TRIALS_FILE = "trials.jsonl"

SAMPLE_COLUMNS = [
    *("case", "side", "round", "launch", "block", "trial"),
    *("phase", "position", "seconds"),
]


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
        """One row a sample of the trials that ended well.

        `position` counts the samples of a phase in its block: epochs of a `fit`, steps by sweeps.
        """
        rows = [
            (
                *(trial[name] for name in ("case", "side", "round", "launch", "block", "trial")),
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


def create(
    results: Path, name: str | None, specification: dict[str, Any], fingerprint: dict[str, Any]
) -> Path:
    """Make the folder of a new run and write its description.

    The folder is named after the moment, or `name`. Raises UserError if it exists already or
    cannot be written.
    """
    folder = results / (name or datetime.now(UTC).strftime("%Y%m%d-%H%M%S"))
    description = {
        "schema": SCHEMA,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "specification": specification,
        "fingerprint": fingerprint,
    }
    with _disk_errors(folder):
        try:
            (folder / "logs").mkdir(parents=True)
        except FileExistsError:
            raise UserError(
                f"{folder} exists already: choose another --name, or --resume it"
            ) from None
        whole_file.write(folder / RUN_FILE, json.dumps(description, indent=1) + "\n")
        (folder / TRIALS_FILE).touch()
    return folder


def read(folder: Path) -> Run:
    """Read a run. Raises UserError if there is none, or it is of an unknown schema."""
    try:
        description = json.loads((folder / RUN_FILE).read_text())
        schema = description["schema"]
        if schema != SCHEMA:
            raise UserError(
                f"{folder / RUN_FILE} has schema {schema}, this nnbench reads {SCHEMA}: "
                "use the nnbench that wrote it"
            )
        run = Run(
            folder,
            description["created"],
            description["specification"],
            description["fingerprint"],
        )
        _ = run.cases
    except OSError as failure:
        raise UserError(f"{folder} is not a run: {failure.strerror} ({RUN_FILE})") from failure
    except (ValueError, KeyError, TypeError) as failure:
        raise UserError(
            f"{folder / RUN_FILE} is damaged ({failure!r}): restore it or measure again"
        ) from failure
    for number, record in _records(folder / TRIALS_FILE, run.damage):
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


def _records(path: Path, damage: list[str]) -> Iterator[tuple[int, Any]]:
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as failure:
        raise UserError(f"{path} cannot be read: {failure.strerror}") from failure
    # Every record ends in a newline: what follows the last one was cut off in flight.
    for number, line in enumerate(lines[:-1], start=1):
        try:
            yield number, json.loads(line)
        except ValueError:
            damage.append(f"line {number} cannot be read")


class Writer:
    """Appends records to a run; only one process at a time may."""

    def __init__(self, folder: Path) -> None:
        """Open the run for appending.

        Raises UserError if another process holds it or the folder cannot be written.
        """
        self._path = folder / TRIALS_FILE
        with _disk_errors(folder):
            # Unbuffered: after a failed write nothing may be left that is written later.
            self._file = self._path.open("ab", buffering=0)
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise UserError(
                    f"{folder} is being written by another process: wait for it to end"
                ) from None
            self._drop_unfinished_line()

    def _drop_unfinished_line(self) -> None:
        whole = self._path.read_bytes()
        if whole and not whole.endswith(b"\n"):
            os.truncate(self._path, whole.rfind(b"\n") + 1)

    def append(self, record: dict[str, Any], *, sync: bool = True) -> None:
        """Write one record, which survives this process from then on.

        With `sync` it is waited for until it has reached the disk, and all before it.
        """
        line = (json.dumps(record, allow_nan=False) + "\n").encode()
        size = os.fstat(self._file.fileno()).st_size
        with _disk_errors(self._path):
            try:
                if self._file.write(line) != len(line):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                if sync:
                    os.fsync(self._file.fileno())
            except OSError:
                os.truncate(self._path, size)
                raise

    def close(self) -> None:
        """Let other processes write."""
        self._file.close()


@contextmanager
def _disk_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as failure:
        raise UserError(
            f"{path} cannot be written: {failure.strerror}; what was measured so far is kept"
        ) from failure


def find(results: Path) -> list[Path]:
    """Folders of runs below `results`, oldest first."""
    return sorted(path.parent for path in results.glob(f"*/{RUN_FILE}"))
