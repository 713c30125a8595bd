"""The book of a study on several hosts: which rounds were given to whom, and whose run is whose.

    results/NAME/cluster.json      what is asked, as in a run's description
    results/NAME/trials.jsonl      appended: a host, a round that was given to it, one that it ended
    results/NAME-HOST/             the run of each host: its fingerprint, its launches and trials

Each host's run is a run as any other: tables are made of one, so they never mix hosts. A round is
given to one host only and stays with it, or cases that are paired in it would part: where a host
is gone, another measures a new round instead, and what there is of the old one is kept.
"""

import contextlib
import itertools
import json
import re
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nnbench.errors import UserError
from nnbench.machine import fingerprint
from nnbench.machine.fields import Field
from nnbench.measure import run as measuring
from nnbench.measure.effort import Look, usual_key
from nnbench.store import folder as folders
from nnbench.store import runs
from nnbench.store.folder import Writer
from nnbench.workload.case import Case

Plain = dict[str, Any]

FILE = "cluster.json"
FORMAT = folders.Format(
    FILE, 1, "study of several hosts", "no study of several hosts", folders=("logs",)
)

EVERY_HOST = "every host"
"""Of a specification: each host measures all rounds, to be compared with the others."""

ABSENT_S = 10.0
"""A host may be gone for so long, as while its worker is started again, before others take over."""


@dataclass(frozen=True)
class Study:
    """What the book says: hosts' folders by their names, and pairs of a host and a round."""

    folder: Path
    created: str
    specification: Plain
    fingerprint: Plain
    identity: list[str] = field(default_factory=list)
    hosts: dict[str, Path] = field(default_factory=dict)
    given: list[tuple[str, int]] = field(default_factory=list)
    ended: set[tuple[str, int]] = field(default_factory=set)

    @property
    def every_host(self) -> bool:
        """Whether hosts are compared: each measures all rounds."""
        return bool(self.specification[EVERY_HOST])

    @property
    def launches(self) -> int:
        """How many rounds are wanted."""
        return int(self.specification["launches"])

    def ended_on(self, host: str) -> int:
        """How many rounds a host has ended."""
        return sum(name == host for name, _ in self.ended)

    @property
    def is_complete(self) -> bool:
        """Whether all rounds are measured: once, or by every host where hosts are compared."""
        if not self.every_host:
            return len(self.ended) >= self.launches
        counts = [self.ended_on(host) for host in self.hosts]
        return len(counts) > 1 and min(counts) >= self.launches


def read(folder: Path) -> Study:
    """Read the book of a study. Raises UserError if there is none, or it is damaged."""
    study = FORMAT.read(folder, Study, lambda wanted: wanted["launches"].whole(least=1))
    damage: list[str] = []

    def use(record: Field) -> None:
        kind = record["kind"].text()
        if kind == "study":
            study.identity.append(record["id"].text())
        elif kind == "host":
            study.hosts[record["host"].text()] = folder.parent / record["folder"].text()
        else:
            one = record["host"].text(), record["round"].whole()
            if kind == "ended":
                study.ended.add(one)
            else:
                study.given.append(one)

    folders.records(folder, damage, use)
    if damage:
        raise UserError(f"{damage[0]}: restore it, or begin anew with --fresh")
    return study


def folder_for(
    results: Path, name: str | None, wanted: Plain, *, resume: bool, fresh: bool
) -> tuple[Path, bool]:
    """`Format.folder_for` a study that this machine hands out."""
    here = fingerprint.take()
    return FORMAT.folder_for(
        results,
        name,
        wanted,
        here,
        read,
        lambda study: study.is_complete,
        resume=resume,
        fresh=fresh,
    )


def looked(results: Path, cases: Sequence[Case], models: Plain) -> dict[str, Look]:
    """What a first look at these cases said when the newest study of them began; else nothing."""
    wanted = {usual_key(case) for case in cases}
    for folder in reversed(FORMAT.find(results)):
        try:
            known = read(folder).specification
        except UserError:
            continue
        keys = {usual_key(Case.from_json(plain)) for plain in known["cases"]}
        if known.get("look") and keys == wanted and known.get("models", {}) == models:
            return {key: Look(**one) for key, one in known["look"].items()}
    return {}


class HostRun:
    """The run of a host while it is written: what it holds is counted, and not kept in memory."""

    def __init__(self, name: str, folder: Path, here: Plain) -> None:
        """Raise UserError if another process writes it."""
        self.name, self.folder, self.fingerprint = name, folder, here
        self.writer = Writer(folder)
        self.next_launch = self.next_trial = 0
        self.last_launch = -1
        self.failures: list[Plain] = []
        self.work_done = 0.0
        self.trials: Counter[int] = Counter()
        self.good: Counter[int] = Counter()
        for record in self._records():
            self._count(record)

    def _records(self) -> Iterator[Plain]:
        with (self.folder / folders.RECORDS_FILE).open("rb") as lines:
            for line in lines:
                with contextlib.suppress(ValueError):
                    yield json.loads(line)

    def _count(self, record: Plain) -> None:
        self.next_launch = max(self.next_launch, record["launch"] + 1)
        if record["kind"] == "launch":
            self.last_launch = record["launch"]
            return
        self.next_trial = record["trial"] + 1
        self.trials[record["round"]] += 1
        self.work_done += measuring.work(record["trial_kind"])
        if record["outcome"] != "ok":
            self.failures.append(record)
        else:
            self.good[record["round"]] += 1

    @property
    def first_failure(self) -> str:
        """Why the first trial failed, in a line."""
        told = str(self.failures[0].get("message") or "") if self.failures else "no trial ended"
        return told.partition("\n")[0]

    def take(self, lines: Sequence[str]) -> None:
        """Keep records, on disk when this returns; those that are there already are left out."""
        for position, line in enumerate(lines):
            record = json.loads(line)
            known = (
                record["launch"] <= self.last_launch
                if record["kind"] == "launch"
                else record["trial"] < self.next_trial
            )
            if not known:
                self.writer.append(record, sync=position == len(lines) - 1)
                self._count(record)

    def have(self, number: int) -> list[list[Any]]:
        """The keys of a round's trials that are there (see `schedule.Planned.key`)."""
        if not self.trials[number]:
            return []
        names = ("round", "side", "block", "case", "trial_kind", "sweep")
        return [
            [record[name] for name in names]
            for record in self._records()
            if record["kind"] == "trial" and record["round"] == number
        ]


