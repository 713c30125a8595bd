"""How cost grows along an axis, from runs of known growth."""

import numpy as np
import pytest
from runs import FINGERPRINT

from nnbench.errors import UserError
from nnbench.scale import charts, scaling, tables
from nnbench.show.plain import plain
from nnbench.store import runs
from nnbench.workload import datasets
from nnbench.workload.study import Study

STUDY = Study.of([], backend="jax", path="compiled", epochs=4)


def made(folder, axis, power, *, launches=4, fixed_s=0.0, phase="step"):
    """A run along an axis whose phase takes `fixed_s` + 1 us x size ^ power."""
    cases = scaling.cases(axis, STUDY)
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
        mood = np.exp(rng.normal(0, 0.1))
        for case in cases:
            size = scaling.size_of(case, axis)
            seconds = (fixed_s + 1e-6 * size**power) * mood * np.exp(rng.normal(0, 0.01))
            record = {**dict.fromkeys(names, 0), "kind": "trial", "launch": launch, "side": ""}
            record |= {"case": case.key, "trial_kind": "step", "outcome": "ok"}
            record |= {"began": "2026-01-01T00:00:00+00:00", "wall_s": 1.0}
            writer.append({**record, "samples_s": {phase: [float(seconds)]}})
    writer.close()
    return runs.read(folder / "run")


def series(run, axis):
    return scaling.series(run, axis, scaling.cases(axis, STUDY))


@pytest.mark.parametrize("axis", list(scaling.AXES))
@pytest.mark.parametrize("power", [0.5, 1.0, 2.0])
def test_the_power_of_growth_is_found_with_its_interval(tmp_path, axis, power):
    (found,) = series(made(tmp_path, axis, power), axis)
    grows = found.exponent
    assert grows.low <= grows.value <= grows.high
    assert grows.value == pytest.approx(power, abs=0.05)
    assert grows.high - grows.low < 0.2
    assert found.sizes == scaling.AXES[axis]


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
    for axis, sizes in scaling.AXES.items():
        cases = scaling.cases(axis, study)
        assert [scaling.size_of(case, axis) for case in cases if case.backend == "jax"] == [*sizes]
        assert {(case.training.optimizer, case.cold_epochs) for case in cases} == {("sgd", 7)}
        assert axis == "batch" or {case.batch_rows for case in cases} == {32}


def test_given_data_is_trained_on_but_has_the_rows_it_has():
    data = datasets.load("banknotes")
    (case, *_) = scaling.cases("depth", STUDY, data)
    assert (case.data, case.rows, case.data_digest) == ("banknotes", 1372, data.digest)
    with pytest.raises(UserError, match="along rows the data is made"):
        scaling.cases("rows", STUDY, data)


def test_scaling_is_told_as_plain_data(tmp_path):
    found = series(made(tmp_path, "depth", 1.0), "depth")
    (told,) = plain(tables.as_json({"depth": found}, [tmp_path]))["axes"]["depth"]
    assert told["sizes"] == [*scaling.AXES["depth"]]
    assert told["times_s"][0]["low"] < told["times_s"][0]["value"]
    assert told["exponent"][0] == pytest.approx(1.0, abs=0.05)
