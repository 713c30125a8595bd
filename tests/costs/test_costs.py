"""The cost model on times made from a known law, and one real calibration."""

import json
import math
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnbench.costs import answers, calibration, design, saved, tables, words
from nnbench.costs.model import LEAST_CASES, Observations, PhaseModel, Scatter, TooFewCasesError
from nnbench.costs.prediction import CostModel, Observed
from nnbench.costs.setting import DataShape, Setting, shape_of
from nnbench.costs.terms import (
    ACTIVATION,
    BY_STEPS,
    CALLED,
    EXPANDED,
    FIRST,
    FIRST_EPOCH,
    FLOPS,
    GRAPH_TURN,
    HIDDEN,
    LAYERS,
    METRIC,
    MINI,
    NARROW,
    ON_ALL_CORES,
    ONCE,
    SECOND,
    SPILL,
    TERMS,
    TURN,
    VARIABLE,
    Cache,
    Counted,
    counts,
    has_smaller_batch,
    kind_of,
    matrix,
)
from nnbench.errors import UserError
from nnbench.explain.crossover import rows_flip
from nnbench.machine import fingerprint
from nnbench.machine.fields import Field
from nnbench.measure import run as measuring
from nnbench.phases import COMPILE, EPOCH, STEP, TRACE
from nnbench.show.plain import plain
from nnbench.show.terminal import print_table
from nnbench.stats.interval import Interval
from nnbench.store import runs
from nnbench.workload.architecture import parse
from nnbench.workload.case import Training
from nnbench.workload.counts import LayerCount, NetworkCount
from nnbench.workload.study import Data

SETTING = Setting("jax")


def law_s(case):
    """A made-up machine: overheads, layers and FLOPs that add up, and nothing else."""
    layers = case.architecture.depth + 1
    flops = case.step_cost.forward_flops + case.step_cost.backward_flops
    step_s = 50e-6 + 10e-6 * layers + 1e-11 * flops
    once_s = {
        "build": 0.004 + 0.001 * layers,
        "prepare": 0.02,
        "trace": 0.05 + 0.01 * layers,
        "compile": 0.3 + 0.05 * layers,
        "first_step": 0.002 + step_s,
    }
    last = replace(case, rows=case.last_batch_rows)
    last_s = step_s if last.rows == case.batch_rows else law_s(last)[STEP]
    epoch_s = 1e-3 + 100e-6 * case.steps_per_epoch + (case.steps_per_epoch - 1) * step_s + last_s
    again_s = once_s["trace"] + once_s["compile"] if last.rows < case.batch_rows else 0.0
    fit_s = sum(once_s.values()) - once_s["build"] + epoch_s - step_s + again_s
    return {**once_s, STEP: step_s, EPOCH: epoch_s, FIRST_EPOCH: fit_s}


def timed(cases, spread=0.02, seed=0):
    rng = np.random.default_rng(seed)
    return [
        Observed(
            case,
            {name: value * math.exp(rng.normal(0, spread)) for name, value in law_s(case).items()},
            peak_host_bytes=int(4e8 + 3 * case.step_cost.weight_bytes),
            held_bytes=int(4e8),
        )
        for case in cases
    ]


@pytest.fixture(scope="module")
def pool():
    return design.candidates(SETTING)


@pytest.fixture(scope="module")
def model(pool):
    return CostModel.fit(timed(pool[:40]))


@pytest.fixture(scope="module")
def strangers():
    return design.candidates(SETTING, count=40, seed=77)


def test_the_candidates_cover_the_space(pool):
    depths = [case.architecture.depth for case in pool]
    widths = [case.architecture.widths[0] for case in pool]
    rows = [case.rows for case in pool]
    assert (min(depths), max(depths)) == (1, 24)
    assert min(widths) <= 3
    assert max(widths) >= 900
    assert min(rows) < 550
    assert max(rows) > 18_000
    full = sum(case.training.batch_size is None for case in pool)
    assert len(pool) / 4 < full < 3 * len(pool) / 4
    smaller = sum(map(has_smaller_batch, pool))
    assert len(pool) / 10 < smaller < len(pool) / 2
    assert len(pool) / 10 < len(pool) - full - smaller < len(pool) / 2


def test_coefficients_are_not_negative_and_lie_within_their_intervals(model):
    for fitted in model.phases.values():
        for each in fitted.coefficients.values():
            assert 0 < each.low <= each.value <= each.high


def test_the_law_is_recovered(model):
    found = dict(zip(TERMS[STEP], model.phases[STEP].values, strict=True))
    # A Dense layer has two weight tensors, and nothing here tells them from it.
    layer_s = found[LAYERS["dense"]] + 2 * found[VARIABLE]
    assert layer_s == pytest.approx(10e-6, rel=0.35)
    assert found[FLOPS["dense"]] == pytest.approx(1e-11, rel=0.35)
    compiling = model.phases["compile"].predict
    deep, flat = (
        compiling(Counted.of(SETTING.case(parse(text), 1000, None))).seconds.value
        for text in ("8x20", "8x10")
    )
    assert deep - flat == pytest.approx(0.5, rel=0.15)


