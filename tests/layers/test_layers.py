"""Where a step's time goes: on made times, and planted layers that are found for real."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from runs import case

from nnbench.cli import layers as command
from nnbench.cli.options import Effort, Machine
from nnbench.cli.report import report
from nnbench.errors import UserError
from nnbench.layers import breakdown, charts, listed, plan, tables, words
from nnbench.layers.breakdown import PASSES, Timed
from nnbench.layers.listed import Listed
from nnbench.layers.plan import few
from nnbench.show.plain import plain
from nnbench.workload import datasets

HERE = Path(__file__).parent
RATE = 1e11


def layer(name, kind="Dense", weights=10, flops=10**7, **changes):
    made = Listed(name, kind, "8", False, weights, flops, 2 * flops, 0, 4096, "", 0)
    return replace(made, **changes)


LAYERS = [
    layer("conv2d", "Conv2D", updated=1),
    layer("re_lu", "ReLU", weights=0, flops=100),
    layer("flatten", "Flatten", weights=0, flops=0, is_view=True),
    layer("dense", updated=4),
    layer("dense_1", updated=4),
]
OWN_S = {"conv2d": 2e-3, "re_lu": 0.0, "flatten": 0.0, "dense": 6e-3, "dense_1": 1e-3}
STEP_S, LOSS_S, UPDATE_S = 1e-4, 5e-4, 2e-4


def times(layers=LAYERS, own_s=OWN_S, launches=5, noise=0.0, **changes):
    """Seconds of every piece by launch: a third of a layer's is its forward pass."""
    rng = np.random.default_rng(0)
    made = {"": STEP_S + sum(own_s.values()) + LOSS_S}
    for stop in (0, *listed.stops(layers)):
        before = sum(own_s[one.name] for one in layers[:stop])
        made |= {f"cut:{stop}": STEP_S + before, f"forward:{stop}": STEP_S + before / 3}
    made |= {f"update:{one.updated}": STEP_S + UPDATE_S for one in layers if one.updated}
    made |= changes
    return {
        name: {at: seconds * (1 + noise * rng.normal()) for at in range(launches)}
        for name, seconds in made.items()
    }


def found(layers=LAYERS, **options):
    by_name = times(layers, **options)
    return breakdown.taken_apart(Timed(case("6x5"), layers, by_name, 0, "6x5"), RATE)


def test_parts_are_what_each_layer_adds_and_add_up_to_the_whole():
    one = found()
    assert [group.name for group in one.groups] == ["conv2d + re_lu", "flatten + dense", "dense_1"]
    assert [group.time_s.value for group in one.groups] == pytest.approx([2e-3, 6e-3, 1e-3])
    assert one.sorted[0].name == "flatten + dense"
    seconds = sum(group.time_s.value for group in one.groups)
    assert seconds + one.loss_s.value + one.rest_s.value == pytest.approx(one.whole_s.value)
    dense = one.groups[1]
    split = {"forward": 2e-3, "backward": 6e-3 - 2e-3 - UPDATE_S, "update": UPDATE_S}
    assert {name: dense.passes_s[name].value for name in PASSES} == pytest.approx(split)
    assert dense.utilisation == pytest.approx(3e7 / 6e-3 / RATE)
    assert dense.pass_utilisation["forward"] == pytest.approx(1e7 / 2e-3 / RATE)
    assert one.update_share.value == pytest.approx(3 * UPDATE_S / one.whole_s.value)
    assert words.warnings(one) == []


def test_of_what_may_have_taken_no_time_no_rate_is_told():
    groups = found(noise=0.3).groups
    unsure = [one for one in groups if one.time_s.low <= 0]
    assert unsure
    assert [one for one in groups if one.utilisation is None] == unsure


def test_each_layer_alone_is_a_check_and_what_differs_is_told():
    alone = {"conv2d": 1, "re_lu": 2, "flatten": 0, "dense": 4, "dense_1": 4}
    layers = [replace(one, alone=alone[one.name]) for one in LAYERS]
    names = [case.piece for case in listed.pieces(case("6x5"), layers)]
    assert [name for name in names if str(name).startswith("alone")] == [
        *("alone:1", "alone:2", "alone:4")
    ]
    # dense_1 is what dense is, of which a step takes six times as much.
    of_layers = {"alone:1": 2e-3, "alone:2": 1e-5, "alone:4": 1e-3}
    of_layers = {name: STEP_S + alone_s for name, alone_s in of_layers.items()}
    one = found(layers, noise=1e-4, **of_layers)
    assert [group.alone_s.value for group in one.groups] == pytest.approx(
        [2.01e-3, 1e-3, 1e-3], rel=0.01
    )
    assert [group.name for group in one.apart] == ["flatten + dense"]
    said = words.sentences(one)[-1]
    assert said.startswith("Each alone, on what it is given in the step, the layers take 42 % [")
    assert "flatten + dense (1.00 ms alone, 6.00 ms in it)" in said
    assert plain(tables.as_json(one))["alone"]["apart"] == ["flatten + dense"]
    # What could not be timed so is no check, and no layer is lost by it.
    del of_layers["alone:2"]
    partly = found(layers, **of_layers)
    assert partly.alone_share is partly.groups[0].alone_s is None
    assert partly.groups[1].alone_s is not None
    assert not any("alone" in said for said in words.sentences(partly))


