import re

import pytest
from matplotlib.figure import Figure

from nnbench.show import palette, svg
from nnbench.show.panel import Panel, Scale, of_rows
from nnbench.show.svg import Chart, folded


def luminance(colour):
    """WCAG 2.2, relative luminance."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in parts]
    return sum(share * one for share, one in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one, other):
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("ground", ["paper", "dark"])
def test_every_colour_of_a_network_and_of_a_phase_stands_out_from_the_ground(ground):
    # What a chart lies on: the page, and the card of the answer.
    grounds = ("#ffffff", "#f6f6f4") if ground == "paper" else ("#17181a", "#202225")
    for colour in {*palette.SERIES_COLOURS, *palette.COLOURS.values()} - {palette.PAPER}:
        shown = colour if ground == "paper" else palette.ON_DARK[colour]
        assert min(contrast(shown, one) for one in grounds) >= 3, colour


def test_sixty_networks_have_a_sign_of_their_own():
    assert len({palette.sign(number) for number in range(60)}) == 60


def test_a_chart_follows_the_page_and_says_its_values():
    panel = Panel(300, 100, left=60)
    panel.bar((0, 1), 50, 20, says='a <b> "c"', series=3, color=palette.SERIES_COLOURS[0])
    panel.text((70, 80), "0.12345678 s & more")
    panel.line([(0, 0), (1, 1)], color="#000000")
    drawn = svg.draw(panel.done("One is 1 s."), "x")
    inline = str(drawn.inline)
    assert 'class="m n3"><title>a &lt;b&gt; &#34;c&#34;</title>' in inline
    assert 'aria-label="One is 1 s."' in inline
    assert "fill:var(--c0072b2)" in inline
    assert "stroke:currentColor" in inline
    # Text is text, and no number in it is made shorter.
    assert ">0.12345678 s &amp; more</text>" in inline
    assert "#0072b2" in drawn.file


def test_a_chart_with_light_fills_keeps_its_colours():
    panel = Panel(300, 100, left=60)
    panel.bar((0, 1), 50, 20, says="a", color=palette.SERIES_COLOURS[0])
    inline = svg.draw(Chart(panel.figure, "a", panel.chart.marks, on_paper=True), "x").inline
    assert 'class="chart paper"' in inline
    assert "fill:#0072b2" in inline
    assert "var(" not in inline
    assert "currentColor" not in inline


def test_charts_on_one_page_define_nothing_twice():
    found = []
    for name in ("one", "two"):
        figure = Figure()
        axes = figure.add_subplot()
        axes.plot([1, 2], [3, 4], "o-")
        axes.bar([1], [2], hatch="//")
        found += re.findall(r' id="([^"]+)"', svg.draw(Chart(figure, ""), name).inline)
    assert found
    assert len(found) == len(set(found))


@pytest.mark.parametrize("name", ["6,6", "a" * 60, "train.py:build(depth=4, width=16, kind=new)"])
def test_a_long_name_takes_lines_and_is_not_cut(name):
    lines = folded(name).split("\n")
    assert "".join(lines) == name
    assert max(map(len, lines)) <= svg.LONGEST_NAME


@pytest.mark.parametrize(
    ("low", "high", "log"),
    [(0, 1.7, False), (0, 3e-5, False), (0.97, 1.04, True), (0.2, 900, True), (1e-5, 40, True)],
)
def test_an_axis_has_a_few_round_numbers(low, high, log):
    ticks = Scale(low, high, (0, 300), log=log).ticks(5)
    assert 2 <= len(ticks) <= 9
    assert all(low <= one <= high for one in ticks)
    assert ticks == sorted(ticks)


def test_rows_make_room_for_what_they_are_called():
    panel, middles, row = of_rows(["6x5", "a" * 50], 400)
    assert row > 40
    assert middles[0] - middles[1] == pytest.approx(row)
    assert panel.across[0] > 100