class Book:
    """A study's book and its hosts' runs, open for writing by this process only."""

    def __init__(self, folder: Path) -> None:
        """Raise UserError if another process holds it."""
        self._writer = Writer(folder)
        self.study = read(folder)
        if not self.study.identity:
            self.study.identity.append(uuid.uuid4().hex)
            self._write({"kind": "study", "id": self.identity})
        self.active: set[tuple[str, int]] = set()
        self.runs: dict[str, HostRun] = {}
        for name, place in self.study.hosts.items():
            self.runs[name] = HostRun(name, place, runs.described(place).fingerprint)
        self._seen_s = dict.fromkeys(self.study.hosts, time.monotonic())

    @property
    def identity(self) -> str:
        """A name of the study that no other has."""
        return self.study.identity[0]

    def close(self) -> None:
        """Let other processes write."""
        self._writer.close()
        for one in self.runs.values():
            one.writer.close()

    def _write(self, record: Plain) -> None:
        self._writer.append(record)

    def run_of(self, here: Plain) -> HostRun:
        """The run of a host with this fingerprint, a new one where it has none yet."""
        for one in self.runs.values():
            if not fingerprint.differences(one.fingerprint, here):
                return one
        study = self.study
        host = re.sub(r"[^\w.-]", "_", here["host"])[:40]
        labels = itertools.chain([host], (f"{host}-{count}" for count in itertools.count(2)))
        names = (f"{study.folder.name}-{label}" for label in labels)
        name = next(name for name in names if not (study.folder.parent / name).exists())
        specification = {**study.specification, "cluster": self.identity}
        del specification[EVERY_HOST]
        place = runs.create(study.folder.parent, name, specification, here)
        label = name.removeprefix(f"{study.folder.name}-")
        self._write({"kind": "host", "host": label, "folder": name})
        study.hosts[label] = place
        self.runs[label] = HostRun(label, place, here)
        return self.runs[label]

    def seen(self, host: str) -> None:
        """Note that a host is there now."""
        self._seen_s[host] = time.monotonic()

    def next_round(self, host: str) -> int | None:
        """The round that a host is to measure now, given to it on disk; None if there is none."""
        study = self.study
        mine = [number for name, number in study.given if name == host]
        begun = [number for number in mine if self._is_open((host, number))]
        if study.every_host:
            left = (number for number in range(study.launches) if (host, number) not in study.ended)
            number = next(left, None)
        elif begun and len(study.ended) + len(self.active) < study.launches:
            number = begun[0]
        elif self._in_hand() < study.launches:
            number = 1 + max((number for _, number in study.given), default=-1)
        else:
            return None
        if number is not None and number not in mine:
            self._write({"kind": "given", "host": host, "round": number})
            study.given.append((host, number))
        return number

    def _is_open(self, one: tuple[str, int]) -> bool:
        return one not in self.study.ended and one not in self.active

    def absent(self) -> list[tuple[str, int]]:
        """Rounds that were begun by hosts that have been gone for too long."""
        now_s = time.monotonic()
        return [
            one
            for one in self.study.given
            if self._is_open(one) and now_s - self._seen_s.get(one[0], 0.0) >= ABSENT_S
        ]

    def _in_hand(self) -> int:
        """Rounds that are measured, or will be by who has them: a host that is gone will not."""
        waiting = sum(self._is_open(one) for one in self.study.given) - len(self.absent())
        return len(self.study.ended) + len(self.active) + waiting

    def end(self, host: str, number: int) -> None:
        """Note on disk that a round is measured."""
        self._write({"kind": "ended", "host": host, "round": number})
        self.study.ended.add((host, number))

    @property
    def work_done(self) -> float:
        """What all hosts have measured, see `measure.run.work`."""
        return sum(one.work_done for one in self.runs.values())

    def work(self) -> float:
        """What all of it will be; what hosts that are gone have begun comes to it."""
        hosts = max(1, len(self.runs)) if self.study.every_host else 1
        wanted = hosts * self.study.launches * measuring.round_work(self.study.specification)
        return max(wanted, self.work_done)


def finished(study: Study) -> Mapping[str, runs.Run]:
    """The hosts' runs in which anything was measured, by the hosts' names."""
    found = {name: runs.read(place) for name, place in study.hosts.items()}
    return {name: run for name, run in found.items() if run.trials}