def test_networks_never_timed_are_predicted_within_the_goals(model, strangers):
    for name in (STEP, EPOCH, "cold"):
        errors, inside = [], []
        for case in strangers:
            told, true_s = model.predict(case, 30), law_s(case)
            whole_s = true_s["build"] + true_s[FIRST_EPOCH] + 29 * true_s[EPOCH]
            found = {STEP: told.step_s, EPOCH: told.epoch_s, "cold": told.total_s}[name]
            exact_s = {**true_s, "cold": whole_s}[name]
            errors.append(abs(found.value / exact_s - 1))
            inside.append(found.low <= exact_s <= found.high)
        assert np.median(errors) <= 0.10
        assert np.quantile(errors, 0.95) <= 0.25
        assert np.mean(inside) >= 0.9


def test_a_smaller_last_batch_is_compiled_again(model):
    even = SETTING.case(parse("32x4"), 1024, 128)
    odd = SETTING.case(parse("32x4"), 1000, 128)
    once_s = law_s(odd)["trace"] + law_s(odd)["compile"]
    more_s = model.predict(odd, 5).total_s.value - model.predict(even, 5).total_s.value
    assert more_s == pytest.approx(once_s, rel=0.35)


@settings(max_examples=40, deadline=None)
@given(
    depth=st.integers(1, 40),
    width=st.integers(1, 3000),
    rows=st.integers(100, 200_000),
    batch=st.none() | st.integers(16, 1000),
    epochs=st.integers(1, 1000),
)
def test_parts_are_not_negative_and_add_up(model, depth, width, rows, batch, epochs):
    told = model.predict(SETTING.case(parse(f"{width}x{depth}"), rows, batch), epochs)
    assert all(part >= 0 for part in told.parts_s.values())
    assert math.fsum(told.parts_s.values()) == pytest.approx(told.total_s.value)
    for found in (told.total_s, told.epoch_s, told.step_s, told.peak_host_bytes):
        assert 0 < found.low <= found.value <= found.high
    if batch is None or batch >= rows:
        assert told.epoch_s.value >= told.step_s.value
    assert 0 <= told.overhead_share <= 1
    assert told.dominant in told.parts_s


def test_outside_is_said_on_which_axes(model):
    def outside(text, rows, batch):
        told = model.predict(SETTING.case(parse(text), rows, batch), 30)
        return {one.axis for one in told.outside}

    assert outside("64x4", 2000, None) == set()
    assert outside("64x60", 2000, None) == {"layers"}
    assert "weights" in outside("4000x2", 2000, None)
    assert "rows in a batch" in outside("64x4", 10_000_000, None)
    assert outside("64x4", 1_000_000, 32) == {"batches"}
    (one,) = model.predict(SETTING.case(parse("64x60"), 2000, None), 30).outside
    assert (one.value, one.least, one.most) == (61, 2, model.ends["layers"][1])
    assert (
        "layers (61; calibrated: 2 to"
        in words.prediction_sentences(model.predict(SETTING.case(parse("64x60"), 2000, None), 30))[
            -1
        ]
    )


def test_timing_a_network_makes_the_model_surer_of_it(model, pool):
    def reach(sure):
        told = sure.predict(unsure, 30).epoch_s
        return told.high / told.low

    unsure = next(case for case in pool if case.key not in {one.case.key for one in model.observed})
    surer = CostModel.fit([*model.observed, *timed([unsure] * 3)])
    assert reach(surer) < reach(model)


def test_what_a_launch_has_of_its_own_is_told_from_the_networks():
    rng = np.random.default_rng(0)
    launches = np.repeat(np.arange(12), 10)
    effects = rng.normal(0, 0.1, 12)
    residuals = effects[launches] + 0.02 * rng.normal(size=120)
    found = Scatter.of(residuals, [str(launch) for launch in launches])
    assert 0.06 < found.launch_effect < 0.16
    assert found.noise < 0.03
    # The next launch has an effect of its own.
    assert found.single > 0.06


def test_times_that_a_launch_shares_are_whitened():
    launches = ["a", "b", "a", "b", "a", "c"]
    scatter = Scatter(noise=0.1, launch_effect=0.2)
    alike = np.equal.outer(launches, launches)
    covariance = 0.1**2 * np.eye(6) + 0.2**2 * alike
    white = scatter.whitened(np.eye(6), launches)
    assert white @ covariance @ white.T == pytest.approx(np.eye(6), abs=1e-12)
    assert scatter.whitened(np.ones(6), launches) == pytest.approx(white @ np.ones(6))


def test_a_slow_launch_of_many_times_counts_as_one_launch(pool):
    few, many = pool[:40], pool[40:80]
    effects = dict.fromkeys("abcd", 0.0) | {"slow": 0.4}
    launches = [*np.repeat(list("abcd"), 10), *["slow"] * 40]
    rng = np.random.default_rng(0)
    times_s = np.array(
        [
            law_s(case)["compile"] * math.exp(effects[launch] + rng.normal(0, 0.02))
            for case, launch in zip([*few, *many], launches, strict=True)
        ]
    )
    observed = Observations(COMPILE, [Counted.of(case) for case in [*few, *many]], times_s)
    told = replace(observed, launches=launches)

    def off(one):
        (found,) = PhaseModel.fit(one)
        plain_s = found.plain_s(list(map(Counted.of, few)))[0]
        return np.median(np.log(plain_s / [law_s(case)["compile"] for case in few]))

    assert off(told) < 0.12
    assert off(told) < off(observed) - 0.05


