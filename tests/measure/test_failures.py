"""What fails in a run: what goes on, what is told, and what the exit status says."""

import json
import os

import numpy as np
import pytest
from projects import git

from nnbench.errors import UserError
from nnbench.machine import fingerprint
from nnbench.measure import process
from nnbench.measure import run as measuring
from nnbench.measure.process import WorkerLostError
from nnbench.measure.protocol import Environment
from nnbench.store import runs
from nnbench.workload import datasets, user_code
from nnbench.workload.study import Effort, Networks, Study

READY = {"import_s": 1.0, "first_use_s": 1.0, "product_flops_per_s": 1e9}


@pytest.fixture
def play(monkeypatch):
    """Workers that only play; it is told what befalls a trial, and says what was started."""
    started = []

    class Player:
        def __init__(self, case, data, log, environment):
            self.case, self.log, self.pid = case, log, 1
            self.side = environment.python
            started.append((self.side, case.label))

        def wait_until_ready(self, limit_s):
            if lost := Player.fails(self.side, self.case, measuring.START_KIND):
                raise lost
            return dict(READY, versions={}, device_name="a CPU", cpus=2)

        def ask(self, case, limit_s, *, kind, seed):
            if lost := Player.fails(self.side, case, kind):
                raise lost
            values = Player.draw.lognormal(0, 0.05, 3).tolist()
            phases = {"cold": ["cold"], "phases": ["build", "epoch"], "step": ["step"]}[kind]
            return {"samples_s": dict.fromkeys(phases, values), "outcome": "ok"}

        def stop(self):
            pass

    def play(fails):
        Player.fails, Player.draw = staticmethod(fails), np.random.default_rng(0)
        started.clear()
        return started

    monkeypatch.setattr(measuring, "Worker", Player)
    monkeypatch.setattr(measuring, "NOISE_WINDOW_S", 1e9)
    monkeypatch.setattr(measuring, "LEAST_NOISE_WINDOW_S", 1e9)
    return play


@pytest.fixture
def run(tmp_path, play):
    """Measure networks by such workers."""

    def measure(fails, *, sides=None, name="run", **effort):
        measure.started = play(fails)
        data = datasets.load("synthetic:rows=32,features=3")
        study = Study(Networks(("4", "8")), effort=Effort(**{"launches": 3, "blocks": 1, **effort}))
        where = {side: Environment(python=side) for side in sides or ("",)}
        cases = study.cases(data)
        wanted = measuring.specification(study, cases, sides=list(where))
        folder = tmp_path / name
        if not folder.exists():
            runs.create(tmp_path, name, wanted, fingerprint.take())
        return measuring.execute(folder, data, lambda _: None, where)

    return measure


def raised(text="ValueError: bad (mine.py:3)\n  mine.py, line 3, in made: raise"):
    return WorkerLostError("died", text)


def only(label, side=None, kind=None):
    """What befalls the trials of one network, of one side or kind."""

    def fails(on, case, asked):
        hit = case.label == label and side in (None, on) and kind in (None, asked)
        return raised() if hit else None

    return fails


def good(run):
    return {
        (run.cases[one["case"]].label, one["side"]) for one in run.trials.records(run.good_rows())
    }


@pytest.mark.parametrize("kind", [measuring.START_KIND, "cold"])
def test_of_a_network_that_fails_the_reason_is_told_once_and_the_others_are_measured(run, kind):
    found = run(only("8x1", kind=kind))
    (failure,) = measuring.failures(found)
    assert failure.network == "8"
    assert failure.reason == "ValueError: bad (mine.py:3)"
    assert failure.details == ("  mine.py, line 3, in made: raise",)
    assert ("4x1", "") in good(found)
    assert measuring.is_complete(found)


def test_a_network_with_which_no_worker_starts_is_tried_once(run):
    run(only("8x1"))
    assert run.started.count(("", "8x1")) == 1


def test_where_nothing_is_measured_the_first_reason_is_an_error(run):
    with pytest.raises(UserError, match=r"nothing was measured: .*ValueError: bad") as told:
        run(lambda *_: raised())
    assert told.value.details == ("  mine.py, line 3, in made: raise",)


def test_what_could_not_start_is_tried_again_by_the_same_command(run):
    with pytest.raises(UserError):
        run(lambda *_: raised())
    found = run(lambda *_: None)
    assert good(found) == {("4x1", ""), ("8x1", "")}
    numbers = [one["trial"] for one in found.trials]
    assert len(set(numbers)) == len(numbers)


