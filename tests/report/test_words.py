import re
from dataclasses import replace

import pytest
from runs import case, make_run

from nnbench.report.run_analysis import analyse
from nnbench.store.trials import Trials
from nnbench.training.compiled.causes import unlike_fit

DEEP = {"trace": 1.0, "compile": 0.25, "step": 0.002}
WIDE = {"step": 0.008, "epoch": 0.037}


def story(folder, times_s, **options):
    return analyse(make_run(folder, times_s, **options))


def text(told):
    return " ".join(told.sentences)


def warned(told, of):
    return any(of in warning for warning in told.warnings)


def test_the_deep_network_is_slower_cold_and_faster_a_step_and_both_are_said(tmp_path):
    told = text(story(tmp_path, {"6,6": {}, "100,100": WIDE, "6x5": DEEP}))
    assert re.search(r"6x5 \(205 weights\) takes [\d.]+× .* as long cold as 100x2 \(10,701", told)
    assert re.search(r"its step takes only 0\.2\d*×", told)
    assert re.search(r"From about \d+ epochs on it is ahead", told)


def test_the_opposite_numbers_turn_the_sentence_round(tmp_path):
    """Now the wide network starts slowly and steps fast: nothing is fixed in advance."""
    told = text(story(tmp_path, {"6,6": {}, "6x5": WIDE, "100,100": DEEP}))
    assert re.search(r"100x2 \(10,701 weights\) takes [\d.]+× .* as long cold as 6x5", told)
    assert "6x5 (205 weights) takes" not in told


def test_epochs_that_are_too_alike_give_no_crossing_point(tmp_path):
    times_s = {"6,6": {}, "100,100": {"step": 0.008}, "6x5": {**DEEP, "step": 0.002}}
    told = text(story(tmp_path, times_s, spread=0.02))
    assert "too alike" in told
    assert "From about" not in told


def test_slower_faster_and_not_distinguishable_follow_the_intervals(tmp_path):
    slow, fast = {"cold": 3.0}, {"cold": 0.5}
    told = text(
        story(tmp_path, {"6,6": {"cold": 1.5}, "7,7": slow, "8,8": fast, "9": {"cold": 1.5}})
    )
    cold = told.split(".  ")[0]
    assert re.search(r"slower are 7x2 \(2\.0\d×", cold)
    assert re.search(r"faster are 8x2 \(0\.33\d×", cold)
    assert re.search(r"not distinguishable from 6x2: 9x1", cold)


def test_what_of_an_epoch_waits_for_its_batches_is_told(tmp_path):
    told = text(story(tmp_path, {"6,6": {"epoch": 0.04, "data": 0.01}, "8": {}}, spread=0.001))
    assert re.search(r"Of an epoch of 6x2, [\d.]+ ms, fit waits [\d.]+ ms for its", told)
    assert re.search(r"batches: 25 %\.", told)
    assert "epoch of 8x1, " not in told


def test_the_largest_part_comes_first_and_parts_have_percentages(tmp_path):
    tracing = text(story(tmp_path / "a", {"6,6": {"trace": 5.0}}))
    assert re.search(r"go 8\d % to tracing and compiling", tracing)
    stepping = text(story(tmp_path / "b", {"6,6": {"step": 0.5, "epoch": 0.51}}))
    assert re.search(r"go 9\d % to the steps themselves", stepping)


def test_the_same_order_cold_and_steady_is_said_too(tmp_path):
    told = text(story(tmp_path, {"6,6": {}, "100,100": {"step": 0.03, "epoch": 0.06}}))
    assert "come in the same order" in told


def test_every_figure_has_a_unit_and_an_interval(tmp_path):
    told = story(tmp_path, {"6,6": {}, "100,100": WIDE})
    assert re.search(r"takes [\d.]+ s \[[\d.]+–[\d.]+ s\]", told.sentences[0])


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"launches": 1}, "from one launch"),
        ({"launches": 2}, "2 launches give rough intervals"),
        ({"spread": 0.5}, "wide intervals"),
        ({"outcomes": {"6x5": "died"}}, "trials of 6x5 ended with outcome died"),
        ({"outcomes": {"6x5": "diverged"}}, "ended with outcome diverged"),
        ({"backends": ("tensorflow", "jax")}, "jit_compile is auto"),
        ({"backends": ("jax",), "batch_size": 100}, "the last batch of an epoch has 72 rows"),
    ],
)
def test_what_to_be_careful_about_is_said(tmp_path, options, named):
    assert warned(story(tmp_path, {"6,6": {}, "6x5": DEEP}, **options), named)


