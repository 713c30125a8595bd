"""A small drift study on JAX, from the command line, and what is read off it."""

import json
import shutil
from dataclasses import replace

import pytest
from projects import nnbench_in

from nnbench.drift import matrix, plan, saved, tables
from nnbench.drift.analysis import analyse
from nnbench.drift.diagnosis import ARITHMETIC, INITIAL
from nnbench.drift.policies import POLICIES
from nnbench.errors import UserError
from nnbench.store import runs
from nnbench.workload import architecture
from nnbench.workload.case import Case, Training

STUDY = ("drift", "-a", "4", "--data", "synthetic:rows=120,features=3", "--backend", "jax")
STUDY = (*STUDY, "--batch", "40", "--epochs", "3", "--seeds", "2", "--policies", "numpy,keras")
STUDY = (*STUDY, "--conditions", "same process,new process,data order,equal start,path")
STUDY = (*STUDY, "--quiet", "--name", "small")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder in which the study has been run."""
    here = tmp_path_factory.mktemp("drift")
    answer = nnbench_in(here, *STUDY, pictures=True)
    assert answer.returncode == 0, answer.stderr
    (here / "printed.txt").write_text(answer.stdout)
    return here


@pytest.fixture
def study(folder):
    return saved.read(folder / "results" / "small")


def test_the_seed_of_numpy_alone_does_not_reproduce(study):
    found = matrix.cells(study)
    for condition in (plan.SAME, plan.NEW):
        cell = matrix.cell_of(found, "jax", "numpy", condition)
        assert cell.pairs == 2
        assert cell.initial_equal == 0
        assert cell.max_ulp > 1e6
    told = tables.study_as_json(analyse(study), None)["diagnosis"]
    numpy = next(one for one in told if one["policy"] == "numpy")
    assert numpy["uncontrolled"] == [INITIAL]
    assert "arithmetic repeats bit by bit" in numpy["text"]


def test_the_seed_of_keras_reproduces_every_bit(study):
    found = matrix.cells(study)
    for condition in (plan.SAME, plan.NEW, plan.ORDER, plan.EQUAL_START):
        cell = matrix.cell_of(found, "jax", "keras", condition)
        assert cell.reproduced
        assert (cell.max_ulp, cell.disagreement, cell.first_epoch) == (0, 0, None)
    orders = {
        (record["policy"], record["seed"]): record["order"]
        for record in study.trainings.values()
        if record["condition"] == plan.ORDER
    }
    assert orders["keras", 1] != orders["keras", 2]


def test_equal_starts_leave_arithmetic_alone(study):
    """NumPy's seed leaves the weights to chance; given the weights, it trains bit by bit."""
    found = matrix.cells(study)
    assert matrix.cell_of(found, "jax", "numpy", plan.EQUAL_START).reproduced
    paths = matrix.cell_of(found, "jax", "keras", "fit / compiled")
    assert paths.initial_equal == 2
    assert paths.relative_l2 < 1e-5


def test_the_shortest_code_was_verified_and_is_printed(study, folder):
    record = analyse(study).remedies["jax"]
    assert record["seeds_equal"] == 2
    assert record["code"] == "import keras\nkeras.utils.set_random_seed(1)\n"
    printed = (folder / "printed.txt").read_text()
    assert record["code"] in printed
    assert "verified in two fresh processes" in printed
    assert "keras.utils.set_random_seed" in (study.folder / "drift.html").read_text()
    assert (study.folder / "charts" / "matrix.svg").stat().st_size > 10_000


@pytest.mark.long
def test_an_interrupted_study_goes_on(nnbench, folder, tmp_path):
    shutil.copytree(folder / "results", tmp_path / "results")
    path = tmp_path / "results" / "small" / runs.TRIALS_FILE
    lines = path.read_text().splitlines(keepends=True)
    keep = [number for number, line in enumerate(lines) if '"new process"' in line]
    # The last new process is lost, its last record in the middle.
    path.write_text("".join(lines[: keep[-1]]) + lines[keep[-1]][:30])
    before = saved.read(path.parent)
    answer = nnbench(*STUDY, "--no-remedy", "--json")
    assert answer.returncode == 0, answer.stderr
    after = saved.read(path.parent)
    assert len(after.trainings) == len(before.trainings) + 1
    assert len(after.processes) == len(before.processes) + 1
    assert not after.damage
    told = json.loads(answer.stdout)
    keras = [cell for cell in told["cells"] if cell["policy"] == "keras"]
    repeats = [cell for cell in keras if cell["condition"] == plan.NEW]
    assert repeats[0]["bitwise"] == repeats[0]["pairs"] == 2


def test_two_saved_studies_are_compared(nnbench, folder, tmp_path):
    for name in ("here", "there"):
        shutil.copytree(folder / "results" / "small", tmp_path / name)
    path = tmp_path / "there" / saved.STUDY_FILE
    plain = json.loads(path.read_text())
    plain["fingerprint"]["host"] = "elsewhere"
    path.write_text(json.dumps(plain))
    answer = nnbench("drift", "compare", "here", "there")
    assert answer.returncode == 0, answer.stderr
    assert "and elsewhere" in answer.stdout
    assert "jax, keras: 2 of 2 seeds equal in every bit" in answer.stdout
    plain["specification"]["case"]["training"]["optimizer"] = "sgd"
    path.write_text(json.dumps(plain))
    answer = nnbench("drift", "compare", "here", "there")
    assert answer.returncode == 2
    assert "did not train the same" in answer.stderr