def test_the_finding_names_the_pass_its_share_and_its_rate_first():
    said = words.sentences(found(noise=0.001))
    assert said[0] == (
        "40 % [40–40 %] of a step is the backward pass of flatten + dense (told as one), "
        "at 5.3 % of the machine's product rate."
    )
    assert "next is conv2d + re_lu" in said[1]


def test_what_takes_less_than_nothing_is_told_and_so_is_what_could_not_be_timed():
    strange = found(**{"": 5e-3})
    assert words.warnings(strange)[0].startswith(
        "The parts do not add up well: loss and metrics would take less than nothing."
    )
    by_name = times() | {"cut:1": {}, "forward:1": {}, "forward:5": {}}
    one = breakdown.taken_apart(Timed(case("6x5"), LAYERS, by_name, 3, "6x5"), RATE)
    assert one.groups[0].name == "conv2d + re_lu"
    assert one.groups[-1].passes_s == {}
    assert "3 pieces of the step could not be timed" in " ".join(words.warnings(one))
    with pytest.raises(UserError, match="no launch that timed its whole step"):
        breakdown.taken_apart(Timed(case("6x5"), LAYERS, times() | {"": {}}, 1, "6x5"), RATE)
    one = found(launches=1)
    assert "One launch has no interval" in words.warnings(one)[0]
    assert not any("%" in text for text in words.sentences(one))


def test_the_table_keeps_names_and_shares_however_narrow(capsys, monkeypatch):
    from nnbench.show.terminal import print_table

    shown = tables.table(found(noise=0.01))
    for width in ("80", "60"):
        monkeypatch.setenv("COLUMNS", width)
        print_table(shown, piped_width=int(width))
        printed = capsys.readouterr().out
        assert all(len(line) <= int(width) for line in printed.splitlines())
        assert all(one.name in printed for one in LAYERS)
        assert "loss and metrics" in printed
        assert "share" in printed
    told = plain(tables.as_json(found()))
    assert json.loads(json.dumps(told))["layers"][1]["name"] == "flatten + dense"


def test_a_bar_stands_for_each_layer_in_the_order_of_the_network():
    axes = charts.along_the_depth(found()).axes[0]
    names = [text.get_text() for text in axes.get_yticklabels()]
    assert names == ["conv2d + re_lu", "flatten + dense", "dense_1", "loss and metrics", "rest"]
    assert len(axes.containers[0]) == 3


def test_steps_need_the_first_batches_only():
    data = datasets.load("synthetic:rows=1000,features=4")
    assert few(data, 32).rows == 64
    assert few(data, 1000) is data


def test_a_budget_too_small_for_two_launches_is_said_and_not_promised():
    launches, total_s, reason = plan._launches(Effort(budget="30s"), 300.0, 59)
    assert total_s == 600.0
    assert "longer than the 30 s asked for" in reason
    assert "about 5 min" in reason
    assert plan._launches(Effort(budget="20min"), 300.0, 59) == (launches, 1200.0, "")


@pytest.mark.long
@pytest.mark.alone
def test_a_planted_layer_is_found_in_every_position_and_equal_layers_get_equal_shares(in_backend):
    in_backend("jax", (HERE / "planted.py").read_text())


@pytest.mark.long
def test_the_command_tells_where_the_time_goes_and_goes_on_where_it_stopped(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(plan, "SWEEPS", 1)
    monkeypatch.setattr(plan, "LEAST_SWEEPS", 1)
    asked = command.LayersAsked(
        machine=Machine(backend="jax"),
        effort=Effort(launches=1),
        output=command.LayersOutput(tmp_path, as_json=True),
    )
    assert command.layers("24", asked=asked, name="one") == 0
    first = json.loads(capsys.readouterr().out)
    (one,) = first["found"]
    assert {layer["kind"] for group in one["layers"] for layer in group["layers"]} == {"Dense"}
    assert sum(group["parameters"] for group in one["layers"]) == 4 * 24 + 24 + 24 + 1
    assert one["product_flops_per_s"] > 0
    assert (tmp_path / "one" / "layers.html").exists()
    report(tmp_path / "one", as_json=True)
    assert json.loads(capsys.readouterr().out) == first
    assert not (tmp_path / "one" / "report.html").exists()
    # All is measured: what was found is told again.
    assert command.layers("24", asked=asked, name="one") == 0
    assert json.loads(capsys.readouterr().out) == first