@pytest.mark.parametrize("cache", [Cache(4.0 * 2**20), Cache(1.0 * 2**20, single=True)])
def test_the_cache_is_found_where_activations_cost_more_beyond_it(pool, cache):
    def time_s(case):
        counts = dict(zip(TERMS[STEP], matrix([case], STEP, cache)[0], strict=True))
        costs_s = {LAYERS["dense"]: 1e-5, FLOPS["dense"]: 3e-12, ACTIVATION: 1e-10, SPILL: 7e-10}
        return sum(cost_s * counts[term] for term, cost_s in costs_s.items())

    rng = np.random.default_rng(0)
    cases = [Counted.of(case) for case in pool[:120]]
    times_s = np.array([time_s(case) * np.exp(rng.normal(0, 0.03)) for case in cases])
    (found,) = PhaseModel.fit(Observations(STEP, cases, times_s))
    assert found.cache == cache
    assert found.coefficients[SPILL].value == pytest.approx(7e-10, rel=0.2)


def test_what_is_timed_next_fits_the_time_there_is(pool):
    few, many = (design.next_cases(pool, 1.0, seconds) for seconds in (3.0, 30.0))
    assert 0 < len(few) < len(many)
    assert sum(map(design.guessed_trial_s, many)) <= 30.0
    # On a machine that takes twice as long as guessed there is time for fewer.
    assert len(design.next_cases(pool, 2.0, 30.0)) < len(many)
    assert len(design.next_cases(pool, 1.0, 0.0)) == 1


def test_what_few_times_say_of_a_network_far_away_is_nearly_nothing_and_no_crash(pool):
    narrow = sorted(pool, key=lambda case: case.step_cost.flops)[:10]
    model = CostModel.fit(timed(narrow))
    far = model.predict(SETTING.case(parse("1024x24"), 20_000, 32), 30).total_s
    assert 0 < far.low <= far.value <= far.high < math.inf


def test_too_few_networks_are_no_model(pool):
    with pytest.raises(TooFewCasesError):
        PhaseModel.fit(Observations(STEP, list(map(Counted.of, pool[:5])), np.ones(5)))


@pytest.mark.parametrize("first", [0, 14, 28])
def test_a_time_is_left_out_as_if_it_had_never_been_seen(pool, first):
    chosen = pool[first : first + 14]
    times_s = np.array([one.times_s["build"] for one in timed(chosen, spread=0.05)])
    cases = [Counted.of(case) for case in chosen]
    (whole,) = PhaseModel.fit(Observations("build", cases, times_s))
    assert whole.leverages.max() > 0.3
    apart = []
    for number, case in enumerate(cases):
        others = [*cases[:number], *cases[number + 1 :]]
        (without,) = PhaseModel.fit(Observations("build", others, np.delete(times_s, number)))
        error = without.predict(case).seconds.value / times_s[number] - 1
        apart.append(abs(whole.left_out_errors()[number] - error))
    assert np.quantile(apart, 0.9) < 0.02
    assert max(apart) < 0.05


def test_what_a_loop_and_a_smaller_last_batch_take_to_compile_is_told_apart():
    cases = design.candidates(replace(SETTING, path="compiled"), count=80)
    counted = [Counted.of(case) for case in cases]
    rng = np.random.default_rng(0)

    def law_s(case):
        second = has_smaller_batch(case)
        layers = (case.architecture.depth + 1) * (1 + second)
        return 0.3 + 0.05 * layers + 0.4 * (case.steps_per_epoch > 1) + 0.2 * second

    times_s = np.array([law_s(case) * np.exp(rng.normal(0, 0.02)) for case in cases])
    (found,) = PhaseModel.fit(Observations(COMPILE, counted, times_s))
    assert found.coefficients[MINI].value == pytest.approx(0.4, rel=0.2)
    # Of Dense layers alone, a second step's first layer cannot be told from the rest of it.
    values = dict(zip(TERMS[COMPILE], found.values, strict=True))
    assert values[SECOND] + values[FIRST["dense"]] == pytest.approx(0.2, rel=0.3)
    for rows in (320, 330):
        case = replace(SETTING, path="compiled").case(parse("32x3"), rows, 32)
        told = found.predict(Counted.of(case)).seconds
        assert told.value == pytest.approx(law_s(case), rel=0.06)


def test_what_a_metric_takes_is_told_from_networks_with_one_and_without(pool):
    assert 0.4 < np.mean([case.metric is not None for case in pool]) < 0.6
    rng = np.random.default_rng(0)

    def law_s(case):
        return 1e-4 + 2e-5 * (case.architecture.depth + 1) + 4e-5 * (case.metric is not None)

    cases = [case for case in pool if case.training.batch_size is None][:60]
    counted = [Counted.of(case) for case in cases]
    times_s = np.array([law_s(case) * np.exp(rng.normal(0, 0.02)) for case in cases])
    (found,) = PhaseModel.fit(Observations(STEP, counted, times_s))
    assert found.coefficients[METRIC].value == pytest.approx(4e-5, rel=0.2)
    measured = replace(SETTING.case(parse("32x3"), 1000, None), metric="accuracy")
    assert measured.step_cost.metrics == 1
    three = replace(measured.step_cost, metrics=3)
    told = found.predict(Counted.of(measured, three)).seconds.value
    assert told == pytest.approx(law_s(measured) + 2 * 4e-5, rel=0.1)


