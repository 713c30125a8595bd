"""Damage of drift studies and recorded trainings: named with its file, and the rest is read."""

import itertools
import json

import numpy as np
import pytest
from fuzz.damage import in_json
from runs import FINGERPRINT
from trajectories import made

from nnbench.cli.drift import show
from nnbench.drift import golden, plan, saved, trajectory
from nnbench.drift.analysis import analyse, compare
from nnbench.errors import UserError
from nnbench.store.folder import RECORDS_FILE, Writer
from nnbench.workload import architecture
from nnbench.workload.case import Case, Training

pytestmark = pytest.mark.filterwarnings("error")
CASE = Case(architecture.parse("4"), Training(), "banknotes", "digest", 100, 4, backend="jax")
WEIGHTS = np.ones((3, 2, 2), np.float32)


@pytest.fixture
def folder(tmp_path):
    """A study whose trainings are all equal, with one record of each kind."""
    effort = plan.Effort(policies="keras", conditions="new process,data order", seeds=1)
    wanted = plan.specification([CASE], effort, cpus=2, gpu=False, other_side=None)
    found = saved.FORMAT.create(tmp_path, "study", wanted, FINGERPRINT)
    file = trajectory.keep(made(WEIGHTS), found / saved.TRAJECTORIES)
    writer = Writer(found)
    for one in itertools.chain.from_iterable(plan.plan(wanted)):
        record = {"kind": "training", "key": one.key, "backend": "jax", "policy": one.policy}
        record |= {"seed": one.seed, "condition": one.condition, "outcome": "ok", "file": file}
        writer.append({**record, "order": "as given"})
    turn = {"kind": "timing", "backend": "jax", "launch": 0, "pair": 0}
    for deterministic in (True, False):
        writer.append({**turn, "deterministic": deterministic, "duration_s": 1.0})
    tried = {"seeds": 1, "seeds_equal": 1, "reproduces": True, "problem": "", "last": False}
    writer.append({"kind": "remedy", "backend": "jax", "code": "import keras", **tried})
    writer.append({"kind": "process", "process": 0, "backend": "jax"})
    writer.append({"kind": "skipped", "why": "no GPU"})
    writer.close()
    return found


def refusal(folder, *, all_of_it):
    """How a study is refused; empty if it is read, and then it is analysed, too."""
    try:
        found = saved.read(folder)
    except UserError as mistake:
        return str(mistake)
    if all_of_it:
        analyse(found)
    return ""


def test_whatever_a_description_holds_it_is_read_or_refused_in_a_line(folder):
    path, refused = folder / saved.STUDY_FILE, []
    for number, content in enumerate(in_json.all_of(path.read_bytes())):
        path.write_bytes(content)
        refused += filter(None, [refusal(folder, all_of_it=number % 60 == 0)])
    assert len(refused) > 500
    assert all(str(path) in one and "\n" not in one and len(one) < 1000 for one in refused)


def test_records_that_cannot_be_are_named_and_the_others_count(folder):
    path = folder / RECORDS_FILE
    lines = path.read_bytes().splitlines()
    seen = {json.loads(line)["kind"]: number for number, line in enumerate(lines)}
    assert len(seen) == 5
    for position in seen.values():
        for number, content in enumerate(in_json.all_of(lines[position])):
            others = [*lines[:position], content, *lines[position + 1 :], b""]
            path.write_bytes(b"\n".join(others))
            assert not refusal(folder, all_of_it=number % 60 == 0)
            (*named,) = saved.read(folder).damage
            assert len(named) <= 1
            assert all(f"line {position + 1} " in one for one in named)


def test_records_that_stand_there_twice_count_once(folder):
    path = folder / RECORDS_FILE
    before = saved.read(folder)
    path.write_bytes(path.read_bytes() * 2)
    found = saved.read(folder)
    for name in ("trainings", "processes", "remedies", "timings", "skipped"):
        assert getattr(found, name) == getattr(before, name)
    assert all("repeats line" in one for one in found.damage)