def test_a_commit_that_fails_does_not_end_the_others(run):
    found = run(only("8x1", side="b"), sides=("a", "b", "c"))
    assert good(found) == {*(("4x1", side) for side in "abc"), *(("8x1", side) for side in "ac")}


def test_one_side_alone_is_compared_with_nothing(run):
    found = run(only("8x1", side="b"), sides=("a", "b"))
    assert good(found) >= {("4x1", "a"), ("4x1", "b")}
    asked = [one for one in found.trials if found.cases[one["case"]].label == "8x1"]
    assert len({one["round"] for one in asked}) == 1


def test_a_precision_is_not_waited_for_where_nothing_can_be_measured(run):
    found = run(only("8x1"), precision="90%")
    assert max(one["round"] for one in found.trials) == measuring.LEAST_ROUNDS - 1


def killed(*_):
    return WorkerLostError("died", "the worker ended with signal 9", by_itself=False)


def test_a_worker_that_is_killed_as_it_starts_is_started_once_more(run):
    ends = iter([killed()])
    found = run(lambda on, case, asked: next(ends, None) if asked == "start" else None)
    assert good(found) == {("4x1", ""), ("8x1", "")}
    assert found.failures() == []


def test_a_network_with_which_workers_are_killed_does_not_cost_the_others(run):
    found = run(lambda on, case, asked: killed() if case.label == "4x1" else None)
    assert good(found) == {("8x1", "")}
    (failure,) = measuring.failures(found)
    assert failure.told == "not measured: 4: the worker ended with signal 9"
    with pytest.raises(UserError, match=r"nothing was measured: .*signal 9"):
        run(killed, name="none")


MODEL = """
import keras, numpy as np

def good():
    return made(4)

def bad():
    return made(0)

def made(width):
    if not width:
        raise ValueError("no width")
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(width)])
    model.compile("adam", "mean_squared_error")
    return model

calls = 0

def once():
    global calls
    calls += 1
    return good() if calls == 1 else bad()

def data():
    rng = np.random.default_rng(0)
    return rng.normal(size=(40, 3)).astype("float32"), rng.normal(size=40).astype("float32")
"""

TRAINING = (
    *("--data", "mine.py:data", "--backend", "jax", "--epochs", "2", "--launches", "1"),
    *("--blocks", "1", "--quiet", "--name", "run"),
)
PLACES = [
    "  mine.py, line 8, in bad: return made(0)",
    '  mine.py, line 12, in made: raise ValueError("no width")',
]


@pytest.fixture
def code(tmp_path):
    (tmp_path / "mine.py").write_text(MODEL)
    return tmp_path


@pytest.mark.usefixtures("no_pictures")
def test_the_exit_status_says_that_a_network_could_not_be_measured(nnbench, play):
    asked = ("run", "4", "8", "--backend", "jax", "--launches", "2", "--quiet", "--json")
    play(only("8x1"))
    answer = nnbench(*asked)
    assert answer.returncode == 1
    assert answer.stderr.startswith("not measured: 8: ValueError: bad (mine.py:3)\n")
    assert [one["architecture"] for one in json.loads(answer.stdout)["cases"]] == ["4x1"]
    play(lambda *_: raised())
    answer = nnbench(*asked, "--fresh", "--name", "none")
    assert answer.returncode == 2
    assert answer.stderr.startswith("nnbench: nothing was measured: ")
    assert answer.stdout == ""


@pytest.mark.usefixtures("no_pictures")
def test_a_folder_that_results_were_asked_for_has_an_index_from_the_first_on(
    nnbench, play, tmp_path
):
    asked = ("run", "4", "8", "--backend", "jax", "--launches", "1", "--quiet", "--json")
    play(lambda *_: None)
    own = tmp_path / "own"
    own.mkdir()
    (own / "index.html").write_text("a page of mine")
    for folder in ("mine", "results/of/april", "own"):
        assert nnbench(*asked, "--results", folder, "--name", "one").returncode == 0
    for folder in ("mine", "results/of/april"):
        assert 'href="one/report.html"' in (tmp_path / folder / "index.html").read_text()
    assert 'href="of/april/one/report.html"' in (tmp_path / "results/index.html").read_text()
    assert (own / "index.html").read_text() == "a page of mine"
    assert {one.name for one in tmp_path.iterdir()} <= {"mine", "results", "own", "mine.py"}