def test_tensorflow_compiles_a_network_with_an_lstm_without_xla_alone():
    lstm = NetworkCount(32, (LayerCount("lstm", "LSTM", (32, 8), 40, 40, 160),), 1024, "adam", 0, 0)
    found = {}
    for backend in ("jax", "tensorflow"):
        for jit in ("auto", "off"):
            setting = Setting(backend, path="compiled", training=Training(jit=jit))
            case = setting.case(parse("8x1"), 2048, 512)
            for name, count in (("dense", None), ("lstm", lstm)):
                found[backend, jit, name] = counts(Counted.of(case, count), COMPILE)[ONCE]
    assert {one for one, value in found.items() if value < 1} == {("tensorflow", "auto", "lstm")}


def test_tensorflow_traces_a_step_once_for_all_sizes_of_batches():
    for backend, wanted in (("jax", 2), ("tensorflow", 1), ("torch", 2)):
        case = Setting(backend, path="compiled").case(parse("8x1"), 330, 32)
        told = {phase: counts(Counted.of(case), phase) for phase in (TRACE, COMPILE)}
        assert told[TRACE][LAYERS["dense"]] == 2 * wanted
        assert told[COMPILE][LAYERS["dense"]] == 4


def test_a_kind_of_layer_that_was_never_timed_is_guessed_by_its_operations(pool):
    times_s = np.array([law_s(case)["trace"] for case in pool[:60]])
    (found,) = PhaseModel.fit(Observations(TRACE, [Counted.of(one) for one in pool[:60]], times_s))
    values = dict(zip(TERMS[TRACE], found.values, strict=True))
    ratio = values[LAYERS["recurrent"]] / values[LAYERS["dense"]]
    assert ratio == pytest.approx(15 / 3, rel=0.6)


def test_a_wider_layer_is_never_predicted_to_take_less(pool):
    def law_s(case):
        counts = dict(zip(TERMS[STEP], matrix([case], STEP)[0], strict=True))
        narrow = sum(counts[term] for term in NARROW.values())
        return 1e-5 * case.step[LAYERS["dense"]] + 3e-12 * counts[FLOPS["dense"]] + 1e-11 * narrow

    cases = [Counted.of(case) for case in pool[:80]]
    (found,) = PhaseModel.fit(Observations(STEP, cases, np.array(list(map(law_s, cases)))))
    wide = [Counted.of(SETTING.case(parse(f"{width}x3"), 1000, None)) for width in range(2, 200)]
    told = found.plain_s(wide)[0]
    assert np.all(np.diff(told) > 0)
    assert told == pytest.approx([law_s(one) for one in wide], rel=0.15)


def test_rows_at_which_the_answer_flips(model):
    wide, deep = (SETTING.case(parse(text), 1000, None) for text in ("128x2", "8x12"))
    flip = rows_flip(model, wide, deep, 60)
    assert flip.second_longer_at_least

    def ratio(rows):
        first, second = (law_s(replace(case, rows=rows)) for case in (wide, deep))
        whole = [
            true_s["build"] + true_s[FIRST_EPOCH] + 59 * true_s[EPOCH] for true_s in (first, second)
        ]
        return whole[1] / whole[0]

    assert flip.rows is not None
    assert ratio(round(flip.rows.value)) == pytest.approx(1, abs=0.15)
    assert flip.rows.low <= flip.rows.value <= flip.rows.high


def test_rows_of_the_last_batch_are_counted():
    case = SETTING.case(parse("8"), 1000, 300)
    assert case.last_batch_rows == 100
    assert has_smaller_batch(case)
    assert not has_smaller_batch(SETTING.case(parse("8"), 900, 300))


def test_settings_have_folders_of_their_own():
    other = replace(SETTING.training, optimizer="sgd")
    settings = [SETTING, replace(SETTING, path="compiled"), replace(SETTING, threads=1)]
    settings += [replace(SETTING, training=other), replace(SETTING, device="gpu:1")]
    assert len({one.folder for one in settings}) == len(settings)
    assert "--optimizer sgd" in replace(SETTING, training=other).options


def test_not_calibrated_is_one_line_that_says_what_to_run(nnbench):
    answer = nnbench("predict", "6,6", "--backend", "jax", "--path", "compiled")
    assert answer.returncode == 2
    (line,) = answer.stderr.strip().splitlines()
    assert "run nnbench calibrate --backend jax --path compiled first" in line


def test_a_calibration_of_another_machine_is_refused(tmp_path, pool, monkeypatch):
    calibration.create_run(tmp_path / "calibration" / SETTING.folder, pool[:3], 0)
    here = fingerprint.take()
    monkeypatch.setattr(fingerprint, "take", lambda: {**here, "cpu": "Another CPU"})
    with pytest.raises(UserError, match=r"another environment .*Another CPU"):
        saved.load(tmp_path, SETTING)


def test_the_table_tells_of_every_term_that_costs_something(model, capsys):
    print_table(tables.coefficients(model, SETTING.label))
    print_table(tables.errors(model))
    shown = capsys.readouterr().out
    for fitted in model.phases.values():
        assert all(term.name in shown for term in fitted.coefficients)
    assert "95th" in shown
    told = plain(tables.model_as_json(model, SETTING.label, Path(__file__), Path(__file__)))
    assert json.loads(json.dumps(told, allow_nan=False))["phases"][STEP]["times"] == 40