FIGURES = """
import json, random
from nnbench.workload import datasets, architecture
from nnbench.workload.case import Case, Training
from nnbench.drift import policies
from nnbench.drift.figures import drift_figures
restore = policies.remember_generators()
data = datasets.load("synthetic:rows=80,features=3")
case = Case(architecture.parse("4"), Training(), data.name, data.digest, data.rows, data.width,
            backend="jax")
figures = drift_figures(case, epochs=3)
policies.apply(policies.KERAS, 1)
seeded = random.random()
policies.apply(policies.KERAS, 1)
restore()
print(json.dumps([figures, random.random() == seeded, keras_seed()]))
"""


def test_figures_for_suites_and_generators_as_in_a_fresh_process(in_fresh_backend):
    code = (
        "def keras_seed():\n from keras.src.utils import rng_utils\n"
        " return rng_utils.get_random_seed()\n" + FIGURES
    )
    figures, still_seeded, seed = json.loads(in_fresh_backend("jax", code).splitlines()[-1])
    assert all(type(value) is float for value in figures.values())
    assert figures["repeat_max_ulp"] == 0
    assert figures["repeat_first_differing_epoch"] == -1
    assert figures["weights_digest"] == int(figures["weights_digest"]) > 0
    assert figures["loss_difference"] < 1e-5
    assert not still_seeded
    assert seed is None


def wanted(*, cpus=2, gpu=False, other_side=None, **effort):
    case = Case(architecture.parse("4"), Training(), "banknotes", "digest", 100, 4, backend="jax")
    cases = [replace(case, backend=name) for name in ("jax", "torch", "tensorflow")]
    effort = plan.Effort(**{"seeds": 2, **effort})
    return plan.specification(cases, effort, cpus=cpus, gpu=gpu, other_side=other_side)


def test_every_pair_and_every_start_is_planned_before_it_is_needed():
    for one in (wanted(), wanted(trainings=3, gpu=True, other_side="v2"), wanted(cpus=1)):
        seen = set()
        for planned in (each for group in plan.plan(one) for each in group):
            assert planned.given is None or planned.given in seen
            assert planned.key not in seen
            seen.add(planned.key)
        assert {key for pair in plan.pairs(one) for key in (pair.first, pair.second)} == seen


def test_the_matrix_has_every_condition_of_the_machine():
    named = {pair.condition for pair in plan.pairs(wanted(gpu=True, other_side="v2"))}
    assert {plan.SAME, plan.NEW, plan.THREADS, plan.ORDER, plan.EQUAL_START} <= named
    assert {"fit / compiled", "float32 / bfloat16", "cpu / gpu", "v2"} <= named
    assert {"jax / torch", "jax / tensorflow", "torch / tensorflow"} <= named
    alone = {pair.condition for pair in plan.pairs(wanted(cpus=1))}
    assert not {plan.THREADS, "cpu / gpu", "v2"} & alone
    assert any("no GPU is at hand" in line for line in plan.skipped(wanted()))


def test_two_devices_are_compared_with_one_where_that_is_asked_for():
    asked = {"cpus": 2, "gpu": False, "other_side": None}
    case = Case(architecture.parse("4"), Training(), "banknotes", "digest", 100, 4)
    effort = plan.Effort(conditions=plan.REPLICAS)
    planned = plan.plan(plan.specification([case], effort, **asked))
    found = {(one.case.device, one.case.training.jit) for group in planned for one in group}
    assert found == {("cpu", "off"), ("cpu*2", "off")}
    with pytest.raises(UserError, match="Keras trains on one device with torch"):
        plan.specification([replace(case, backend="torch")], effort, **asked)
    several = plan.specification([replace(case, device="cpu*2")], plan.Effort(), **asked)
    assert "fit / compiled" not in {pair.condition for pair in plan.pairs(several)}
    assert any("path against path" in line for line in plan.skipped(several))


def test_deterministic_ops_never_share_a_process_with_others():
    for group in plan.plan(wanted()):
        for planned in group:
            assert planned.process.deterministic == POLICIES[planned.policy].deterministic


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--policies", "luck"], "unknown policy 'luck'"),
        (["--against", "nowhere"], "neither a run's folder"),
    ],
)
def test_a_mistake_is_one_line(nnbench, arguments, word):
    answer = nnbench("drift", "--backend", "jax", "--quiet", *arguments)
    assert answer.returncode == 2
    assert word in answer.stderr
    assert len(answer.stderr.strip().splitlines()) == 1


def test_numbers_and_conditions_that_make_no_study_are_named():
    with pytest.raises(UserError, match="0 is no number of seeds"):
        wanted(seeds=0)
    with pytest.raises(UserError, match="1 is no number of trainings"):
        wanted(trainings=1)
    with pytest.raises(UserError, match="unknown condition 'weather'"):
        wanted(conditions="weather")


def test_a_folder_without_a_study_is_named(tmp_path):
    with pytest.raises(UserError, match="no drift study"):
        saved.read(tmp_path)


def test_nothing_arithmetic_is_claimed_without_equal_starts(study):
    told = tables.study_as_json(analyse(study), None)["diagnosis"]
    assert all(ARITHMETIC not in one["uncontrolled"] for one in told)