@pytest.mark.long
def test_a_network_that_cannot_be_trained_does_not_cost_the_others(nnbench, code):
    models = [f"--model=mine.py:{name}" for name in ("bad", "good", "once")]
    answer = nnbench("run", *models, *TRAINING, "--json")
    assert answer.returncode == 1
    told = answer.stderr.splitlines()
    reason = "ValueError: no width (mine.py:12)"
    where = told.index(f"not measured: mine.py:bad failed: {reason}")
    assert told[where + 1 : where + 3] == PLACES
    assert f"not measured: mine.py:once failed: {reason}" in told
    assert [one["model"] for one in json.loads(answer.stdout)["cases"]] == ["mine.py:good"]


@pytest.mark.long
@pytest.mark.parametrize(
    "command",
    [
        ("drift", "--seeds", "1", "--no-remedy", "--epochs", "3"),
        ("compare", "--against", "HEAD", "--launches", "1", "--epochs", "2"),
    ],
)
def test_every_command_says_that_nothing_could_be_trained(nnbench, code, command):
    for one in (["init", "-q"], ["add", "."], ["commit", "-qm", "one"]):
        git(code, *one)
    models = ("--model", "mine.py:bad", "--data", "mine.py:data", "--backend", "jax", "--quiet")
    answer = nnbench(*command, *models)
    assert answer.returncode == 2
    assert "ValueError: no width" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_a_function_that_hangs_is_given_up_at_the_limit(nnbench, code, monkeypatch):
    monkeypatch.setattr(process, "FIRST_USE_S", 0.5)
    (code / "slow.py").write_text("import time\ndef hang(): time.sleep(999)\n")
    answer = nnbench("run", "--model", "slow.py:hang", "--limit", "1", *TRAINING)
    assert answer.returncode == 2
    (line,) = answer.stderr.splitlines()
    assert line == (
        "nnbench: nothing was measured: slow.py:hang was not made and trained within 1 s: "
        "mend it or raise --limit"
    )
    (trial,) = runs.read(code / "results" / "run").trials
    assert trial["outcome"] == "timeout"


HALVES = 'def model():\n    raise ValueError("\\ud800 alone")\n\n\ndef data():\n    model()\n'


def test_a_reason_that_holds_half_a_surrogate_pair_is_told(nnbench, code):
    (code / "half.py").write_text(HALVES)
    answer = nnbench("run", "--model", "half.py:model", *TRAINING)
    assert answer.returncode == 2
    assert answer.stderr.startswith("nnbench: nothing was measured: half.py:model failed: ")
    assert "\\ud800 alone" in answer.stderr
    answer = nnbench("data", "show", "half.py:data")
    assert answer.returncode == 2
    assert "half.py:data failed: ValueError: \\ud800 alone" in answer.stderr


@pytest.mark.long
def test_a_file_whose_name_is_not_utf_8_is_trained_on(nnbench, code):
    name = os.fsdecode(b"b\xff.csv")
    rows = "".join(f"{one},{one % 2}\n" for one in range(40))
    (code / name).write_text(f"a,y\n{rows}")
    asked = ("4", "--label", "y", "--backend", "jax", "--epochs", "2", "--launches", "1")
    answer = nnbench("run", *asked, "--blocks", "1", "--data", name, "--quiet", "--name", "run")
    assert answer.returncode == 0, answer.stderr
    assert len(runs.read(code / "results" / "run").good_rows())
    assert nnbench("report", "results/run").returncode == 0


def failure_of(act):
    with pytest.raises((RuntimeError, ValueError)) as raised:
        act()
    return raised.value


def test_a_long_message_is_told_by_its_beginning_and_end():
    def act():
        raise RuntimeError(
            "in user code:\n\n" + "\n".join(["of no use"] * 100) + "\nValueError: why"
        )

    (reason,) = user_code.reason(failure_of(act)).splitlines()
    assert reason.startswith("RuntimeError: in user code: of no use")
    assert "ValueError: why" in reason
    assert len(reason) < 500


def test_what_keras_was_given_is_no_reason():
    def act():
        raise ValueError(
            "Exception encountered when calling Odd.call().\n\n\x1b[1mwrong shape\x1b[0m\n\n"
            "Arguments received by Odd.call():\n  • x=1"
        )

    reason = user_code.reason(failure_of(act))
    assert reason.startswith(
        "ValueError: Exception encountered when calling Odd.call(). wrong shape"
    )
    assert "Arguments" not in reason
    assert not any("Arguments" in line for line in user_code.told(failure_of(act)))


def test_only_frames_of_ones_own_code_are_told():
    def act():
        json.loads("{")

    reason, *places = user_code.told(failure_of(act))
    assert "JSONDecodeError" in reason
    assert "test_failures.py" in reason
    assert "decoder.py" not in "\n".join(places)