@pytest.mark.long
def test_a_real_calibration_keeps_its_runs_and_draws_its_page(calibrated, tmp_path):
    assert calibrated["phases"]["step"]["times"] >= 8
    assert (tmp_path / calibrated["page"]).read_text().count('<svg class="chart') == 4
    made = [runs.read(folder) for folder in runs.find(tmp_path / calibrated["runs"])]
    assert made
    assert all(trial["outcome"] == "ok" for run in made for trial in run.trials)


@pytest.mark.long
def test_a_real_calibration_predicts_networks_never_timed(nnbench, calibrated):
    options = ("--backend", "jax", "--path", "fit", "--rows", "1000")
    answer = nnbench("predict", "8,8,8", *options, "--epochs", "40", "--json")
    assert answer.returncode == 0, answer.stderr
    (predicted,) = json.loads(answer.stdout)
    assert (predicted["name"], predicted["architecture"]) == ("8,8,8", "8x3")
    assert sum(predicted["parts_s"].values()) == pytest.approx(predicted["total_s"]["value"])
    assert predicted["peak_host_bytes"]["value"] > 1e8
    far = nnbench("predict", "8x300", *options)
    assert "Outside the calibrated range in layers (301" in far.stdout
    assert re.search(r"Calibrated \d+ (min|h|days) ago", far.stdout)


def test_the_shape_of_data_is_that_of_a_csv_unless_numbers_are_given(tmp_path):
    csv = tmp_path / "my.csv"
    csv.write_text("a,b,c,y\n" + "".join(f"{i},{i % 7},{i % 5},{i * 0.37}\n" for i in range(50)))
    mine = Data(str(csv), label="y", as_="regression")
    assert shape_of(mine) == DataShape(50, 3, "regression")
    assert shape_of(replace(mine, features="a,b"), 900) == DataShape(900, 2, "regression")
    assert shape_of(replace(mine, features="7")) == DataShape(50, 7, "regression")
    assert shape_of(Data("")) == DataShape(1372, 4, "classification")
    with pytest.raises(UserError, match="--data"):
        shape_of(Data("", features="a,b"))


@pytest.mark.parametrize(
    ("case", "value"),
    [
        ("data", "evil.py:load"),
        ("data", "banknotes"),
        ("data", "synthetic:rows=7,features=4"),
        ("model", "evil.py:build"),
        ("rows", 10**9),
        ("backend", "torch"),
    ],
)
def test_a_calibration_of_other_cases_is_refused_and_runs_no_code(tmp_path, pool, case, value):
    folder = calibration.create_run(tmp_path / "calibration" / SETTING.folder, pool[:1], 0)
    path = folder / runs.RUN_FILE
    plain = json.loads(path.read_text())
    plain["specification"]["cases"][0][case] = value
    if case == "model":
        plain["specification"]["cases"][0]["architecture"] = None
    path.write_text(json.dumps(plain))
    with pytest.raises(UserError, match=r"run\.json is damaged"):
        saved.load(tmp_path, SETTING)
    with pytest.raises(UserError, match=r"run\.json is damaged"):
        calibration.calibrate(tmp_path, SETTING, 1.0, lambda spent_s, text: None)


@pytest.fixture
def calibrate(tmp_path, monkeypatch):
    """Calibrate by workers that only play; the first `good` networks that are asked for are timed.

    Of it comes the model, or the error, and how many runs there are.
    """

    def act(*, good, budget_s, pool=None):
        timed = []

        class Player:
            def __init__(self, case, data, log, environment):
                self.log, self.pid = log, 1

            def wait_until_ready(self, limit_s):
                told = {"versions": {}, "device_name": "a CPU", "cpus": 2}
                return {"import_s": 0.1, "first_use_s": 0.1, **told}

            def ask(self, case, limit_s, *, kind, seed):
                if case.key not in timed:
                    if len(timed) >= good:
                        return {"outcome": "failed", "message": "it is broken"}
                    timed.append(case.key)
                values = {name: [one_s] * 3 for name, one_s in law_s(case).items()}
                step = {STEP: values.pop(STEP)}
                del values[FIRST_EPOCH]
                return {"samples_s": step if kind == "step" else values, "outcome": "ok"}

            def stop(self):
                pass

        monkeypatch.setattr(measuring, "Worker", Player)
        if pool is not None:
            monkeypatch.setattr(design, "candidates", lambda setting, families: pool)
        try:
            found = calibration.calibrate(tmp_path, SETTING, budget_s, lambda *_: None)
        except UserError as mistake:
            found = str(mistake)
        return found, len(runs.find(saved.folder_of(tmp_path, SETTING)))

    return act


def test_a_backend_that_breaks_before_there_is_a_model_ends_the_calibration(calibrate):
    found, made = calibrate(good=3, budget_s=3600.0)
    assert "nothing was measured: " in found
    assert made == 2


def test_the_budget_counts_where_there_is_no_model_yet(calibrate):
    found, made = calibrate(good=3, budget_s=0.001)
    assert "is calibrated too little (epoch: 3 times, 8 are needed)" in found
    assert "run nnbench calibrate --backend jax" in found
    assert made == 1


