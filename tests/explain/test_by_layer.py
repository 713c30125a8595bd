"""A step's difference by layer: on made times, so that the answer is known."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from runs import TIMES_S, case, make_run

from nnbench.cli.explain import explain
from nnbench.cli.options import Asked, Effort, Machine, Output
from nnbench.errors import UserError
from nnbench.explain import attribution, by_layer, charts, layer_words, matching, page, tables
from nnbench.layers import listed, plan
from nnbench.layers.breakdown import LOSS, REST, Timed
from nnbench.layers.listed import Listed
from nnbench.show.plain import plain
from nnbench.workload.architecture import parse

STEP_S, LOSS_S = 1e-4, 5e-4


def layer(name, kind="Dense", output="8", weights=72, **changes):
    made = Listed(name, kind, output, False, weights, 10**6, 2 * 10**6, 0, 4096, "", 0)
    return replace(made, **changes)


def timed(network, own_s, *, launches=5, noise=0.0, seed=0):
    """Every cut of a network, of which each layer takes the seconds that are given."""
    rng = np.random.default_rng(seed)
    layers = [one for one, _ in own_s]
    seconds = {"": STEP_S + sum(taken_s for _, taken_s in own_s) + LOSS_S}
    for stop in (0, *listed.stops(layers)):
        seconds[f"cut:{stop}"] = STEP_S + sum(taken_s for _, taken_s in own_s[:stop])
    of_launches = {
        name: {at: one * (1 + noise * rng.normal()) for at in range(launches)}
        for name, one in seconds.items()
    }
    return Timed(case(network), layers, of_launches, 0, network)


BEFORE = [
    (layer("stem", "Conv2D"), 2e-3),
    (layer("re_lu", "ReLU", weights=0), 0.0),
    (layer("dense"), 1e-3),
    (layer("out", output="1", weights=9), 1e-4),
]
AFTER = [
    (layer("stem", "Conv2D", output="16"), 5e-3),
    (layer("re_lu", "ReLU", weights=0), 0.0),
    (layer("batch_normalization", "BatchNormalization", weights=16), 8e-4),
    (layer("dense"), 1e-3),
    (layer("out", output="1", weights=9), 1e-4),
]


def compared(**options):
    return by_layer.between(timed("6x2", BEFORE, **options), timed("6x3", AFTER, **options))


def test_layers_are_matched_by_name_and_what_only_one_network_has_stands_by_itself():
    found = compared()
    assert [one.name for one in found.parts] == [
        *("stem + re_lu", "batch_normalization", "dense", "out", LOSS, REST)
    ]
    differences = {one.name: one.difference_s.value for one in found.parts}
    assert differences["stem + re_lu"] == pytest.approx(3e-3)
    assert differences["batch_normalization"] == pytest.approx(8e-4)
    assert all(abs(differences[name]) < 1e-9 for name in ("dense", "out", LOSS, REST))
    only = found.parts[1]
    assert only.first_s is None
    assert only.second_s.value == pytest.approx(8e-4)
    assert found.added_up_s == pytest.approx(found.whole.value)
    assert found.adds_up
    assert layer_words.warnings(found) == []


def test_with_noise_the_parts_add_up_within_their_intervals_and_hold_what_was_put_in():
    found = compared(noise=0.003, seed=3)
    assert found.adds_up
    assert found.whole.low <= 3.8e-3 <= found.whole.high
    stem = found.parts[0].difference_s
    assert stem.low <= 3e-3 <= stem.high


def test_words_name_the_layers_the_difference_lies_in():
    whole, largest = layer_words.sentences(compared(noise=1e-5))
    assert whole.startswith("A step of 6x3 takes 3.8")
    assert "longer than one of 6x2" in whole
    assert largest.startswith("The differences lie in stem + re_lu, 3.0")
    assert "batch_normalization" in largest
    assert "which only 6x3 has" in largest


def test_networks_of_numbered_layers_are_matched_by_shape_and_place():
    first = [layer("dense"), layer("dense_1"), layer("dense_2", output="1", weights=9)]
    second = [*(layer(f"dense_{place}") for place in range(3, 7)), layer("dense_7", output="1")]
    assert matching.pairs(first, second) == [(0, 0), (1, 1), (None, 2), (None, 3), (2, 4)]
    assert matching.pairs(second, first) == [(0, 0), (1, 1), (2, None), (3, None), (4, 2)]
    # Another kind of the same name, which a person gave, is that layer still.
    renamed = [layer("head", "Conv1D"), layer("lstm", "LSTM")]
    assert matching.pairs(renamed, [layer("head")]) == [(0, 0), (1, None)]
    assert matching.pairs([layer("lstm", "LSTM")], [layer("gru", "GRU")]) == [(0, None), (None, 0)]
    assert matching.pairs([], [layer("dense")]) == [(None, 0)]


def test_steps_that_no_launch_timed_together_are_refused():
    with pytest.raises(UserError, match="no launch has timed all pieces of both"):
        by_layer.between(timed("6x2", BEFORE, launches=0), timed("6x3", AFTER))


def test_the_table_keeps_names_and_differences_however_narrow(capsys):
    from nnbench.show.terminal import print_table

    found = compared(noise=0.001)
    for width in (80, 60):
        print_table(tables.layer_table(found), piped_width=width)
        printed = capsys.readouterr().out
        assert all(len(line) <= width for line in printed.splitlines())
        assert all(one.name in printed for one in found.parts)
        assert "B minus A" in printed
    told = json.loads(json.dumps(plain(tables.layers_as_json(found, [], []))))
    assert told["parts"][1]["first_s"] is None
    assert told["parts"][1]["second"] == ["batch_normalization"]


def test_bars_of_the_waterfall_end_where_the_whole_does():
    found = compared(noise=0.001)
    axis = charts.by_layer(found).axes[0]
    names = [text.get_text() for text in axis.get_yticklabels()]
    assert names == [*(one.name for one in found.parts), "whole step"]
    last = axis.patches[len(found.parts) - 1]
    assert math.isclose(last.get_x() + last.get_width(), found.added_up_s, abs_tol=1e-9)


def test_the_page_shows_phases_then_layers(tmp_path):
    run = make_run(tmp_path, {"6x2": TIMES_S, "6x3": {**TIMES_S, "trace": 0.8}})
    (phases,) = attribution.of_networks(run, parse("6x2"), parse("6x3"))
    written = page.write(run, [(phases, ["What was said."])], [compared(noise=0.001)]).read_text()
    assert written.count("<svg") == 2
    places = [written.index(text) for text in ("What was said.", "The differences lie in stem")]
    places += [written.index(f"<h2>{text}") for text in ("Why it takes longer", "A step by layer")]
    assert places == sorted(places)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"first": "6,6"}, "1 is named: A and B, or --model twice"),
        ({"first": "6,6", "second": "6,6"}, "are the same network"),
        ({"first": "/tmp", "second": "/", "layers": True}, "name two networks with --layers"),
        (
            {"first": "8", "second": "8x2", "layers": True, "saved": Path("run")},
            "layers are timed anew: drop --run",
        ),
    ],
)
def test_what_cannot_be_compared_is_refused(asked, told):
    with pytest.raises(UserError, match=told):
        explain(**asked)


@pytest.mark.long
def test_the_command_adds_the_layers_to_the_phases(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(plan, "SWEEPS", 1)
    monkeypatch.setattr(plan, "LEAST_SWEEPS", 1)
    asked = Asked(
        machine=Machine(backend="jax"),
        effort=Effort(launches=1, blocks=1),
        output=Output(tmp_path / "results", as_json=True),
    )
    assert explain("8", "8,8", layers=True, asked=asked) == 0
    (found,) = json.loads(capsys.readouterr().out)
    layers = found["layers"]
    assert (layers["first"], layers["second"]) == (found["first"], found["second"]) == ("8", "8,8")
    assert "A step of 8,8" in layers["sentences"][0]
    kinds = [(bool(one["first"]), bool(one["second"])) for one in layers["parts"]]
    assert kinds == [(True, True), (False, True), (True, True), (False, False), (False, False)]
    added_up_s = sum(one["difference_s"]["value"] for one in layers["parts"])
    assert added_up_s == pytest.approx(layers["whole_s"]["value"], abs=1e-9)
    (page,) = tmp_path.rglob("explain.html")
    assert "A step by layer" in page.read_text()
