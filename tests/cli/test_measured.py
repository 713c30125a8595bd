"""What commands say of the data that they read, of what they leave out, and what failed of theirs.

They are called as functions here: what they measure is made up.
"""

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from models import context
from runs import make_run

from nnbench.cli import calibrate, doctor, history, options
from nnbench.cli.advise import AdviseAsked, advise
from nnbench.cli.calibrate import ShapedData
from nnbench.cli.predict import predict
from nnbench.costs import answers, calibration, page, saved
from nnbench.doctor import examination, noise_floor
from nnbench.history import bisect, commits, record
from nnbench.measure import run as measuring

MACHINE, OUTPUT = options.Machine("jax"), options.Output(quiet=True)
LEFT_OUT = "001/run.json is damaged"


@pytest.fixture(scope="module")
def here():
    return context()


@pytest.fixture
def table(tmp_path):
    """A table with a column that is left out."""
    path = tmp_path / "my.csv"
    rows = "".join(f"{i},{i % 7},one of {i},{i % 2}\n" for i in range(50))
    path.write_text(f"a,b,text,y\n{rows}")
    return str(path)


@pytest.fixture
def failed(tmp_path):
    """A run of which one network could not be measured."""
    return make_run(tmp_path, {"6,6": {}, "20": {}}, outcomes={"20": "failed"})


def told(capsys, table):
    """The lines on standard error, after that on the data, which stands there once."""
    lines = capsys.readouterr().err.splitlines()
    of_data = [line for line in lines if line.startswith(table)]
    assert of_data == [f"{table}: left out as text: text"]
    return [line for line in lines if line not in of_data]


def test_predict_and_advise_tell_what_they_leave_out(table, here, monkeypatch, capsys):
    monkeypatch.chdir(Path(table).parent)
    made = saved.Calibrated(here.model, datetime.now(UTC), [LEFT_OUT], here.setting, 60.0)
    monkeypatch.setattr(answers, "load", lambda *_: made)
    monkeypatch.setattr(answers, "load_nearest", lambda *_: made)
    # What is calibrated is looked for before it is loaded.
    run = Path(OUTPUT.results, "calibration", "one", "fit", "run.json")
    run.parent.mkdir(parents=True)
    run.touch()
    monkeypatch.setattr(answers, "load_if_any", lambda *_: (None, []))
    data = ShapedData(table, label="y")
    predict("6,6", "8,8", data=data, machine=MACHINE, output=OUTPUT)
    assert told(capsys, table) == [f"skipped {LEFT_OUT}"]
    asked = AdviseAsked(data=data, machine=MACHINE, output=OUTPUT)
    assert advise("6,6", asked=asked) == 0
    assert told(capsys, table) == [f"skipped {LEFT_OUT}"]


def test_calibrate_tells_what_failed_and_its_status(table, here, failed, monkeypatch, capsys):
    made = calibration.Calibration(here.model, [failed], [LEFT_OUT])
    monkeypatch.setattr(calibration, "calibrate", lambda *_: made)
    monkeypatch.setattr(page, "write", lambda folder, _: folder)
    data = ShapedData(table, label="y")
    assert calibrate.calibrate(data=data, machine=MACHINE, output=OUTPUT) == 1
    skipped, not_measured, *_ = told(capsys, table)
    assert skipped == f"skipped {LEFT_OUT}"
    assert not_measured.startswith("not measured: 20x1: ")


def test_the_doctor_tells_what_failed_and_its_status(table, failed, monkeypatch, capsys):
    floor = noise_floor.NoiseFloor(5, 30.0, {})
    monkeypatch.setattr(noise_floor, "measure", lambda *_: (floor, failed))
    monkeypatch.setattr(examination, "examine", lambda _: [])
    asked = options.Asked(data=options.Data(table, label="y"), machine=MACHINE, output=OUTPUT)
    assert doctor.doctor(asked=asked) == 1
    assert told(capsys, table)[0].startswith("not measured: 20x1: ")
    assert doctor.doctor(asked=asked, measure=False) == 0


def test_commits_in_turn_tell_once_how_data_were_read(table, failed, monkeypatch, capsys):
    part = SimpleNamespace(
        name="part", round=1, folder=lambda parent: parent, environments=lambda _: {}
    )
    monkeypatch.setattr(commits, "chosen", lambda *_: [])
    monkeypatch.setattr(record, "plan", lambda *_, **__: [part, part])
    monkeypatch.setattr(record, "check_out", lambda _: {})
    monkeypatch.setattr(measuring, "execute", lambda *_: failed)
    data = options.Data(table, label="y")
    asked = history.Measured(data=data, machine=MACHINE, output=OUTPUT)
    assert history.record("HEAD", measured=asked) == 1
    reasons = ["not measured: 20x1: line 1", "line 2"]
    assert told(capsys, table) == 2 * reasons  # Of each part.

    def search(_, phase, measure, tell):
        monkeypatch.setattr(record, "plan", lambda *_, **__: [part])
        return [measure([], 0), measure([], 1)]

    monkeypatch.setattr(bisect, "chosen", lambda *_: [])
    monkeypatch.setattr(bisect, "search", search)
    monkeypatch.setattr(bisect, "as_json", lambda _: {})
    monkeypatch.setattr("nnbench.history.words.outcome", lambda _: "")
    assert history.bisect("HEAD~1", measured=asked) == 1
    assert told(capsys, table) == 2 * reasons
