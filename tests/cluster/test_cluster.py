"""A real scheduler and real workers on this machine: killed, late, and with another scheduler."""

import contextlib
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from datetime import datetime
from pathlib import Path

import pytest

from nnbench.cluster import book
from nnbench.measure.schedule import SWEEPS
from nnbench.measure.trial import KINDS
from nnbench.store import runs

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]

LIMIT_S = 800
"""Of what is waited for. It ends what hangs, and is no measure of anything."""

LAUNCHES, NETWORKS = 7, ("4", "8")
A_ROUND = len(NETWORKS) * (len(KINDS) + SWEEPS)
NAMES = ("round", "side", "block", "case", "trial_kind", "sweep")


class Machines:
    """Processes of a scheduler, of workers and of clients, each with all that it starts."""

    def __init__(self, folder):
        self.folder, self.started = folder, []
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.address = f"tcp://127.0.0.1:{self.port}"

    def start(self, *command, **settings):
        log = (self.folder / f"log-{len(self.started)}").open("wb")
        process = subprocess.Popen(
            [sys.executable, *command],
            cwd=self.folder,
            env={**os.environ, "NNBENCH_CACHE": str(self.folder / "cache"), **settings},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        log.close()
        process.log = Path(log.name)
        self.started.append(process)
        return process

    def scheduler(self):
        where = ("--host", "127.0.0.1", "--port", str(self.port), "--dashboard-address", ":0")
        return self.start("-m", "distributed.cli.dask_scheduler", *where)

    def worker(self, name):
        return self.start("-m", "nnbench", "worker", self.address, "--name", name)

    def client(self, command="run", *rest):
        named = NETWORKS if command == "run" else ("--hosts", "--architectures", "4")
        how = ("--backend", "jax", "--epochs", "3", "--blocks", "1", "--name", "study")
        where = ("--cluster", self.address)
        return self.start("-m", "nnbench", command, *named, *how, *where, *rest)

    def end(self, process):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.fixture
def machines(tmp_path):
    made = Machines(tmp_path)
    yield made
    for process in made.started:
        made.end(process)


def records(folder):
    path = folder / runs.TRIALS_FILE
    lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    return [json.loads(line) for line in lines]


def wait_for(what, client):
    deadline_s = time.monotonic() + LIMIT_S
    while not what():
        assert client.poll() is None, client.log.read_text()
        assert time.monotonic() < deadline_s, client.log.read_text()
        time.sleep(0.05)


def ended(process):
    status = process.wait(LIMIT_S)
    return status, process.log.read_text()


def trials_of(results, host):
    return [one for one in records(results / f"study-{host}") if one["kind"] == "trial"]


def rounds_ended(results):
    return [one["host"] for one in records(results / "study") if one["kind"] == "ended"]


def test_a_host_is_killed_one_comes_late_and_the_scheduler_starts_again(machines, tmp_path):
    results = tmp_path / "results"
    scheduler = machines.scheduler()
    worker = {name: machines.worker(name) for name in "ab"}
    client = machines.client("run", "--launches", str(LAUNCHES))
    # In the middle of a launch of b.
    wait_for(lambda: len(trials_of(results, "b")) % A_ROUND > 3, client)
    machines.end(worker["b"])
    acknowledged = (results / "study-b" / runs.TRIALS_FILE).read_bytes()
    machines.worker("c")
    wait_for(lambda: trials_of(results, "c"), client)
    machines.end(scheduler)
    time.sleep(1)
    machines.scheduler()
    status, told = ended(client)
    assert status == 0, told
    study = book.read(results / "study")
    found = {name: runs.read(folder) for name, folder in study.hosts.items()}
    assert set(found) == {"a", "b", "c"}
    counts = {name: len(run.trials) for name, run in found.items()}
    print(counts, study.given, study.ended)  # noqa: T201 (seen with pytest -s)

    # Nothing was lost: what the killed host had handed over is there, and of no other round.
    assert (results / "study-b" / runs.TRIALS_FILE).read_bytes().startswith(acknowledged)
    lost = Counter(trial["round"] for trial in found["b"].trials)
    assert len(found["b"].trials) == len(trials_of(results, "b")) > 0
    # Nothing was measured twice, and what is paired lies on one host.
    keys = Counter(
        tuple(trial[name] for name in NAMES) for run in found.values() for trial in run.trials
    )
    assert set(keys.values()) == {1}
    for name, run in found.items():
        assert run.damage == []
        assert run.fingerprint["host"] == name
        counts = Counter(trial["round"] for trial in run.trials)
        assert all(count == A_ROUND for one, count in counts.items() if (name, one) in study.ended)
    assert len(study.ended) == LAUNCHES
    assert len({number for _, number in study.given}) == len(study.given)
    unfinished = [one for one in study.given if one not in study.ended]
    assert ("b", max(lost)) in unfinished
    assert "b is gone in launch" in told
    assert "Host a" in told

    # The same command has nothing left to do.
    before = {folder: records(folder) for folder in study.hosts.values()}
    status, told = ended(machines.client("run", "--launches", str(LAUNCHES)))
    assert status == 0, told
    assert {folder: records(folder) for folder in study.hosts.values()} == before


def test_workers_of_one_machine_take_turns(nnbench, tmp_path):
    study = ("4", "--backend", "jax", "--launches", "2", "--blocks", "1", "--epochs", "2")
    answer = nnbench("run", *study, "--workers", "2", "--name", "here", "--json")
    assert answer.returncode == 0, answer.stderr
    assert "they take turns" in answer.stderr
    (told,) = json.loads(answer.stdout)["hosts"]
    (folder,) = book.read(tmp_path / "results" / "here").hosts.values()
    assert folder.name == f"here-{told['host']}"
    run = runs.read(folder)
    lasted = [
        (datetime.fromisoformat(one["began"]).timestamp(), one["wall_s"]) for one in run.trials
    ]
    lasted.sort()
    for (began_s, wall_s), (next_s, _) in itertools.pairwise(lasted):
        # Moments are written to a millisecond.
        assert next_s >= began_s + wall_s - 0.002
    assert {trial["round"] for trial in run.trials} == {0, 1}
    # What was asked without a cluster is another run.
    assert "going on" not in nnbench("run", *study, "--resume").stderr
