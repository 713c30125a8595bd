"""The figures of the cost model."""

import numpy as np
import pytest
from drawings import drawn, ticks_overlap
from models import FLOPS_PER_S, LAYER_S, context

from nnbench.costs import charts
from nnbench.costs.setting import Setting


@pytest.fixture(scope="module")
def here():
    return context(Setting("jax"), rows=1000)


def test_heat_maps_show_step_cold_and_compile_with_contours_and_what_was_timed(here):
    figure = charts.heat_maps(here)
    axes = drawn(figure)[:3]
    assert [axis.get_title().split(",")[0] for axis in axes] == ["step", "cold", "compile"]
    for axis in axes:
        assert any(text.get_text().endswith("s") for text in axis.texts)
        crosses = [line for line in axis.lines if line.get_marker() == "x"]
        assert len(crosses) == 1
        assert not ticks_overlap(figure, axis)
    same = sum(
        (one.case.batch_rows, one.case.steps_per_epoch) == (1000, 1) for one in here.model.observed
    )
    assert same
    dots = next(one for one in axes[0].collections if len(one.get_offsets()) == same)
    measured = [
        one.times_s["step"]
        for one in here.model.observed
        if (one.case.batch_rows, one.case.steps_per_epoch) == (1000, 1)
    ]
    assert sorted(dots.get_array()) == pytest.approx(sorted(measured))


def test_a_backend_that_does_not_compile_has_no_map_of_it(here):
    phases = {name: model for name, model in here.model.phases.items() if name != "compile"}
    from dataclasses import replace

    without = replace(here, model=replace(here.model, phases=phases))
    figure = charts.heat_maps(without)
    drawn(figure)
    titles = [axis.get_title() for axis in figure.axes if axis.get_title()]
    assert len(titles) == 2


def test_the_roofline_has_the_true_overhead_and_rate(here):
    figure = charts.roofline(here, 2e11)
    axis = drawn(figure)[0]
    labels = {line.get_label().split(":")[0]: line for line in axis.lines}
    overhead = labels["overhead alone, depth 1"]
    assert overhead.get_xdata()[0] / overhead.get_ydata()[0] == pytest.approx(2 * LAYER_S, rel=0.3)
    assert labels["the model's FLOPs"].get_ydata()[0] == pytest.approx(FLOPS_PER_S, rel=0.3)
    assert labels["matrix product, measured"].get_ydata()[0] == 2e11
    points = axis.collections[0].get_offsets()
    assert len(points) == len(here.model.phases["step"].cases)
    assert not ticks_overlap(figure, axis)


def test_the_overhead_share_falls_with_size_and_grows_with_depth(here):
    axis = drawn(charts.overhead_share(here))[0]
    shallow, deep = axis.lines[0], axis.lines[-1]
    assert np.all(np.diff(shallow.get_ydata()) < 1)
    assert shallow.get_ydata()[0] > 90
    same_size = np.interp(3000, deep.get_xdata(), deep.get_ydata())
    assert same_size > np.interp(3000, shallow.get_xdata(), shallow.get_ydata())


def test_residuals_have_a_panel_a_phase_and_a_point_a_timing(here):
    axes = drawn(charts.residuals(here))
    titled = {axis.get_title(): axis for axis in axes if axis.get_title()}
    assert set(titled) == set(here.model.phases)
    for phase, axis in titled.items():
        points = axis.containers[0].lines[0]
        assert len(points.get_xdata()) == len(here.model.phases[phase].times_s)
        assert axis.containers[0].has_yerr
