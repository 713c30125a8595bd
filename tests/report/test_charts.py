import re
from dataclasses import replace

import pytest
from matplotlib.colors import to_hex
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from runs import make_run

from nnbench.report import charts
from nnbench.report.run_analysis import analyse
from nnbench.show import svg
from nnbench.store.trials import Trials

NOTEBOOK = {"6,6": {}, "100,100": {"step": 0.004}, "6x5": {"trace": 1.0, "step": 0.002}}


def group_of(folder, times_s, **options):
    found = analyse(make_run(folder, times_s, **options))
    (group,) = found.groups
    return found, group, {one.case.label: place for place, one in enumerate(group.summaries)}


def every_chart(found, group, numbers):
    """All charts of a group by their names."""
    made = {
        f"parts {shares}": charts.parts(group, group.summaries, numbers, as_shares=shares)
        for shares in (False, True)
    }
    for phase in ("cold", "step"):
        made[f"card {phase}"] = charts.card(group, phase, group.summaries[:8], numbers)
        made[f"samples {phase}"] = charts.samples(group, found.values, set(), numbers, phase)
        made[f"map {phase}"] = charts.ratio_map(group, phase)
        for by in ("parameters", "depth"):
            made[f"{phase} by {by}"] = charts.growth(group, numbers, phase, by)
    return {**made, "ratios": charts.ratios(group, numbers)}


def arrows(chart):
    return [one for one in chart.figure.findobj(Line2D) if one.get_marker() in ("<", ">", "v", "^")
            and one.get_linestyle() == "None" and len(one.get_xdata()) == 1]  # fmt: skip


def test_an_interval_that_leaves_the_chart_ends_in_an_arrowhead(tmp_path):
    for place, options, wanted in (
        ("narrow", {"spread": 0.01}, False),
        ("wide", {"spread": 1.5, "launches": 3}, True),
    ):
        _, group, numbers = group_of(tmp_path / place, {"6,6": {}, "100,100": {}}, **options)
        for chart in (
            charts.card(group, "cold", group.summaries, numbers),
            charts.parts(group, group.summaries, numbers, as_shares=False),
        ):
            assert bool(arrows(chart)) == wanted


def says(chart, part):
    """What the marks say that hold these words."""
    return [text for _, text in chart.marks if part in text]


def bars_of(chart, name):
    found = {}
    for artist in chart.figure.artists:
        if isinstance(artist, Rectangle) and artist.get_gid():
            text = chart.marks[int(artist.get_gid()[4:])][1]
            if text.startswith(f"{name}, "):
                found[re.match(r".*?, (.*?):", text)[1]] = artist
    return found


def test_the_parts_of_a_bar_add_up_to_its_whole(tmp_path):
    _, group, numbers = group_of(tmp_path, NOTEBOOK)
    for as_shares in (False, True):
        chart = charts.parts(group, group.summaries, numbers, as_shares=as_shares)
        lengths = {}
        for one in group.summaries:
            bars = bars_of(chart, one.case.label)
            assert len(bars) == 8
            lengths[one.case.label] = sum(
                bar.get_width() * (-1 if name == "rest" and one.cold_parts.rest_s < 0 else 1)
                for name, bar in bars.items()
            )
        first = group.summaries[0]
        for one in group.summaries:
            wanted = 1 if as_shares else one.times["cold"].value / first.times["cold"].value
            got = lengths[one.case.label] / lengths[first.case.label]
            assert got == pytest.approx(wanted, rel=1e-6)


def test_a_rest_below_zero_is_drawn_left_of_zero(tmp_path):
    _, group, numbers = group_of(tmp_path, {"6,6": {"cold": 0.3}})
    bars = bars_of(charts.parts(group, group.summaries, numbers, as_shares=False), "6x2")
    assert bars["rest"].get_x() < bars["build"].get_x()
    assert bars["rest"].get_x() + bars["rest"].get_width() == pytest.approx(bars["build"].get_x())


LONG = [pytest.param(count, marks=pytest.mark.long) for count in (3, 40)]


@pytest.mark.parametrize("count", [1, 14, *LONG])
def test_every_chart_has_every_network_whatever_their_number(tmp_path, count):
    times_s = {f"{4 * (one // 2 + 1)}x{one % 2 + 1}": {} for one in range(count)}
    found, group, numbers = group_of(tmp_path, times_s, launches=3, blocks=1)
    for name, chart in every_chart(found, group, numbers).items():
        if chart is None:
            assert count == 1 or (name.startswith("map") and count < charts.MAP_FROM), name
            continue
        assert "<svg" in svg.draw(chart, "one").inline
        named = {series for series, _ in chart.marks if series is not None}
        if name.endswith(("parameters", "depth")):
            assert named == set(range(count))
            assert charts.without(group, name.split()[-1]) == []
        elif name.startswith("map"):
            assert len(chart.marks) == count
        elif name == "ratios":
            assert named == set(range(1, count))
        else:
            assert named == set(range(min(8, count) if "card" in name else count)), name