def test_parts_that_do_not_add_up_are_pointed_out(tmp_path):
    told = story(tmp_path, {"6,6": {"cold": 3.0}})
    assert warned(told, "the parts add up to")


def test_a_quiet_complete_run_needs_no_warning(tmp_path):
    assert story(tmp_path, {"6,6": {}, "6x5": DEEP}).warnings == ()


def test_a_run_without_a_good_trial_says_so(tmp_path):
    told = story(tmp_path, {"6,6": {}}, outcomes={"6,6": "died"})
    assert "Nothing was measured" in text(told)
    assert warned(told, "ended with outcome died")


def test_one_launch_and_one_block_have_no_intervals_and_break_nothing(tmp_path):
    told = story(tmp_path, {"6,6": {}, "6x5": DEEP}, launches=1, blocks=1)
    assert "nan" not in text(told)
    assert "no interval" in text(told)


def told_of_paths(folder, **options):
    """What is said of `fit` beside the compiled path of two cases with the same times."""
    folder.mkdir(exist_ok=True)
    fit = make_run(folder / "fit", {"6,6": {}}, **options)
    own = next(iter(fit.cases.values()))
    twin = replace(own, path="compiled")
    wanted = {**fit.specification, "cases": [own.to_json(), twin.to_json()]}
    trials = [*fit.trials, *({**trial, "case": twin.key} for trial in fit.trials)]
    run = replace(fit, specification=wanted, trials=Trials(trials))
    return analyse(run).sentences[-1]


@pytest.mark.parametrize(
    ("options", "causes"),
    [
        ({"backends": ("tensorflow",)}, {"around each epoch and step", "unless --jit on"}),
        ({"backends": ("jax",)}, {"around", "XLA compiles both", "up to 64 wide"}),
        ({"backends": ("jax",), "batch_size": 100}, {"around", "XLA compiles both"}),
        ({"backends": ("torch",)}, {"around each epoch and step"}),
        ({"backends": ("tensorflow",), "jit": "on"}, {"around", "XLA compiles both"}),
        ({"backends": ("tensorflow",), "jit": "off"}, {"around each epoch and step"}),
        ({"backends": ("tensorflow",), "device": "gpu"}, {"around", "XLA compiles both"}),
        ({"backends": ("torch",), "jit": "on"}, {"around", "Inductor compiles both"}),
    ],
)
def test_fit_beside_the_compiled_path_names_what_was_not_separated(tmp_path, options, causes):
    told = told_of_paths(tmp_path, **options)
    assert re.search(r"takes 1\.00× \[1\.00–1\.00×\] as long with fit as on the compiled", told)
    assert "which this run does not separate" in told
    named = ("around", "unless --jit on", "compiles both", "up to 64 wide")
    assert {one for one in named if one in told} == {
        one for one in named if any(one in cause or cause in one for cause in causes)
    }
    assert all(cause in told for cause in causes)


def test_wide_layers_keep_their_layout_and_long_batches_have_an_option(tmp_path):
    narrow, wide = case("6,6", backend="jax"), case("100,100", backend="jax")
    assert any("layout" in cause for cause in unlike_fit(narrow))
    assert not any("layout" in cause for cause in unlike_fit(wide))
    assert any("4,096" in cause for cause in unlike_fit(replace(narrow, rows=5000)))
    assert any("one core" in cause for cause in unlike_fit(replace(narrow, rows=5000)))
    assert not any("one core" in cause for cause in unlike_fit(replace(narrow, rows=6000)))


def test_only_chains_of_dense_have_another_layout_and_recurrent_layers_few_operations():
    def causes(text, backend):
        return " ".join(unlike_fit(case(text, backend=backend)))

    for text, backend in (("gru:16x2", "jax"), ("gru:16x2", "torch"), ("lstm:16x2", "torch")):
        assert "few operations" in causes(text, backend)
    for text, backend in (("lstm:16x2", "jax"), ("gru:16x2", "tensorflow"), ("6,6", "torch")):
        assert "few operations" not in causes(text, backend)
    assert "layout" not in causes("gru:16x2", "jax")
    assert "layer normalisation" in causes("transformer:16x2", "jax")
    assert "without a copy" in causes("conv:8x2", "torch")
    assert "without a copy" not in causes("conv:8x2", "jax") + causes("6,6", "torch")


def test_of_a_launch_that_was_cut_short_only_what_was_measured_is_told(tmp_path):
    run = make_run(tmp_path, {"6,6": {}, "8": {}}, launches=1)
    run = replace(run, trials=run.trials.where(run.trials.are(trial_kind="cold")))
    told = analyse(run).sentences
    assert any(one.startswith("For a cold training") for one in told)
    assert not any("step" in one for one in told)
