"""Studies as files: those of the documentation, and what `--save-study` writes."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from projects import ROOT

from nnbench.errors import UserError
from nnbench.workload import study as studies
from nnbench.workload.study import Study

EXAMPLES = sorted((ROOT / "examples" / "studies").glob("*.toml"))
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


def again(study: Study, folder: Path) -> Study:
    path = folder / "again.toml"
    path.write_text(studies.as_toml(study), encoding="utf-8", newline="")
    return studies.read(path)


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_a_study_of_the_documentation_is_read_and_written_as_it_is(file, tmp_path):
    study = studies.read(file)
    study.check()
    assert again(study, tmp_path) == study


@pytest.mark.long
@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_a_study_of_the_documentation_runs_at_a_small_budget(file, nnbench, tmp_path):
    study = studies.read(file)
    # Compiled convolutions take half a minute of XLA.
    path = study.machine.path if study.data.data != "digits" else "fit"
    small = replace(
        study,
        machine=replace(study.machine, backend="jax", path=path),
        effort=replace(study.effort, launches=1, blocks=1),
        training=replace(study.training, epochs=2),
    )
    (tmp_path / "small.toml").write_text(studies.as_toml(small))
    answer = nnbench("run", "small.toml", "--json", "--quiet")
    assert answer.returncode == 0, answer.stderr
    measured = json.loads(answer.stdout)["cases"]
    assert len(measured) == len(study.networks.parsed()) * len(small.machine.paths)
    assert all(one["times_s"]["cold"] for one in measured)


@given(label=TEXTS, name=TEXTS, limit=st.floats(0.001, 1e6), epochs=st.integers(1, 10**6))
def test_what_is_written_is_read_as_the_same(tmp_path_factory, label, name, limit, epochs):
    study = Study.of(
        ["6,6", "depth=1,2", "width=4..6"],
        data=name,
        label=label,
        as_="regression",
        standardise=True,
        epochs=epochs,
        batch="20",
        backend="jax",
        threads=2,
        limit=limit,
    )
    assert again(study, tmp_path_factory.getbasetemp()) == study


def test_what_no_file_can_hold_is_said():
    with pytest.raises(UserError, match="is no text that a study file can hold"):
        studies.as_toml(Study.of(["6,6"], data="\udc80.csv"))


def test_the_study_just_asked_for_is_saved(nnbench, tmp_path):
    asked = ("6,6", "--epochs", "7", "--backend", "jax", "--limit", "60", "--data", "missing.csv")
    answer = nnbench("run", *asked, "--save-study", "mine.toml")
    assert answer.returncode == 2
    assert "missing.csv" in answer.stderr
    saved = studies.read(tmp_path / "mine.toml")
    assert saved == Study.of(["6,6"], epochs=7, backend="jax", limit=60.0, data="missing.csv")
    again = nnbench("run", "mine.toml")
    assert again.stderr == answer.stderr


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        ("# a study\n[networks]\narchitectures = [\n  '6,6',\n  '6,x',\n]", 5, "6,x"),
        ("[training]\nepochs = 3\nbatch = '''\n[effort]\nx'''", 3, "is not understood"),
        ("[training]\n\nepochs = 3\nepoch = 3", 4, "did you mean epochs?"),
        ("training.epochs = 3\ntraining.loss = 'mse2'", 2, "mse2"),
        ("[effort]\nseed = 1\n[machine]\nbackend = 'jaxx'", 4, "choose from tensorflow"),
        ("[machine]\nbackend = 'jax'\n\n[trainning]\nepochs = 3", 4, "did you mean training?"),
        ("effort = {launches = 3,\n blocks = 'x'}", 0, "is not TOML"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path, text, line, told):
    path = tmp_path / "study.toml"
    path.write_text(text)
    with pytest.raises(UserError) as caught:
        studies.read(path)
    if line:
        assert str(caught.value).startswith(f"{path}, line {line}: ")
    assert told in str(caught.value)