def test_a_network_has_one_colour_and_sign_in_all_charts(tmp_path):
    found, group, numbers = group_of(tmp_path, NOTEBOOK)
    drawn = {name: chart for name, chart in every_chart(found, group, numbers).items() if chart}
    seen = {}
    for name, chart in drawn.items():
        if name.startswith("parts"):
            continue
        for artist in chart.figure.artists:
            if artist.get_gid():
                series = chart.marks[int(artist.get_gid()[4:])][0]
                colour = (
                    artist.get_facecolor() if isinstance(artist, Rectangle) else artist.get_color()
                )
                seen.setdefault(series, set()).add(to_hex(colour))
    assert {series: len(colours) for series, colours in seen.items()} == {0: 1, 1: 1, 2: 1}
    assert len(set.union(*seen.values())) == 3


@pytest.mark.parametrize("name", ["step by parameters", "ratios", "parts False", "samples cold"])
def test_texts_of_a_chart_do_not_overlap_and_stay_inside(tmp_path, name):
    found, group, numbers = group_of(tmp_path, {**NOTEBOOK, "conv:32x4": {}, "1024x3": {}})
    chart = every_chart(found, group, numbers)[name]
    text = svg.draw(chart, "one").inline
    width, height = (float(one) for one in re.search(r"viewBox=\"0 0 (\S+) (\S+)\"", text).groups())
    boxes = []
    shape = r'<text style="([^"]*)"(?: x="([^"]*)" y="([^"]*)")?( transform="[^"]*")?[^>]*>(.*?)<'
    for style, x, y, turned, words in re.findall(shape, text):
        if turned:
            continue
        size = float(re.search(r"font-size:([\d.]+)px", style)[1])
        wide = 0.5 * size * len(words)
        left = float(x) - wide * (
            0.5 if "middle" in style else 1.0 if "anchor:end" in style else 0.0
        )
        assert left > -2, words
        assert left + wide < width + 2, words
        assert 0 < float(y) <= height, words
        boxes.append((left, left + wide, float(y) - 0.7 * size, float(y)))
    assert len(boxes) > 5
    for place, one in enumerate(boxes):
        for other in boxes[place + 1 :]:
            across = min(one[1], other[1]) - max(one[0], other[0])
            upright = min(one[3], other[3]) - max(one[2], other[2])
            assert across <= 0 or upright <= 0


def test_marked_blocks_are_drawn_as_crosses_and_kept(tmp_path):
    found, group, numbers = group_of(tmp_path, NOTEBOOK)
    chart = charts.samples(group, found.values, {(0, 0)}, numbers, "cold")
    lines = [one for one in chart.figure.artists if hasattr(one, "get_marker")]
    crosses = [line for line in lines if line.get_marker() == "x"]
    dots = [line for line in lines if line.get_marker() == "o" and line.get_linestyle() == "None"]
    assert sum(len(line.get_xdata()) for line in crosses) == 3
    assert sum(len(line.get_xdata()) for line in dots) == 27
    assert "1 of 10 blocks were noisy" in chart.alt


def test_one_block_has_an_axis_of_one_block(tmp_path):
    found, group, numbers = group_of(tmp_path, NOTEBOOK, launches=1, blocks=1)
    text = svg.draw(charts.samples(group, found.values, set(), numbers, "cold"), "one").inline
    assert ">1</text>" in text
    assert "0.04" not in text


def test_many_blocks_are_taken_together_and_no_sample_becomes_a_mark(tmp_path):
    found, group, numbers = group_of(tmp_path, NOTEBOOK, launches=16, blocks=4)
    chart = charts.samples(group, found.values, set(), numbers, "step")
    assert sum(one.get_gid() is not None for one in chart.figure.artists) < 10
    points = max(len(one.get_xdata()) for one in chart.figure.artists if hasattr(one, "get_xdata"))
    assert points <= charts.MOST_COLUMNS
    assert "64 blocks" in chart.alt


def test_without_all_phases_there_is_no_bar_chart(tmp_path):
    run = make_run(tmp_path, {"6,6": {}})
    trials = list(run.trials)
    for trial in trials:
        trial.get("samples_s", {}).pop("epoch", None)
    (group,) = analyse(replace(run, trials=Trials(trials))).groups
    assert charts.parts(group, group.summaries, {"6x2": 0}, as_shares=False) is None
