"""How cost grows along an axis, from runs of known growth."""

import importlib
import json

import numpy as np
import pytest
from runs import FINGERPRINT

from nnbench.errors import UserError
from nnbench.scale import axes, charts, scaling, tables
from nnbench.show.plain import plain
from nnbench.store import runs
from nnbench.workload import datasets
from nnbench.workload.networks import parse_one
from nnbench.workload.study import Study

STUDY = Study.of([], backend="jax", path="compiled", epochs=4)


def along(text, network=axes.BASE):
    return axes.read(text, parse_one(network))


def made(folder, axis, power, *, launches=4, fixed_s=0.0, phase="step"):
    """A run along an axis whose phase takes `fixed_s` + 1 us x size ^ power."""
    cases = scaling.cases(along(axis), STUDY)
    wanted = {
        "cases": [case.to_json() for case in cases],
        "launches": launches,
        "blocks": 1,
        "seed": 0,
        "limit_s": 10.0,
        "sides": [""],
    }
    writer = runs.Writer(runs.create(folder, "run", wanted, FINGERPRINT))
    rng = np.random.default_rng(0)
    names = ("round", "launch", "block", "trial", "sweep")
    for launch in range(launches):
        launch_effect = np.exp(rng.normal(0, 0.1))
        for case in cases:
            size = axes.size_of(case, axis)
            seconds = (fixed_s + 1e-6 * size**power) * launch_effect * np.exp(rng.normal(0, 0.01))
            record = {**dict.fromkeys(names, 0), "kind": "trial", "launch": launch, "side": ""}
            record |= {"case": case.key, "trial_kind": "step", "outcome": "ok"}
            record |= {"began": "2026-01-01T00:00:00+00:00", "wall_s": 1.0}
            writer.append({**record, "samples_s": {phase: [float(seconds)]}})
    writer.close()
    return runs.read(folder / "run")


def series(run, axis):
    return scaling.series(run, along(axis), scaling.cases(along(axis), STUDY))


@pytest.mark.parametrize("axis", list(axes.AXES))
@pytest.mark.parametrize("power", [0.5, 1.0, 2.0])
def test_the_power_of_growth_is_found_with_its_interval(tmp_path, axis, power):
    (found,) = series(made(tmp_path, axis, power), axis)
    grows = found.exponent
    assert grows.low <= grows.value <= grows.high
    assert grows.value == pytest.approx(power, abs=0.05)
    assert grows.high - grows.low < 0.2
    assert found.sizes == axes.AXES[axis]


def test_what_does_not_grow_counts_little_in_the_upper_half(tmp_path):
    (found,) = series(made(tmp_path, "rows", 1.0, fixed_s=1e-3), "rows")
    assert found.exponent.value == pytest.approx(1.0, abs=0.1)


def test_one_launch_has_times_and_no_interval_of_growth(tmp_path):
    run = made(tmp_path, "depth", 1.0, launches=1)
    (found,) = series(run, "depth")
    assert found.exponent is None
    figure = charts.draw([found])
    assert figure.axes[0].get_title() == "step"


def test_every_point_of_a_cost_that_falls_is_within_the_picture(tmp_path):
    (found,) = series(made(tmp_path, "batch", -2.0, fixed_s=1e-9), "batch")
    low, high = charts.draw([found]).axes[0].get_ylim()
    assert all(low < time.value < high for time in found.times)


def test_a_backend_that_does_not_compile_has_no_compile_time(tmp_path):
    assert series(made(tmp_path, "depth", 0.0, phase="compile"), "depth") == []
    slow = made(tmp_path / "slow", "depth", 0.0, fixed_s=0.2, phase="compile")
    assert [each.phase for each in series(slow, "depth")] == ["compile"]


def test_an_unknown_axis_is_one_line(nnbench):
    answer = nnbench("scale", "hight", "--backend", "jax")
    assert answer.returncode == 2
    assert answer.stderr.strip() == (
        "nnbench: unknown axis 'hight': choose from rows, width, depth, batch"
    )


def test_an_axis_sets_its_size_and_leaves_the_rest_as_the_study_says():
    study = Study.of([], backend="jax,torch", batch="32", optimizer="sgd", epochs=7)
    for axis, sizes in axes.AXES.items():
        cases = scaling.cases(along(axis), study)
        assert [axes.size_of(case, axis) for case in cases if case.backend == "jax"] == [*sizes]
        assert {(case.training.optimizer, case.cold_epochs) for case in cases} == {("sgd", 7)}
        assert axis == "batch" or {case.batch_rows for case in cases} == {32}


def test_given_data_is_trained_on_but_has_the_rows_it_has():
    data = datasets.load("banknotes")
    (case, *_) = scaling.cases(along("depth"), STUDY, data)
    assert (case.data, case.rows, case.data_digest) == ("banknotes", 1372, data.digest)
    with pytest.raises(UserError, match="along rows the data is made"):
        scaling.cases(along("rows"), STUDY, data)


