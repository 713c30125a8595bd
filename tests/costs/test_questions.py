"""What `nnbench advise` answers: on a made machine whose true costs are known, and for real."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from models import AROUND_S, FLOPS_PER_S, LAYER_S, context, own_factor, times_s
from runs import FINGERPRINT

from nnbench.costs import advice, page, questions, saved, verification, words
from nnbench.costs.context import Context
from nnbench.costs.setting import Setting
from nnbench.machine import fingerprint
from nnbench.store import runs
from nnbench.workload.architecture import Architecture, parse


@pytest.fixture(scope="module")
def here():
    return context()


@pytest.fixture(scope="module")
def quick():
    """A setting in which everything takes a fifth of the time."""
    return context(Setting("jax", path="compiled"), slower=0.2)


def true_epoch_s(here, architecture):
    return times_s(here.case(architecture))["epoch"]


def true_step_s(here, architecture):
    return times_s(here.case(architecture))["step"]


def test_the_widest_as_fast_is_as_fast_in_truth_and_one_a_fifth_wider_is_not(here):
    asked = parse("64x3")
    found = {one.architecture.depth: one for one in questions.as_fast(here, asked)}
    assert {1, 2, 3, 6}.issubset(found)
    wanted_s = true_epoch_s(here, asked)
    for one in found.values():
        width = one.architecture.widths[0]
        # Without a low one, even the narrowest that was calibrated may be slower.
        assert (one.width.low or 0) <= one.width.value <= one.width.high
        if one.architecture.depth == 3:
            assert width == 64
        if one.width.open_above or width < 8:
            continue
        assert true_epoch_s(here, one.architecture) == pytest.approx(wanted_s, rel=0.1)
        assert (
            one.epoch_ratio.low
            <= true_epoch_s(here, one.architecture) / wanted_s
            <= one.epoch_ratio.high
        )


def test_a_depth_at_which_even_the_narrowest_is_slower_has_no_answer(here):
    found = questions.as_fast(here, parse("4x1"))
    assert 24 not in {one.architecture.depth for one in found}


def test_at_equal_parameters_and_flops_the_counts_are_equal_within_a_tenth(here):
    asked = parse("64x3")
    flops = here.case(asked).step_cost.flops
    by_size = questions.as_many(here, asked, here.parameters)
    by_work = questions.as_many(here, asked, here.flops)
    assert len(by_size) > 4
    assert len(by_work) > 4
    for one in by_size:
        assert one.parameters == pytest.approx(asked.parameters(4), rel=0.1)
        assert one.parameters == one.architecture.parameters(4)
    for one in by_work:
        assert one.flops_per_step == pytest.approx(flops, rel=0.1)


def test_ratios_hold_the_truth_and_are_surer_than_the_times_they_are_of(here):
    one, other = parse("70x3"), parse("64x3")
    ratio = here.ratio(one, other, "epoch")
    epoch = here.predict(one).epoch_s
    assert ratio.low <= true_epoch_s(here, one) / true_epoch_s(here, other) <= ratio.high
    assert ratio.high / ratio.low < epoch.high / epoch.low
    back = here.ratio(other, one, "epoch")
    assert ratio.value * back.value == pytest.approx(1)
    assert here.ratio(one, one, "epoch").value == 1


def test_ratios_hold_where_every_width_has_something_of_its_own():
    own = 0.12
    uneven = context(own=own)
    base = parse("64x3")
    truth = true_epoch_s(uneven, base) * own_factor(uneven.case(base), own)
    held = []
    for width in range(20, 120, 3):
        one = Architecture((width,) * 3)
        ratio = uneven.ratio(one, base, "epoch")
        true_ratio = true_epoch_s(uneven, one) * own_factor(uneven.case(one), own) / truth
        held.append(ratio.low <= true_ratio <= ratio.high)
    assert np.mean(held) > 0.85
    assert uneven.ratio(base, base, "epoch").high == 1


def test_width_is_free_up_to_where_the_true_step_is_a_tenth_dearer(here):
    for one in questions.free_width(here):
        assert one.free_to_width.value is not None
        narrowest = Architecture((here.narrowest,) * one.depth)
        widest = Architecture((one.free_to_width.value,) * one.depth)
        dearer = true_step_s(here, widest) / true_step_s(here, narrowest)
        assert 1.0 <= dearer < 1.25
        assert (
            one.free_to_width.low is None
            or one.free_to_width.low <= one.free_to_width.value <= one.free_to_width.high
        )


def test_the_knee_is_where_the_true_overhead_equals_the_true_compute(here):
    for one in questions.free_width(here):
        if one.overhead_rules_to_width.open_above or one.overhead_rules_to_width.value is None:
            continue
        layers = one.depth + 1
        cost = here.case(Architecture((one.overhead_rules_to_width.value,) * one.depth)).step_cost
        compute_s = (cost.forward_flops + cost.backward_flops) / FLOPS_PER_S
        assert compute_s / (LAYER_S * layers) == pytest.approx(1, rel=0.35)


def test_a_calibrated_gpu_is_compared_with_the_cpu(here, quick):
    there = replace(quick, setting=Setting("jax", "gpu", path="fit"))
    found = questions.between(here, there, parse("64x3"))
    assert found.low <= 0.2 <= found.high
    assert "wins" in words.on_gpu("64x3", found)


def test_advice_meets_the_parameters_and_the_budget(here):
    found = advice.advise(here, 10_000, 1e-3)
    assert found.meeting
    for one in found.candidates:
        assert 5_000 <= one.parameters <= 11_000
    for one in found.meeting:
        assert true_epoch_s(here, one.architecture) < 1.1e-3
    assert found.deepest.architecture.depth >= found.widest.architecture.depth
    times = [
        one.prediction.epoch_s.value for one in found.meeting if one.meets_budget == advice.SURE
    ]
    assert times == sorted(times)
    assert not found.changes


def test_where_none_meets_it_is_said_what_would(here):
    found = advice.advise(here, 100_000, 0.4e-3)
    assert not found.meeting
    told = "\n".join(words.advice_sentences(found))
    assert "None meets the budget" in told
    assert "a budget of" in told
    assert "fewer parameters" in told
    smaller = next(one for one in found.changes if one.startswith("fewer parameters"))
    network = parse(smaller.split(":")[1].split()[0])
    assert true_epoch_s(here, network) < 0.44e-3


def test_larger_batches_and_other_settings_are_part_of_what_to_change(here, quick):
    small = Context(here.model, here.setting, here.rows, 64, here.epochs)
    quick = replace(quick, rows=here.rows)
    found = advice.advise(small, 1_000, 0.7e-3, {"--path compiled": quick})
    assert not found.meeting
    told = "\n".join(found.changes)
    assert "a full batch" in told
    assert "--path compiled" in told


def test_a_budget_no_network_meets_is_said_so(here):
    found = advice.advise(here, None, AROUND_S / 10)
    assert not found.candidates
    assert any("no network helps" in one for one in found.changes)


@pytest.mark.parametrize(
    ("low", "value", "high", "verdict"),
    [(1, 2, 3, "yes"), (1, 2, 5, "likely"), (1, 5, 9, "doubtful"), (5, 6, 7, "no")],
)
def test_a_verdict_follows_from_where_the_budget_lies(low, value, high, verdict):
    assert advice.judge(questions.Interval(value, low, high), 4) == verdict


def test_beyond_the_calibrated_range_it_is_said_so(here):
    prediction = here.predict(parse("2000x2"))
    assert "guess" in words.outside(prediction)
    assert here.predict(parse("64x3")).outside == ()


def measured_run(folder, here, factors, host=FINGERPRINT):
    """A run of these networks whose measured times are the true ones times a factor."""
    cases = {text: here.case(parse(text)) for text in factors}
    wanted = {
        "cases": [case.to_json() for case in cases.values()],
        "launches": 3,
        "blocks": 1,
        "seed": 0,
        "limit_s": 10.0,
        "precision": None,
        "budget_s": None,
        "sides": [""],
    }
    path = runs.create(folder, "run", wanted, host)
    writer = runs.Writer(path)
    rng = np.random.default_rng(1)
    number = 0
    for launch in range(3):
        for text, case in cases.items():
            times = times_s(case, factors[text] * float(np.exp(rng.normal(0, 0.005))))
            writer.append(
                {
                    "kind": "trial",
                    "trial": number,
                    "launch": launch,
                    "round": launch,
                    "side": "",
                    "block": 0,
                    "trial_kind": "phases",
                    "sweep": 0,
                    "case": case.key,
                    "outcome": "ok",
                    "began": "2026-01-01T00:00:00+00:00",
                    "wall_s": 1.0,
                    "samples_s": {phase: [time] for phase, time in times.items()},
                }
            )
            number += 1
    writer.close()
    return runs.read(path)


def test_verification_says_where_the_prediction_failed(tmp_path, here):
    run = measured_run(tmp_path, here, {"64x3": 1.0, "86x2": 1.0, "32x12": 3.0})
    good, better, wrong = verification.compared(here, run)
    assert good.holds
    assert better.holds
    assert not wrong.holds
    assert wrong.error == pytest.approx(-2 / 3, abs=0.1)
    assert good.measured_ratio is None
    assert wrong.measured_ratio.value == pytest.approx(3 * wrong.predicted_ratio.value, rel=0.15)
    told = words.checked_sentences([good, better, wrong])
    assert told[0].startswith("2 of 3")
    assert told[1].startswith("32x12 failed")
    assert "slower than the predicted" in told[1]


def test_the_page_is_one_file_with_everything_in_it(tmp_path, here):
    path = page.write(tmp_path, here)
    text = path.read_text()
    for word in (
        "Coefficients",
        "per GFLOP",
        "Roofline",
        "Predicted and measured",
        '<svg class="chart',
    ):
        assert word in text
    assert "http://" not in text
    assert "https://" not in text
    assert len(list((tmp_path / "charts").glob("*.svg"))) == 4
    # On a phone each row is a card of its own.
    phases = re.findall(r'<th scope="row"[^>]*?(?: data-above="(\w*)")?></th>', text)
    assert {"compile", "step"}.issubset(phases)
    assert "" not in phases


def test_batches_change_the_answers(here):
    asked = parse("16x2")
    batches = Context(here.model, here.setting, here.rows, 64, here.epochs)
    assert batches.predict(asked).epoch_s.value > 3 * here.predict(asked).epoch_s.value
    assert replace(here.setting, path="compiled") != here.setting


def test_mistakes_are_one_line(nnbench):
    answer = nnbench("advise", "64x3", "--backend", "jax")
    assert answer.returncode == 2
    assert answer.stderr.count("\n") == 1
    assert "nnbench calibrate" in answer.stderr
    for arguments in ([], ["--params", "0"], ["64x3", "--batch", "few"], ["64y3"]):
        answer = nnbench("advise", *arguments)
        assert answer.returncode == 2
        assert len(answer.stderr.strip().splitlines()) == 1


@pytest.mark.long
def test_advice_is_verified_by_training_for_real(nnbench, tmp_path, quick):
    # Calibrated with made times: what is trained need not agree with them, and is compared.
    folder = tmp_path / "results" / saved.FOLDER / quick.setting.folder
    networks = {f"{width}x{depth}": 1.0 for width in (2, 4, 8, 16, 32) for depth in (1, 2)}
    measured_run(folder, quick, networks, fingerprint.take())
    options = ("--backend", "jax", "--path", "compiled", "--rows", "1000", "--json", "--quiet")
    answer = nnbench("advise", "--params", "100", "--verify", "--launches", "1", *options)
    assert answer.returncode == 0, answer.stderr
    told = json.loads(answer.stdout)
    labels = {one["architecture"] for one in told["advice"]["candidates"]}
    assert len(told["verified"]) == len(labels) == 2
    for one in told["verified"]:
        assert one["architecture"] in labels
        epoch = one["predicted_epoch_s"]
        measured_s = one["measured_epoch_s"]["value"]
        assert measured_s > 0
        assert one["holds"] == (epoch["low"] <= measured_s <= epoch["high"])
