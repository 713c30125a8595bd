"""Real runs, killed at random moments: nothing that was acknowledged is lost.

`NNBENCH_KILLS` sets how many moments are tried; a release is tried with 50.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter

import psutil
import pytest

from nnbench.measure.schedule import SWEEPS
from nnbench.measure.trial import KINDS
from nnbench.store import runs

pytestmark = [pytest.mark.long, pytest.mark.timeout(3600)]

LIMIT_S = 900
"""Of what is waited for. It ends what hangs, and is no measure of anything."""

KILLS = int(os.environ.get("NNBENCH_KILLS", "3"))
COMMAND = [
    *(sys.executable, "-m", "nnbench", "run", "4", "8", "--backend", "jax"),
    *("--launches", "2", "--blocks", "1", "--epochs", "3", "--name", "run"),
]
WHOLE = 2 * 2 * (len(KINDS) + SWEEPS)


def start(folder):
    return subprocess.Popen(
        COMMAND, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )


def workers_of(process):
    try:
        return psutil.Process(process.pid).children()
    except psutil.NoSuchProcess:
        return []


def whole_lines(path):
    return path.read_bytes().splitlines() if path.exists() else []


def finish(folder):
    process = start(folder)
    out, errors = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 0, errors
    return out


def keys(run):
    names = ("round", "side", "block", "case", "trial_kind", "sweep")
    return Counter(tuple(trial[name] for name in names) for trial in run.trials)


def test_no_kill_loses_what_was_acknowledged_and_the_same_command_goes_on(tmp_path):
    draw = random.Random(4)
    path = tmp_path / "results" / "run" / runs.TRIALS_FILE
    for number in range(KILLS):
        victim = ("parent", "worker", "both")[number % 3]
        process = start(tmp_path)
        time.sleep(draw.uniform(0.3, 8.0))
        workers = workers_of(process)
        before = whole_lines(path)
        acknowledged = (
            before if path.exists() and path.read_bytes().endswith(b"\n") else before[:-1]
        )
        if victim in ("parent", "both"):
            process.kill()
        if victim in ("worker", "both"):
            for worker in workers:
                worker.kill()
        process.communicate(timeout=LIMIT_S)
        if path.exists():
            assert whole_lines(path)[: len(acknowledged)] == acknowledged
            assert runs.read(path.parent).damage == []
        for worker in workers:
            psutil.wait_procs([worker], timeout=LIMIT_S)
    finish(tmp_path)
    run = runs.read(path.parent)
    found = keys(run)
    assert set(found.values()) == {1}
    lost = [trial for trial in run.trials if trial["outcome"] == "died"]
    given_up = {case for case, count in Counter(t["case"] for t in lost).items() if count >= 2}
    if not given_up:
        assert len(found) == WHOLE
    assert len(lost) <= KILLS
    again = len(whole_lines(path))
    assert b"report.html" in finish(tmp_path)
    assert len(whole_lines(path)) == again


def test_a_worker_that_is_killed_is_an_outcome_with_its_last_words(tmp_path):
    path = tmp_path / "results" / "run" / runs.TRIALS_FILE
    process = start(tmp_path)
    deadline_s = time.monotonic() + LIMIT_S
    while len(whole_lines(path)) < 10:
        assert time.monotonic() < deadline_s
        time.sleep(0.02)
    for worker in workers_of(process):
        os.kill(worker.pid, signal.SIGKILL)
    _, errors = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 0, errors
    run = runs.read(path.parent)
    lost = [trial for trial in run.trials if trial["outcome"] != "ok"]
    assert len(lost) <= 1
    for trial in lost:
        assert trial["outcome"] == "died"
        assert "signal 9" in trial["message"]
    assert len(run.trials) == WHOLE
    assert len(run.launches) == 3
    told = json.loads(
        subprocess.run(
            [sys.executable, "-m", "nnbench", "report", "results/run", "--json"],
            cwd=tmp_path,
            capture_output=True,
            check=True,
        ).stdout
    )
    assert len(told["cases"]) == 2


HANGING = """
import subprocess, time
import keras, numpy as np

calls = 0

def build():
    global calls
    calls += 1
    # The first ones are to warm up, and to see how much is to be measured.
    if calls > 3:
        file = open("hanging", "w")
        file.write(str(subprocess.Popen(["sleep", "1000"]).pid))
        file.close()
        time.sleep(1000)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.compile("adam", "mean_squared_error")
    return model

def data():
    return np.zeros((20, 3), "float32"), np.zeros(20, "float32")
"""


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGHUP])
def test_nothing_outlives_a_command_that_is_ended_while_a_trial_hangs(tmp_path, ending):
    (tmp_path / "mine.py").write_text(HANGING)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    models = ("--model", "mine.py:build", "--data", "mine.py:data", "--name", "run")
    process = subprocess.Popen(
        [sys.executable, "-m", "nnbench", "run", *models, "--backend", "jax", "--quiet"],
        cwd=tmp_path,
        env={**os.environ, "TMPDIR": str(scratch)},
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline_s = time.monotonic() + LIMIT_S
    while not (tmp_path / "hanging").exists() or not (tmp_path / "hanging").read_text():
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline_s
        time.sleep(0.05)
    running = psutil.Process(process.pid).children(recursive=True)
    assert int((tmp_path / "hanging").read_text()) in [one.pid for one in running]
    process.send_signal(ending)
    _, errors = process.communicate(timeout=LIMIT_S)
    assert process.returncode in (-ending, 128 + ending)
    assert "Traceback" not in errors
    assert psutil.wait_procs(running, timeout=LIMIT_S)[1] == []
    assert runs.read(tmp_path / "results" / "run").damage == []
    if ending != signal.SIGKILL:
        assert process.returncode == 128 + ending
        assert list(scratch.iterdir()) == []
