"""What a tuning tells: sentences, table, chart, code; and one small tuning for real."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from projects import nnbench_in
from tunings import new, present, simulated

from nnbench.drift.metrics import Drift
from nnbench.errors import UserError
from nnbench.show import terminal
from nnbench.show.plain import plain
from nnbench.tune import charts, code, page, tables, words
from nnbench.tune.finding import Finding, Trained
from nnbench.workload.case import Case

LONG = pytest.mark.long
DRIFTED = Drift(True, 2e-6, relative_l2=3e-7, disagreement=0.0, initial_equal=True)


def speed(case):
    fast = {"tensorflow": 1.0, "jax": 0.5, "torch": 2.0}[case.backend]
    steps = 0.8 if case.training.steps_per_execution else 1.0
    batch = (32 / case.batch_rows) ** 0.3
    low = 1.5 if case.training.precision != "float32" else 1.0
    if case.backend == "torch" and case.path == "compiled":
        return None
    return 0.02 * fast * steps * batch * low * (0.1 if case.path == "compiled" else 1.0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("tuning")


@pytest.fixture(scope="module")
def found(folder):
    tuning = simulated(new(folder=folder), speed)
    host = {"host": "here", "cpu": "a CPU", "cpus": 2}
    finding = Finding.of(replace(tuning, fingerprint=host))
    same = replace(finding.same, trained=Trained(DRIFTED, "", 3 * 2**28))
    return replace(finding, same=same, again=Trained(replace(DRIFTED, bitwise=True), "", 2**29))


def test_the_finding_is_the_first_sentence_with_its_interval(found):
    first, *others = words.sentences(found)
    assert first.startswith("Fastest with the same training: jax, compiled: an epoch takes 0.0")
    assert "[0.0" in first
    assert "the time that it takes now (tensorflow, fit, batches of 32), " in first
    assert first.endswith(" ms.")
    told = " ".join(others)
    assert "losses are 2.0e-06 apart at most and weights 3.0e-07 (relative)" in told
    assert "as it is now, two trainings are equal in every bit" in told
    assert "Faster still, but it changes the training: jax, compiled, batch" in told
    assert "What it changes numerically is not known: it was not trained." in told


def test_what_failed_is_a_note(found):
    notes = words.warnings(found)
    assert "Not timed: torch, compiled: no such thing" in notes
    assert len(notes) == 2


def test_nothing_faster_is_a_finding(folder):
    found = Finding.of(simulated(new(folder=folder, budget_s=60), lambda case: 0.02))
    assert found.answers == []
    first = words.sentences(found)[0]
    assert first.startswith("Nothing that was tried and keeps the training was found to be faster")
    assert tables.table(found).bold == frozenset()
    assert tables.as_json(found, Path("x"))["same_training"] is None


def test_what_is_likely_faster_and_not_shown_is_named_as_that(folder):
    def epoch_s(case):
        return 0.017 if case.path == "compiled" else 0.02

    found = Finding.of(simulated(new(folder=folder, budget_s=60), epoch_s, noise=0.2))
    assert found.same is None
    assert found.likely.ratio.value < 1 <= found.likely.ratio.high
    said = words.sentences(found)[1]
    assert said.startswith(f"Likely, but not shown: {found.likely.name} takes ")
    assert tables.as_json(found, Path("x"))["likely"]["name"] == found.likely.name


@pytest.mark.parametrize("width", [60, 80])
def test_the_table_fits_and_drops_no_name(found, capsys, monkeypatch, width):
    monkeypatch.setenv("COLUMNS", str(width))
    terminal.print_table(tables.table(found), width)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= width
    # A name may be folded: it begins a line, and figures stand well apart from it.
    starts = (re.split(r"\s{2,}", line.strip())[0] for line in lines)
    shown = "".join(starts).replace(" ", "")
    for one in [*found.settings[:3], found.present]:
        assert one.name.replace(" ", "") in shown
    assert "(now)" in shown


def test_the_chart_names_every_bar_and_the_page_holds_the_code(found):
    figure = charts.ratios(found)
    named = [one.get_text() for one in figure.axes[0].get_yticklabels()]
    assert len(named) == min(len(found.settings), charts.MOST_BARS)
    assert named[-1].startswith(found.settings[0].name)
    assert any("(now)" in one for one in named)
    written = page.write(found).read_text()
    assert "nnbench.fast_fit(model, x, y, batch_size=32, ...)" in written
    assert "os.environ[&#34;KERAS_BACKEND&#34;] = &#34;jax&#34;" in written
    json.dumps(plain(tables.as_json(found, Path("x"))), allow_nan=False)


def test_too_little_is_told():
    with pytest.raises(UserError, match="holds no timing yet"):
        Finding.of(new())


SETTINGS = [
    {"backend": "jax", "path": "compiled"},
    {"backend": "jax", "threads": 1, "steps_per_execution": 4, "jit": "on"},
    {"backend": "jax", "source": "pydataset", "batch_size": 8},
    {"backend": "jax", "precision": "bfloat16"},
]


def changed(case, fields):
    training = {name: one for name, one in fields.items() if hasattr(case.training, name)}
    others = {name: one for name, one in fields.items() if name not in training}
    return replace(case, training=replace(case.training, **training), **others)


@LONG
def test_the_code_that_is_told_runs(in_fresh_backend):
    now = present(batch=4, rows=32)
    told = [code.to_write(now, changed(now, one)) for one in SETTINGS]
    assert all('os.environ["KERAS_BACKEND"] = "jax"' in one for one in told)
    assert "os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])" in told[1]
    assert "model.compile(..., jit_compile=True, steps_per_execution=4)" in told[1]
    assert "model.fit(Rows(x, y, 32, batch_size=8), ...)" in told[2]
    script = "import numpy as np\nx = np.ones((32, 3), 'float32')\ny = np.ones((32, 1))\n"
    for one in told:
        made = "model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])"
        compiled = one.replace("compile(..., ", "compile('sgd', 'mse', ").replace(
            ", ...)", ", epochs=2, verbose=0)"
        )
        lines = compiled.split("\n")
        at = next(n for n, line in enumerate(lines) if line.startswith(("model.", "nnbench.")))
        begin = [*lines[:at], "import keras", made, "model.compile('sgd', 'mse')", *lines[at:]]
        script += "\n".join(begin)
        script += "\nprint(model.layers[0].compute_dtype, model.steps_per_execution)\n"
    assert in_fresh_backend("jax", script).splitlines() == [
        *("float32 1", "float32 4", "float32 1"),
        "bfloat16 1",
    ]


@LONG
def test_a_small_tuning_over_two_backends_is_resumed_and_recorded(tmp_path):
    asked = ["tune", "6x2", "--data", "synthetic:rows=96,features=3", "--backend", "jax,torch"]
    asked += ["--keep", "threads,source", "--budget", "5s", "--epochs", "3", "--json"]
    done = nnbench_in(tmp_path, *asked)
    assert done.returncode == 0, done.stderr
    assert "now: jax, fit, cpu, batches of 32" in done.stderr
    assert "Traceback" not in done.stderr
    told = json.loads(done.stdout)
    assert {one["name"] for one in told["settings"]} >= {"jax, fit", "jax, compiled"}
    for one in told["settings"]:
        assert one["ratio"]["value"] > 0
        assert Case.from_json(one["case"]).rows == 96
    assert told["now"]["ratio"] == {"value": 1.0, "low": 1.0, "high": 1.0}
    drift = told["now_again"]["drift"]
    # In so short a budget it may be left out, which is told.
    assert drift["bitwise"] if drift else "drift" in done.stderr + json.dumps(told)
    assert (tmp_path / told["page"]).exists()
    records = tmp_path / told["folder"] / "trials.jsonl"
    kept = [json.loads(line) for line in records.read_text().splitlines()]
    assert [one["kind"] for one in kept if one["kind"] in ("look", "done")] == ["look", "done"]
    # Cut off after the first turn's first time of the last rung: that rung is timed anew.
    last = max(n for n, one in enumerate(kept) if one["kind"] == "training")
    records.write_text("".join(f"{json.dumps(one)}\n" for one in kept[:last]))
    again = nnbench_in(tmp_path, *asked)
    assert again.returncode == 0, again.stderr
    assert "going on with the unfinished tuning" in again.stderr
    lines = records.read_text().splitlines()
    assert [json.loads(one) for one in lines[:last]] == kept[:last]
    kinds = {json.loads(one)["kind"] for one in lines[last:]}
    # A budget that is spent already starts nothing more.
    assert {"training", "done"} <= kinds <= {"start", "training", "done"}
    assert [one["name"] for one in json.loads(again.stdout)["settings"]] == [
        one["name"] for one in told["settings"]
    ]
