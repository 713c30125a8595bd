"""Why one network takes longer: on runs made of given numbers, so that the answer is known."""

import json
import math

import pytest
from runs import FINGERPRINT, TIMES_S, make_run

from nnbench.cli.explain import explain
from nnbench.errors import UserError
from nnbench.explain import attribution, charts, words
from nnbench.explain.attribution import PARTS
from nnbench.explain.tables import as_json
from nnbench.show.plain import plain
from nnbench.workload.architecture import parse

WIDE, DEEP = "100x2", "6x5"
TIMES = {
    WIDE: {**TIMES_S, "trace": 0.30, "compile": 0.10, "epoch": 0.030, "step": 0.0030},
    DEEP: {**TIMES_S, "trace": 0.70, "compile": 0.20, "epoch": 0.028, "step": 0.0010},
}


def explained(folder, times=TIMES, **options):
    run = make_run(folder, times, **options)
    (found,) = attribution.of_networks(run, parse(WIDE), parse(DEEP))
    return found


def test_parts_add_up_to_the_whole_and_are_those_that_were_put_in(tmp_path):
    found = explained(tmp_path, spread=0.01)
    assert list(found.parts) == list(PARTS)
    assert math.fsum(part.value for part in found.parts.values()) == pytest.approx(
        found.whole.value, rel=1e-12
    )
    assert found.parts["trace"].value == pytest.approx(0.4, rel=0.05)
    assert found.parts["compile"].value == pytest.approx(0.1, rel=0.05)
    assert found.parts["later steps"].value == pytest.approx(-0.002 * 29, rel=0.05)
    assert found.parts["epoch overhead"].value == pytest.approx(0, abs=0.02)
    for part in (*found.parts.values(), found.whole):
        assert part.low <= part.value <= part.high


def test_what_the_parts_leave_is_the_rest(tmp_path):
    times = {WIDE: TIMES[WIDE], DEEP: {**TIMES[DEEP], "cold": 3.0}}
    found = explained(tmp_path, times, spread=0.001)
    parts_s = 0.02 + 0.04 + 0.7 + 0.2 + 0.004 + 30 * 0.028 - 0.001
    assert found.parts["rest"].value == pytest.approx(3.0 - parts_s, rel=0.05)
    assert any("do not add up" in said for said in words.sentences(found))


def test_intervals_cover_what_was_put_in(tmp_path):
    inside = [
        part.low <= 0.4 <= part.high
        for seed in range(12)
        for part in [
            explained(tmp_path / str(seed), seed=seed, spread=0.05, blocks=1).parts["trace"]
        ]
    ]
    assert sum(inside) >= 9


def test_words_say_which_part_and_how_much(tmp_path):
    said = words.sentences(explained(tmp_path, spread=0.002))
    assert said[0].startswith("6x5 takes 1.3")
    assert "as long as 100x2" in said[0]
    assert "tracing and compiling three more layers" in said[0]
    assert "per step it is 3.00× faster" in said[0]
    assert "later steps" in said[1]


def test_words_of_the_lesser_network_are_as_true(tmp_path):
    run = make_run(tmp_path, TIMES, spread=0.002)
    (found,) = attribution.of_networks(run, parse(DEEP), parse(WIDE))
    said = words.sentences(found)
    assert said[0].startswith("100x2 takes 0.7")
    assert "tracing and compiling three fewer layers" in said[0]
    assert "per step it is 3.00× slower" in said[0]


def test_equal_networks_are_not_distinguishable(tmp_path):
    said = words.sentences(explained(tmp_path, {WIDE: TIMES[WIDE], DEEP: TIMES[WIDE]}))
    assert "cannot be distinguished" in said[0]
    assert "% of the difference" not in said[0]


def test_layers_cost_more_until_enough_epochs_are_trained(tmp_path):
    found = explained(tmp_path, spread=0.002)
    # 0.5 s once, less what a step of the first epoch saves, against 2 ms an epoch.
    assert found.epochs_flip.value == pytest.approx(250, rel=0.1)
    assert found.epochs_flip.low <= found.epochs_flip.value <= found.epochs_flip.high
    said = words.layers_against_units(found, None)
    assert said[0].startswith("Do layers cost more than units?")
    assert "yes, the deeper 6x5" in said[0]
    assert "below, 6x5 takes longer, above, 100x2" in said[1]
    assert "nnbench calibrate --backend tensorflow" in said[2]


def test_where_each_epoch_is_slower_too_it_never_turns_round(tmp_path):
    times = {WIDE: TIMES[WIDE], DEEP: {**TIMES[DEEP], "epoch": 0.06}}
    found = explained(tmp_path, times, spread=0.002)
    assert math.isinf(found.epochs_flip.value)
    said = words.layers_against_units(found, None)
    assert said[1].startswith("However many epochs: 6x5")


def test_the_question_is_not_answered_by_networks_that_do_not_ask_it(tmp_path):
    run = make_run(tmp_path, {"6x2": {}, "6x5": {}})
    (found,) = attribution.of_networks(run, parse("6x2"), parse("6x5"))
    said = words.tell(found, None)
    assert "cannot tell" in said[-1]


def of_others(folder, first, second, counted=None, **options):
    run = make_run(folder, {first: TIMES[WIDE], second: TIMES[DEEP]}, counted=counted, **options)
    (found,) = attribution.of_networks(run, parse(first), parse(second))
    return found


IMAGES = {"shape": "8x8x1", "data": "digits"}


