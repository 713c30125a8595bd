import pytest
from drawings import drawn, ticks_overlap
from matplotlib.container import BarContainer
from runs import make_run

from nnbench.report import charts
from nnbench.show.figures import RESOLUTION_DPI, png
from nnbench.stats.summary import block_values, summarise

NOTEBOOK = {"6,6": {}, "100,100": {"step": 0.004}, "6x5": {"trace": 1.0, "step": 0.002}}


def test_the_parts_of_a_bar_add_up_to_its_whole(tmp_path):
    group = summarise(make_run(tmp_path, NOTEBOOK))
    axis = drawn(charts.cold_parts(group))[0]
    stacks = [container for container in axis.containers if isinstance(container, BarContainer)]
    assert len(stacks) == 8
    for row, summary in enumerate(group):
        whole_s = sum(stack[row].get_width() for stack in stacks)
        assert whole_s == pytest.approx(summary.times["cold"].value, rel=1e-6)


def test_a_rest_below_zero_is_drawn_left_of_zero(tmp_path):
    group = summarise(make_run(tmp_path, {"6,6": {"cold": 0.3}}))
    axis = drawn(charts.cold_parts(group))[0]
    assert min(patch.get_x() + min(patch.get_width(), 0) for patch in axis.patches) < 0


LONG = [pytest.param(count, marks=pytest.mark.long) for count in (3, 40)]


@pytest.mark.parametrize("count", [1, 12, *LONG])
def test_every_chart_can_be_drawn_for_any_number_of_networks(tmp_path, count):
    times_s = {f"{width}": {"step": 0.001 * width} for width in range(1, count + 1)}
    run = make_run(tmp_path, times_s, launches=3, blocks=1)
    group = summarise(run)
    values = block_values(run.samples())
    assert png(charts.cold_parts(group), RESOLUTION_DPI)
    assert png(charts.against_parameters(group), RESOLUTION_DPI)
    assert png(charts.against_depth(group), RESOLUTION_DPI)
    assert png(charts.samples(group, values, set()), RESOLUTION_DPI)
    if count > 1:
        assert png(charts.ratios(group), RESOLUTION_DPI)
    else:
        assert charts.ratios(group) is None


@pytest.mark.parametrize("name", ["against_parameters", "against_depth", "ratios"])
def test_ticks_of_an_axis_do_not_overlap(tmp_path, name):
    group = summarise(make_run(tmp_path, NOTEBOOK))
    figure = getattr(charts, name)(group)
    assert not any(ticks_overlap(figure, axis) for axis in drawn(figure))


def test_every_figure_says_what_stands_behind_it(tmp_path):
    group = summarise(make_run(tmp_path, NOTEBOOK))
    for figure in (charts.cold_parts(group), charts.ratios(group), charts.against_depth(group)):
        note = figure.get_supxlabel()
        assert "95 % intervals" in note
        assert "10 blocks" in note
        assert "5 launches" in note
        assert "tensorflow" in note


def test_marked_blocks_are_drawn_as_crosses_and_kept(tmp_path):
    run = make_run(tmp_path, NOTEBOOK)
    figure = charts.samples(summarise(run), block_values(run.samples()), {(0, 0)})
    drawn(figure)
    crosses = [line for line in figure.axes[0].lines if line.get_marker() == "x"]
    assert sum(len(line.get_xdata()) for line in crosses) == 3
    dots = [line for line in figure.axes[0].lines if line.get_marker() == "o"]
    assert sum(len(line.get_xdata()) for line in dots if line.get_linestyle() == "None") == 27


def test_without_all_phases_there_is_no_bar_chart(tmp_path):
    run = make_run(tmp_path, {"6,6": {}})
    for trial in run.trials:
        trial.get("samples_s", {}).pop("epoch", None)
    assert charts.cold_parts(summarise(run)) is None
