"""A study is the same record however it was made."""

from dataclasses import replace

import pytest

from nnbench.errors import UserError
from nnbench.machine import devices
from nnbench.workload import study as studies
from nnbench.workload.study import Data, Effort, Machine, Networks, Study, TrainingOptions

FILE = """
[networks]
architectures = ["6,6", "6x5"]

[data]
data = "synthetic:rows=80,features=3"

[training]
epochs = 7
batch = 20

[machine]
backend = "jax"
path = "fit,compiled"

[effort]
launches = 2
limit = 60
"""


def written(tmp_path, text):
    path = tmp_path / "study.toml"
    path.write_text(text)
    return path


def test_a_file_and_python_make_the_same_record(tmp_path):
    from_file = studies.read(written(tmp_path, FILE))
    assert from_file == Study.of(
        ["6,6", "6x5"],
        data="synthetic:rows=80,features=3",
        epochs=7,
        batch="20",
        backend="jax",
        path="fit,compiled",
        launches=2,
        limit=60.0,
    )


def test_every_combination_is_a_case_once(tmp_path):
    study = studies.read(written(tmp_path, FILE))
    cases = study.cases(study.data.load())
    assert [(case.label, case.path) for case in cases] == [
        ("6x2", "fit"),
        ("6x5", "fit"),
        ("6x2", "compiled"),
        ("6x5", "compiled"),
    ]
    assert {case.training.batch_size for case in cases} == {20}
    assert {case.cold_epochs for case in cases} == {7}


def test_options_override_a_file(tmp_path):
    asked = Study(Networks(("8",)), Data(), TrainingOptions(epochs=9), Machine(), Effort(blocks=1))
    found = studies.read(written(tmp_path, FILE)).overridden_by(asked)
    assert found.networks.architectures == ("8",)
    assert (found.training.epochs, found.training.batch) == (9, "20")
    assert (found.effort.launches, found.effort.blocks) == (2, 1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[trainning]\nepochs = 3", "'trainning' is not known: did you mean training?"),
        ("[training]\nepoch = 3", "[training] 'epoch' is not known: did you mean epochs?"),
        ("[training]\nepochs = 'many'", "[training] epochs = 'many' is not of the right kind"),
        ("[effort]\nlaunches = true", "[effort] launches = True is not of the right kind"),
        ("training = 3", "training is a table, written [training]"),
        ("[training", "is not TOML"),
        (f"[training]\nepochs = {'9' * 400}", "[training] epochs = 99999"),
        (f"[training]\nepochs = {'9' * 5000}", "is not TOML"),
        (f"[effort]\nlimit = {'9' * 400}", "[effort] limit = 99999"),
        ("[effort]\nlimit = nan", "[effort] limit = nan is not of the right kind"),
        ("[effort]\nlimit = 1e999", "[effort] limit = inf is not of the right kind"),
        ("[data]\ndata = 2026-01-01", "is not of the right kind: str is wanted"),
        ("[networks]\narchitectures = [1]", "architectures = [1] is not of the right kind"),
        (f"x = {'[' * 100_000}", "is nested too deep"),
        (f"[{'x' * 10_000}]", "is not known: there are networks"),
        ("[data]\ndata = '\x00'", "is not TOML"),
    ],
)
def test_a_file_that_is_wrong_says_where(tmp_path, text, message):
    path = written(tmp_path, text)
    with pytest.raises(UserError) as caught:
        studies.read(path)
    assert str(caught.value).startswith(f"{path}")
    assert message in str(caught.value)


def test_a_study_that_is_no_file_is_named(tmp_path):
    with pytest.raises(UserError, match="is a folder: name a study's TOML file"):
        studies.read(tmp_path)
    (tmp_path / "study.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(UserError, match="is not TOML"):
        studies.read(tmp_path / "study.toml")


@pytest.mark.parametrize(
    ("table", "option"), [("networks]\nmodel", "--model"), ("data]\ndata", "--data")]
)
def test_a_study_runs_no_code_that_is_not_named_on_the_command_line(
    nnbench, tmp_path, table, option
):
    (tmp_path / "mine.py").write_text("from pathlib import Path\nPath('planted').touch()\n")
    written(tmp_path, f'[{table} = "mine.py:build"')
    answer = nnbench("run", "study.toml", "--backend", "jax")
    assert answer.returncode == 2
    assert answer.stderr.splitlines() == [
        f"nnbench: study.toml names code to run: add {option} mine.py:build if that is yours"
    ]
    assert not (tmp_path / "planted").exists()
    if option == "--data":
        nnbench("run", "study.toml", option, "mine.py:build", "--backend", "jax")
        assert (tmp_path / "planted").exists()


def test_python_is_told_of_an_option_that_there_is_not():
    with pytest.raises(UserError, match="'lanches' is not known: did you mean launches"):
        Study.of(["6,6"], lanches=3)


def test_own_models_are_told_from_architectures():
    assert Networks.named(["6,6", "train.py:build"]) == Networks(("6,6",), ("train.py:build",))


def test_the_usual_networks_are_taken_where_none_is_named():
    assert Study().or_networks().networks.architectures == studies.NOTEBOOK
    own = replace(Study(), networks=Networks(model=("train.py:build",)))
    assert own.or_networks() == own


@pytest.fixture
def installed(monkeypatch, tmp_path):
    """Say which backends are installed, in a home without a configuration of Keras."""
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))

    def choose(*names):
        monkeypatch.setattr(devices, "is_installed", lambda name: name in names)

    return choose


def test_the_backend_is_what_is_asked_for_then_set_then_configured_then_installed(
    installed, monkeypatch, tmp_path
):
    installed("tensorflow", "jax", "torch")
    assert devices.chosen_backend().name == "tensorflow"
    (tmp_path / "keras.json").write_text('{"backend": "torch"}')
    assert devices.chosen_backend().name == "torch"
    assert "configuration" in devices.chosen_backend().reason
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    assert devices.chosen_backend().name == "jax"
    assert devices.chosen_backend("tensorflow").name == "tensorflow"


def test_a_configured_backend_that_is_not_installed_does_not_count(installed, tmp_path):
    installed("jax")
    (tmp_path / "keras.json").write_text('{"backend": "tensorflow"}')
    assert Machine().backends == ["jax"]


def test_a_mend_names_a_command_that_works(installed, monkeypatch):
    installed("jax")
    with pytest.raises(UserError, match="pip install keras torch"):
        devices.chosen_backend("torch")
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    with pytest.raises(UserError, match="pip install keras torch"):
        devices.chosen_backend()
    installed()
    monkeypatch.delenv("KERAS_BACKEND")
    with pytest.raises(UserError, match="pip install keras tensorflow"):
        devices.chosen_backend()