def test_where_no_network_is_left_there_is_a_model_or_a_reason(calibrate, pool):
    found, made = calibrate(good=3, budget_s=3600.0, pool=pool[:8])
    assert "calibrated too little" in found
    assert calibrate(good=3, budget_s=3600.0, pool=pool[:8]) == (found, made)
    found, made = calibrate(good=99, budget_s=3600.0, pool=pool[100:124])
    assert isinstance(found, calibration.Calibration)


def test_a_spent_budget_leaves_a_run_that_the_next_command_goes_on_with(calibrate, pool, tmp_path):
    found, made = calibrate(good=99, budget_s=0.001, pool=pool[100:124])
    assert made == 1
    # As many as a model needs, and none beyond the budget.
    assert len(found.model.observed) == LEAST_CASES
    found, made = calibrate(good=99, budget_s=3600.0, pool=pool[100:124])
    assert measuring.is_complete(found.measured[0])
    assert len(found.model.observed) == 24


def test_the_first_run_is_short_as_nobody_knows_how_slow_the_machine_is(calibrate, pool, tmp_path):
    found, _ = calibrate(good=99, budget_s=3600.0, pool=pool[100:140])
    assert isinstance(found, calibration.Calibration)
    first, *others = (runs.read(one) for one in runs.find(saved.folder_of(tmp_path, SETTING)))
    assert len(first.cases) < 2 * LEAST_CASES
    assert sum(len(run.cases) for run in others) > len(first.cases)


def conv_count(case, places=64):
    """Made counts of convolutions of as many filters as the Dense layers of a case are wide."""
    dense = case.step_cost
    layers = [
        replace(
            one,
            kind="Conv2D",
            output=(one.output[0], places, one.output[1]),
            forward_products=9 * places * one.forward_products,
            backward_products=9 * places * one.backward_products,
            activation_bytes=places * one.activation_bytes,
        )
        for one in dense.layers[:-1]
    ]
    return replace(dense, layers=(*layers, dense.layers[-1]))


def conv_law_s(count):
    products = sum(one.forward_products + one.backward_products for one in count.layers[:-1])
    return 50e-6 + 30e-6 * len(count.layers) + 2e-11 * products


def with_convolutions(cases):
    """The convolutions of these cases, timed on the made machine."""
    rng = np.random.default_rng(3)
    found = []
    for one in timed(cases):
        count = conv_count(one.case)
        step_s = conv_law_s(count) * math.exp(rng.normal(0, 0.02))
        times_s = {**one.times_s, STEP: step_s, EPOCH: 1e-3 + one.case.steps_per_epoch * step_s}
        found.append(replace(one, times_s=times_s, count=count))
    return found


@pytest.fixture(scope="module")
def small(pool):
    return [case for case in pool if case.step_cost.flops * 576 < 3e11][:60]


def test_kinds_of_layers_have_costs_of_their_own(pool, small):
    model = CostModel.fit([*timed(pool[:40]), *with_convolutions(small[:40])])
    for case in small[40:]:
        count = conv_count(case)
        told = model.predict(case, 30, count)
        assert told.step_s.value == pytest.approx(conv_law_s(count), rel=0.5)
        assert not any("convolution" in one.axis for one in told.outside)
    known = model.predict(small[50], 30).step_s
    assert known.value == pytest.approx(law_s(small[50])[STEP], rel=0.35)


def test_a_weight_tensor_counts_by_what_its_optimizer_does():
    case = SETTING.case(parse("8x3"), 1000, None)
    assert Counted.of(case).step[VARIABLE] == 8
    simple = replace(case, training=replace(case.training, optimizer="momentum"))
    assert Counted.of(simple).step[VARIABLE] == pytest.approx(8 * 4 / 12)
    unknown = replace(case.step_cost, optimizer="Mine", update_flops=None)
    assert Counted.of(case, unknown).step[VARIABLE] == 8


@pytest.mark.parametrize(
    ("layer", "kind"),
    [
        ("MaxPooling2D", "max pooling"),
        ("GlobalMaxPooling1D", "pooling"),
        ("AveragePooling2D", "pooling"),
        ("Maximum", "elementwise"),
        ("BatchNormalization", "normalisation"),
        ("SeparableConv2D", "separable"),
        ("ConvLSTM2D", "recurrent"),
        ("Flatten", None),
    ],
)
def test_a_layer_is_of_the_kind_that_its_work_is(layer, kind):
    assert kind_of(LayerCount("mine", layer, (32, 8), 0, 0, 0)) == kind


@pytest.mark.parametrize("first", [True, False])
def test_a_separable_layer_is_a_grouped_product_and_one_without_groups(first):
    grouped, others, channels, filters = 1_800, 3_200, 10, 16
    count = replace(
        conv_count(SETTING.case(parse("8x1"), 1000, 32)),
        layers=(
            LayerCount(
                *("mine", "SeparableConv2D", (2, 5, filters), 250, 250, 1000),
                forward_products=grouped + others,
                backward_products=(2 - first) * grouped + 2 * others,
                grouped_products=grouped,
                ungrouped_products=channels * grouped,
                variables=3,
            ),
        ),
    )
    step = Counted.of(SETTING.case(parse("8x1"), 1000, 32), count).step
    assert step[FLOPS["separable"]] == (3 - first) * grouped
    assert step[FLOPS["convolution"]] == 3 * others
    # Each product lays out its windows: 10 channels for each of 10 outputs, in four bytes.
    assert step[HIDDEN["convolution"]] == pytest.approx(4 * 10 * channels)
    assert step[HIDDEN["separable"]] == pytest.approx((3 - first) / 3 * 4 * grouped / 2)
    assert step[LAYERS["separable"]] == 1