def test_what_is_damaged_is_told_as_skipped(folder, capsys):
    path = folder / RECORDS_FILE
    path.write_bytes(path.read_bytes() + b"{\n")
    number = len(path.read_bytes().splitlines())
    show(folder)
    told = capsys.readouterr()
    assert told.err.startswith(f"skipped {path}: line {number} cannot be read")
    assert str(path) not in told.out
    assert "Not run: no GPU" in told.out
    assert f"line {number} cannot be read" in (folder / "drift.html").read_text()


@pytest.mark.parametrize(
    "file", ["../../elsewhere.npz", "/etc/passwd", "x/y.npz", "", None, "a.txt"]
)
def test_no_record_names_a_file_outside_its_study(folder, file):
    path = folder / RECORDS_FILE
    first, *others = path.read_text().splitlines()
    record = {**json.loads(first), "file": file}
    path.write_text("\n".join([json.dumps(record), *others, ""]))
    found = saved.read(folder)
    assert record["key"] not in found.trainings
    assert "line 1 " in found.damage[0]


def arrays_of(path):
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


CHANGES = {
    "epochs": [np.array([1, 2, 3]), np.array([0, 2, 1]), np.array(0), np.array(["a", "b", "c"])],
    "names": [np.array("x"), np.array(["a", "b"]), np.zeros((0,))],
    "weights_0": [np.ones((2, 2)), np.array(["a", "b", "c"]), np.array(1.0), np.ones(3, "g")],
    "losses": [np.array(0.5), np.array(["a"]), np.ones((2, 2))],
    "predictions": [np.array(0.5), np.array(["a"])],
    "layers": [np.array(["one"]), np.ones((1, 1))],
    "classes": [],
    "order": [],
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_trajectory_holds_what_it_should_or_is_refused(tmp_path, name):
    path = tmp_path / "t.npz"
    trajectory.write(made(WEIGHTS), path)
    arrays = arrays_of(path)
    for value in (None, *CHANGES[name]):
        others = {key: array for key, array in arrays.items() if key != name}
        np.savez(path, **others, **({} if value is None else {name: value}))
        with pytest.raises(UserError, match=r"t\.npz is damaged \(.*\): restore it"):
            trajectory.read(path)


def test_trainings_of_unlike_arrays_are_distinguishable_by_their_shapes():
    first = made(WEIGHTS)
    huge = made(np.full((3, 2, 2), 1e300))
    assert not trajectory.drift(first, huge).comparable
    assert trajectory.drift(huge, made(np.full((3, 2, 2), -1e300))).comparable
    fewer = made(WEIGHTS, predictions=np.zeros((3, 2)))
    assert not trajectory.drift(first, fewer).comparable


def test_studies_of_nobody_knows_where_are_said_to_be(folder):
    path = folder / saved.STUDY_FILE
    plain = json.loads(path.read_text())
    del plain["fingerprint"]["cpu"], plain["fingerprint"]["versions"]
    path.write_text(json.dumps(plain))
    found = compare(saved.read(folder), saved.read(folder))
    assert found.unlike == ["cpu: known of neither", "versions: known of neither"]


def test_whatever_a_recorded_training_holds_it_is_read_or_refused_in_a_line(tmp_path):
    path = tmp_path / golden.DESCRIPTION
    description = {
        "schema": 1,
        "case": CASE.to_json(),
        "data": {"data": "banknotes", "label": None},
        "policy": "keras",
        "seed": 1,
        "bounds": {"relative": 1e-4, "ulp": None},
        "fingerprint": FINGERPRINT,
        "code": {"mine.py:build": "0a"},
    }
    trajectory.write(made(WEIGHTS), tmp_path / golden.ARRAYS)
    refused = []
    for content in in_json.all_of(json.dumps(description).encode()):
        path.write_bytes(content)
        try:
            golden.read(tmp_path)
        except UserError as mistake:
            refused.append(str(mistake))
    assert len(refused) > 300
    assert all(str(path) in one and "\n" not in one and len(one) < 1000 for one in refused)
