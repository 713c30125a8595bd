"""The figures of races."""

import pytest
from drawings import drawn, overlapping, ticks_overlap
from races import NETWORKS, make_race

from nnbench.race import charts
from nnbench.race.time_to_loss import Race


def test_loss_against_time_marks_where_each_gets_to_the_target(tmp_path):
    race = Race.of(make_race(tmp_path, NETWORKS), 0.2)[0]
    figure = charts.loss_against_time(race)
    for axis, clock in zip(drawn(figure), ("training", "from cold"), strict=True):
        marks = sorted(
            float(line.get_xdata()[0]) for line in axis.lines if line.get_marker() == "o"
        )
        times = [one.time_to(0.2, clock) for one in race.racers]
        assert marks == pytest.approx(sorted(one.value for one in times if one.reached))
        assert len(axis.collections) >= 3
        assert not ticks_overlap(figure, axis)
    assert "6 seeds" in figure.get_supxlabel()


def test_the_pareto_chart_joins_the_front_and_hollows_the_others(tmp_path):
    race = Race.of(make_race(tmp_path, {**NETWORKS, "50,50": (0.006, 0.05, 10, 0)}))[0]
    figure = charts.pareto(race)
    axis = drawn(figure)[0]
    hollow = [
        bar.lines[0] for bar in axis.containers if bar.lines[0].get_markerfacecolor() == "white"
    ]
    beaten = next(one for one in race.racers if one.case.label == "50x2")
    assert [float(line.get_xdata()[0]) for line in hollow] == [beaten.whole().value]
    assert len(axis.lines[0].get_xdata()) == 3
    assert not overlapping(figure, axis.texts)


@pytest.mark.parametrize("count", [1, 12])
def test_charts_can_be_drawn_for_any_number_of_networks(tmp_path, count):
    networks = {str(n + 2): (0.001 * (n + 1), 0.3 / (n + 1), 20, 0) for n in range(count)}
    race = Race.of(make_race(tmp_path, networks))[0]
    drawn(charts.loss_against_time(race))
    drawn(charts.pareto(race))