def test_of_one_family_layers_are_told_against_its_own_units(tmp_path):
    counted = {
        "conv:64x2": {"parameters": 40_000, "step_flops": 3_000_000_000},
        "conv:8x5": {"parameters": 3_000, "step_flops": 200_000_000, "not_counted": ["Odd odd_1"]},
    }
    found = of_others(tmp_path, "conv:64x2", "conv:8x5", counted, spread=0.002, **IMAGES)
    said = words.tell(found, None)
    assert "tracing and compiling three more layers" in said[0]
    first, second = "conv:64x2 has 40,000 parameters", "conv:8x5 has 3,000 parameters"
    more, fewer = "3.00 GFLOP a step", "at least 200 MFLOP a step"
    assert f"{first} and {more}; {second} and {fewer}." in said
    assert "Not counted among the FLOPs: Odd odd_1." in said
    (answer,) = [one for one in said if one.startswith("Do layers cost more than filters?")]
    assert "yes, the deeper conv:8x5" in answer
    assert not any("cost model" in one or "calibrate" in one for one in said)
    told = plain(as_json(found, said, tmp_path))
    assert (told["parameters"], told["step_flops"]) == ([40_000, 3_000], [3 * 10**9, 2 * 10**8])


@pytest.mark.parametrize(
    ("first", "second"), [("conv:8x2", "lstm:8x5"), ("conv:8x2", "conv:8x5(norm=on)")]
)
def test_of_networks_that_sizes_do_not_part_no_layer_is_blamed(tmp_path, first, second):
    found = of_others(tmp_path, first, second, spread=0.002, **IMAGES)
    said = " ".join(words.tell(found, None))
    assert "tracing and compiling it" in said
    assert "layer" not in said


def test_blocks_of_a_transformer_are_called_so(tmp_path):
    said = words.tell(of_others(tmp_path, "transformer:8x2", "transformer:8x5", **IMAGES), None)
    assert "three more blocks" in said[0]
    assert "Whether blocks cost more than units" in said[-1]


def test_one_launch_of_one_block_has_no_interval_and_says_so(tmp_path):
    found = explained(tmp_path, launches=1, blocks=1)
    assert not found.whole.has_interval
    assert math.fsum(part.value for part in found.parts.values()) == pytest.approx(
        found.whole.value
    )
    said = words.sentences(found)
    assert any("no interval" in one for one in said)
    told = plain(as_json(found, said, tmp_path / "chart.png"))
    assert json.loads(json.dumps(told, allow_nan=False))["whole"]["low_s"] is None


def test_two_runs_of_a_case_are_taken_apart_unpaired(tmp_path):
    before = make_run(tmp_path / "a", {DEEP: TIMES[DEEP]}, seed=1)
    after = make_run(tmp_path / "b", {DEEP: {**TIMES[DEEP], "compile": 0.9}}, seed=2)
    (found,) = attribution.of_runs(before, after)
    assert found.parts["compile"].excludes_zero
    assert found.parts["compile"].value == pytest.approx(0.7, rel=0.1)
    assert math.fsum(part.value for part in found.parts.values()) == pytest.approx(
        found.whole.value
    )
    assert "compiling it" in words.sentences(found)[0]


def test_runs_of_unlike_hosts_are_refused_unless_asked_for(tmp_path, monkeypatch):
    before = make_run(tmp_path / "a", {DEEP: {}})
    monkeypatch.setitem(FINGERPRINT, "cpu", "Another CPU")
    after = make_run(tmp_path / "b", {DEEP: {}})
    with pytest.raises(UserError, match=r"unlike .*Another CPU"):
        attribution.of_runs(before, after)
    assert attribution.of_runs(before, after, unlike=True)


@pytest.mark.filterwarnings("error")
def test_a_run_does_not_differ_from_itself(tmp_path):
    run = make_run(tmp_path, {DEEP: {}})
    (found,) = attribution.of_runs(run, run)
    assert found.whole.value == 0
    assert found.whole.low < 0 < found.whole.high
    assert all(math.isnan(share.value) for share in found.shares.values())


def test_a_run_without_the_network_names_what_it_holds(tmp_path):
    run = make_run(tmp_path, TIMES)
    with pytest.raises(UserError, match=r"100x2, 6x5"):
        attribution.of_networks(run, parse("8x8"), parse(DEEP))


def test_a_run_to_look_networks_up_in_goes_with_no_folders(tmp_path):
    saved = make_run(tmp_path, {"100x2": {}, "6x5": {}}).folder
    with pytest.raises(UserError, match=r"--run .* networks, and two folders are named"):
        explain(str(saved), str(saved), saved=saved)


def test_the_chart_ends_at_the_whole(tmp_path):
    found = explained(tmp_path)
    axis = charts.waterfall(found).axes[0]
    bars = [bar for bar in axis.patches if bar.get_width() == pytest.approx(0.62)]
    assert len(bars) == len(PARTS) + 1
    last_part, whole = bars[-2], bars[-1]
    assert last_part.get_y() + last_part.get_height() == pytest.approx(whole.get_height())
    assert charts.write(found, tmp_path).stat().st_size > 10_000


@pytest.mark.long
def test_a_saved_run_is_explained_by_the_cost_model_that_there_is(nnbench, calibrated, tmp_path):
    times = {"100x2": {**TIMES_S, "step": 0.003}, "6x5": {**TIMES_S, "trace": 0.9}}
    run = make_run(tmp_path, times, backends=("jax",))
    why = nnbench("explain", "100x2", "6x5", "--run", run.folder, pictures=True)
    assert why.returncode == 0, why.stderr
    assert "Do layers cost more than units? On jax, cpu, fit, 30 epochs" in why.stdout
    assert "By the cost model" in why.stdout
    assert (tmp_path / why.stdout.strip().splitlines()[-1]).stat().st_size > 10_000