@pytest.mark.parametrize(
    ("text", "network", "labels"),
    [
        ("width=8,16", "lstm:4x2", ["lstm:8x2", "lstm:16x2"]),
        ("depth=1..3", "transformer:8x2", [f"transformer:8x{depth}" for depth in (1, 2, 3)]),
        ("kernel=3,5", "conv:8x2(norm=on)", ["conv:8x2(norm=on)", "conv:8x2(kernel=5, norm=on)"]),
        ("batch=8,16", "gru:4x1", ["gru:4x1", "gru:4x1"]),
        ("rows=64,32", "gru:4x1", ["gru:4x1", "gru:4x1"]),
        ("depth=4,2", "m.py:build(width=5)", [f"m.py:build(width=5, depth={n})" for n in (2, 4)]),
        ("rate=0.1,0.5", "m.py:build", [f"m.py:build(rate={rate})" for rate in (0.1, 0.5)]),
    ],
)
def test_any_number_of_any_network_is_an_axis(text, network, labels, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m.py").write_text("def build(depth=1, width: int = 4, rate=0.2, name='x'): ...\n")
    axis = along(text, network)
    study = Study.of([], backend="jax", epochs=4)
    cases = scaling.cases(axis, study)
    assert [case.label for case in cases] == labels
    assert tuple(axes.size_of(case, axis.name) for case in cases) == axis.sizes
    assert axis.words.partition(" ")[0].strip(",") in (axis.name, "rows")
    if axis.name == "rows":
        assert [case.rows for case in cases] == [32, 64]


def test_rows_are_made_as_the_data_that_is_named(tmp_path):
    study = Study.of([], backend="jax", data="synthetic:images=4x4x1,classes=3", epochs=4)
    cases = scaling.cases(along("rows=20,40", "conv:2x1"), study)
    assert [(case.rows, case.shape) for case in cases] == [(20, "4x4x1"), (40, "4x4x1")]
    assert cases[0].training.task == "classification-3"


@pytest.mark.parametrize(
    ("text", "network", "told"),
    [
        (
            "norm=on,off",
            "conv:8x2",
            "unknown axis 'norm': choose from rows, width, depth, batch, k",
        ),
        ("kernel", "conv:8x2", "there are no usual sizes of kernel: write kernel=2,4,8"),
        ("conv:8x2", "6x2", "conv:8x2 is no axis: name the network with --network conv:8x2"),
        ("depth=1", "6x2", "depth=1 is one size"),
        ("pool=0,1", "conv:8x2", "pool=0 has no place on an axis: sizes are above 0"),
        ("width=1.5,3", "6x2", "a width of 1.5 cannot be built"),
        ("width=6,8", "transformer:8x1", "width 6 does not divide into 4 heads"),
        ("depth", "p.models:build", "unknown axis 'depth': choose from rows, batch"),
        ("depth", "p.models:build(depth=2)", "there are no usual sizes of depth"),
    ],
)
def test_what_cannot_be_varied_is_one_line(text, network, told):
    with pytest.raises(UserError) as refused:
        along(text, network)
    assert str(refused.value).startswith(told) or told in str(refused.value)


@pytest.mark.long
def test_a_setting_of_a_family_is_timed_and_drawn_by_its_name(nnbench, tmp_path):
    size = ("--data", "synthetic:images=6x6x1,rows=32", "--epochs", "2", "--launches", "1")
    named = ("--network", "conv:2x1", "--backend", "jax", "--json", "--quiet", *size)
    answer = nnbench("scale", "kernel=1,3", *named, pictures=True)
    assert answer.returncode == 0, answer.stderr
    told = json.loads(answer.stdout)
    assert told["network"] == "conv:2x1"
    assert {tuple(one["sizes"]) for one in told["axes"]["kernel"]} == {(1, 3)}
    (chart,) = told["charts"]
    assert chart.endswith("scale-kernel.png")
    assert (tmp_path / chart).stat().st_size > 10_000


def test_scaling_is_told_as_plain_data(tmp_path):
    found = series(made(tmp_path, "depth", 1.0), "depth")
    (told,) = plain(tables.as_json({"depth": found}, [tmp_path]))["axes"]["depth"]
    assert told["sizes"] == [*axes.AXES["depth"]]
    assert told["times_s"][0]["low"] < told["times_s"][0]["value"]
    assert told["exponent"][0] == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize("asked", [("--name", "mine"), ()])
def test_a_run_along_an_axis_has_the_name_that_was_asked_for(nnbench, monkeypatch, asked):
    names = []

    def measure(*_, name, **__):
        names.append(name)
        raise UserError("seen")

    monkeypatch.setattr(importlib.import_module("nnbench.cli.scale"), "measure", measure)
    assert nnbench("scale", "depth=1,2", *asked, "--backend", "jax").stderr == "nnbench: seen\n"
    assert names == [asked[1] if asked else None]