def test_a_masked_time_step_counts_twice():
    case = SETTING.case(parse("8x1"), 1000, 32)
    line = LayerCount("mine", "LSTM", (32, 8), 90, 90, 360, steps=12)
    for is_masked, turns in [(False, 12), (True, 24)]:
        layers = (replace(line, is_masked=is_masked),)
        assert Counted.of(case, replace(conv_count(case), layers=layers)).step[TURN] == turns


def test_what_xla_alone_does_on_a_cpu_is_counted_there_alone():
    def line(values, kind="DepthwiseConv2D", **more):
        return LayerCount("mine", kind, (values // 10, 10), 90, 90, 360, variables=1, **more)

    grouped = line(9_000, forward_products=900, grouped_products=900, ungrouped_products=9_000)
    lines = (grouped, line(20_000, "BatchNormalization"), line(9_000, "BatchNormalization"))
    found = {}
    for backend, path, device, jit in [
        ("jax", "fit", "cpu", "auto"),
        ("jax", "fit", "gpu", "auto"),
        ("tensorflow", "compiled", "cpu", "auto"),
        ("tensorflow", "compiled", "cpu", "off"),
        ("tensorflow", "fit", "cpu", "auto"),
        ("torch", "compiled", "cpu", "auto"),
    ]:
        setting = Setting(backend, device=device, path=path, training=Training(jit=jit))
        case = setting.case(parse("8x1"), 1000, 32)
        step = Counted.of(case, replace(conv_count(case), layers=lines)).step
        found[backend, path, device, jit] = step[EXPANDED], step[ON_ALL_CORES]
    by_xla = {("jax", "fit", "cpu", "auto"), ("tensorflow", "compiled", "cpu", "auto")}
    assert found == {one: (9_000, 8) if one in by_xla else (0, 0) for one in found}


def test_a_kind_that_was_never_timed_is_named_and_told_with_less_certainty(model, pool, small):
    both = CostModel.fit([*model.observed, *with_convolutions(small[:40])])
    count = conv_count(small[50])
    guessed, known = (one.predict(small[50], 30, count) for one in (model, both))
    assert guessed.outside[0].axis == "convolution layers"
    assert guessed.step_s.high / guessed.step_s.low > known.step_s.high / known.step_s.low
    # The guess is from what Dense layers cost, and holds.
    assert guessed.step_s.low <= conv_law_s(count) <= guessed.step_s.high


def test_what_is_not_known_well_enough_is_no_answer(model):
    told = model.predict(SETTING.case(parse("64x4"), 2000, None), 30)
    wide = replace(told, total_s=Interval(10.0, 2.0, 50.0), more_data=4.0)
    said = answers.Predicted(wide, SETTING.label, datetime.now(UTC), (), SETTING.options, 120.0)
    cells = [cell.text for row in tables.prediction(said).rows if row for cell in row]
    assert "not known well enough" in cells
    assert not any("50" in one for one in cells[:3])
    assert not any(one.startswith("of it") for one in cells)
    assert "calibrate 6 more minutes (nnbench calibrate --backend jax" in words.predicted(said)[0]
    assert not any("lies within" in one for one in words.predicted(said))
    assert tables.predicted_as_json(said)["known"] is False


def test_a_prediction_begins_with_its_answer(model):
    told = model.predict(SETTING.case(parse("64x4"), 2000, None), 30)
    said = answers.Predicted(told, SETTING.label, datetime.now(UTC), (), SETTING.options, 120.0)
    first, *others = words.predicted(said)
    assert first.startswith("64x4: an epoch takes ")
    assert any("lies within what was calibrated" in one for one in others)


@pytest.mark.parametrize("kind", ["DenseBlock", "ConvBlock", "LSTMBlock", "Attention"])
def test_a_layer_of_ones_own_that_no_rule_counts_is_predicted(model, kind):
    line = LayerCount("mine", kind, (32, 8), 40, 40, 160, counted=False, steps=0)
    case = SETTING.case(parse("64x4"), 2000, 32)
    count = replace(case.step_cost, layers=(*case.step_cost.layers, line))
    plain, told = (model.predict(case, 3, one).total_s.value for one in (case.step_cost, count))
    assert plain < told < 10 * plain


def test_jax_calls_a_program_a_step_for_convolutions_and_huge_products_on_a_cpu_alone():
    conv = NetworkCount(
        32, (LayerCount("conv", "Conv2D", (32, 8, 8, 4), 40, 40, 160),), 1024, "adam", 0, 0
    )
    found = {}
    for backend in ("jax", "tensorflow", "torch"):
        for device in ("cpu", "gpu"):
            setting = Setting(backend, device=device, path="compiled")
            for name, text, count in (
                ("conv", "8x1", conv),
                ("narrow", "8x1", None),
                ("huge", "1024x24", None),
            ):
                case = setting.case(parse(text), 2048, 512)
                told = counts(Counted.of(case, count), COMPILE)
                assert told[MINI] + told[BY_STEPS] == 1
                found[backend, device, name] = told[BY_STEPS]
    wanted = {("jax", "cpu", "conv"), ("jax", "cpu", "huge")}
    assert {one for one, by_steps in found.items() if by_steps} == wanted


@pytest.mark.parametrize("path", ["fit", "compiled"])
def test_a_program_a_step_and_time_steps_without_xla_have_costs_of_their_own(path):
    def line(kind, **more):
        return LayerCount("mine", kind, (32, 8, 8, 4), 40, 40, 160, **more)

    found = {}
    for backend in ("jax", "tensorflow", "torch"):
        for jit in ("auto", "off"):
            for device in ("cpu", "gpu"):
                training = Training(jit=jit)
                case = Setting(backend, device, path=path, training=training).case(
                    parse("8x1"), 330, 32
                )
                layers = (line("Conv2D"), line("LSTM", steps=12))
                told = counts(Counted.of(case, replace(conv_count(case), layers=layers)), EPOCH)
                assert told[TURN] + told[GRAPH_TURN] == 11 * 12
                found[backend, jit, device] = told[CALLED] > 0, told[GRAPH_TURN] > 0
                assert told[CALLED] in (0, 11)
    called = {one for one, (by_steps, _) in found.items() if by_steps}
    spared = {one for one, (_, without) in found.items() if without}
    compiled = path == "compiled"
    on_jax = {("jax", jit, "cpu") for jit in ("auto", "off")}
    assert called == ({("tensorflow", "auto", "cpu")} | on_jax if compiled else set())
    assert spared == ({("tensorflow", "auto", d) for d in ("cpu", "gpu")} if compiled else set())


def test_counts_are_read_back_as_they_were_written():
    count = SETTING.case(parse("8x3"), 100, None).step_cost
    again = NetworkCount.of(Field(json.loads(json.dumps(count.to_json())), "a trial"))
    assert [replace(one, name="") for one in count.layers] == list(again.layers)
    assert replace(again, layers=count.layers) == count
    own = LayerCount("", "DenseBlock", (8, 4), 12, 12, 48, missing="operations of its own")
    assert replace(count, layers=(own,)).uncounted == ["DenseBlock: operations of its own"]
    told = count.to_json()
    told["layers"][0]["line"]["forward_products"] = -1
    with pytest.raises(UserError, match="forward_products"):
        NetworkCount.of(Field(told, "a trial"))


def test_a_model_of_ones_own_is_told_that_it_has_no_xla_where_the_calibration_had():
    told = {}
    for backend in ("tensorflow", "jax"):
        for jit in ("auto", "off"):
            setting = Setting(backend, path="compiled", training=Training(jit=jit))
            case = setting.case(parse("8x3"), 100, None)
            usual = replace(case, training=Training())
            own = replace(usual, architecture=None, model="mine.py:build")
            for one in (case, own):
                differs = answers._differences(one, setting, case.step_cost)
                told[backend, jit, one is own] = any("without XLA" in said for said in differs)
    assert [found for found, is_told in told.items() if is_told] == [("tensorflow", "auto", True)]


def test_a_model_of_ones_own_is_predicted_from_what_was_timed_without_xla(tmp_path, monkeypatch):
    case = Setting("tensorflow", path="compiled").case(parse("8x3"), 100, None)
    own = replace(case, architecture=None, model="mine.py:build")
    monkeypatch.setattr(saved, "load", lambda _, setting: setting.training.jit)
    found = []
    for jit in ("auto", "off"):
        timed = Setting("tensorflow", path="compiled", training=Training(jit=jit))
        run = saved.folder_of(tmp_path, timed) / "000" / runs.RUN_FILE
        run.parent.mkdir(parents=True)
        run.touch()
        found.append(saved.load_nearest(tmp_path, Setting.of(own)))
    assert found == ["auto", "off"]


@pytest.mark.long
def test_a_network_of_ones_own_is_predicted_from_its_counts(nnbench, calibrated, tmp_path):
    (tmp_path / "mine.py").write_text(OWN)
    options = ("--backend", "jax", "--path", "fit", "--json")
    answer = nnbench("predict", "--model", "mine.py:build", "--data", "mine.py:load", *options)
    assert answer.returncode == 0, answer.stderr
    (told,) = json.loads(answer.stdout)
    beyond = [one["axis"] for one in told["outside"]]
    assert {"convolution layers", "recurrent layers"} <= set(beyond)
    assert told["differs"] == ["the optimizer SGD (calibrated: adam)"]
    assert 0 < told["total_s"]["low"] <= told["total_s"]["high"]


OWN = """
import numpy as np


def build():
    import keras
    from keras import layers

    net = [keras.Input((12, 3)), layers.Conv1D(8, 3), layers.LSTM(6), layers.Dense(1)]
    model = keras.Sequential(net)
    model.compile("sgd", "mse")
    return model


def load():
    return np.zeros((64, 12, 3), "float32"), np.zeros((64, 1), "float32")
"""


def test_damaged_runs_of_a_calibration_are_skipped_and_named(tmp_path, pool):
    parent = tmp_path / "calibration" / SETTING.folder
    calibration.create_run(parent, pool[:1], 0)
    (calibration.create_run(parent, pool[:1], 1) / runs.RUN_FILE).write_text("{}")
    (made,), (skipped,) = saved.read(tmp_path, SETTING)
    assert made.folder.name == "000"
    assert str(parent / "001" / runs.RUN_FILE) in skipped
    with pytest.raises(UserError, match=r"too little .*001/run\.json is damaged"):
        saved.load(tmp_path, SETTING)
