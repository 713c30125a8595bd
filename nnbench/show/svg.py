"""A figure as SVG that is part of a page: it follows the page's colours, its text is text.

Matplotlib draws it. What is drawn is then made smaller, its colours become variables of the page's
style (see `palette.style`), and each marked artist carries what it says, to be shown where one
points at it or comes to it by keyboard.
"""

import itertools
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from markupsafe import Markup, escape
from matplotlib.artist import Artist
from matplotlib.figure import Figure

from nnbench.machine import whole_file
from nnbench.show import figures, palette
from nnbench.show.text import printable

WIDTH = 400.0
"""Of a figure in the page's pixels: two stand side by side on a large screen."""

FONT = 12.0
LONGEST_NAME = 22
LETTER = 0.58
"""Width of a letter as a part of its height, in fonts without serifs, rather too wide."""

_DROPPED = re.compile(
    r"<\?xml.*?\?>|<!DOCTYPE.*?>|<metadata>.*?</metadata>|<!--.*?-->|<defs>\s*<style.*?</defs>",
    re.DOTALL,
)
_ROOT = re.compile(r"<svg [^>]*?viewBox=\"0 0 ([\d.]+) ([\d.]+)\"[^>]*>")
_GROUP = re.compile(r'<g id="([^"]*)">')
_KEPT_ID = re.compile(r'<(?!g )(\w+)([^>]*?) id="([^"]+)"')
_LONG_NUMBER = re.compile(r"-?\d+\.\d{2,}")
_FONT = re.compile(r"font: (?:\w+ )?([\d.]+)px [^;\"]*")
_NO_TURN = re.compile(r' transform="rotate\(-?0(?:\.0*)? [^"]*\)"')
_COLOUR = re.compile(r"#[0-9a-f]{6}\b")
_TAG = re.compile(r"<[^>]+>")
_STYLE = re.compile(r'style="[^"]*"')
_FILL = re.compile(r'\b(fill|stroke)="(#[0-9a-f]{6})"')
_SET_BY_STYLE = re.compile(r"var\(--c([0-9a-f]{6})\)|currentColor")
_BLACK = "#000000"


@dataclass(frozen=True)
class Chart:
    """A figure, and what its marks say: `alt` states what the whole of it shows.

    `on_paper` is for figures whose own fills are light: on a dark page they keep a light ground.
    """

    figure: Figure
    alt: str
    marks: list[tuple[int | None, str]] = field(default_factory=list)
    on_paper: bool = False

    def mark(self, artist: Artist, text: str, series: int | None = None) -> None:
        """Let an artist say a text; it is of the network of this number."""
        artist.set_gid(f"mark{len(self.marks)}")
        self.marks.append((series, text))


@dataclass(frozen=True)
class Drawn:
    """A chart drawn once: as a file, and as part of a page."""

    file: str
    inline: Markup


def folded(name: str, longest: int = LONGEST_NAME) -> str:
    """A name on as many lines as it needs where one has only so many letters: none is dropped."""
    lines, left = [], name
    while len(left) > longest:
        # After a comma or another sign, if there is one in the second half.
        ends = [match.end() for match in re.finditer(r"[,:(\s/=._-]", left[:longest])]
        end = ends[-1] if ends and ends[-1] > longest // 2 else longest
        lines.append(left[:end])
        left = left[end:]
    return "\n".join([*lines, left])


def width_of(text: str, size: float = FONT) -> float:
    """About how many pixels the longest line of a text takes."""
    return LETTER * size * max(map(len, text.split("\n")))


def draw(chart: Chart, name: str) -> Drawn:
    """Draw a chart; `name` makes what it defines differ from what others on the page define."""
    whole = figures.svg(chart.figure)
    file = whole.replace("<svg ", '<svg style="background:#fff" ', 1)
    return Drawn(file, Markup(_inline(whole, chart, name)))


def save(chart: Chart, path: Path) -> Markup:
    """Write a chart as a file; return it as part of a page. UserError if it cannot be written."""
    drawn = draw(chart, re.sub(r"\W", "", path.stem))
    whole_file.write(path, drawn.file)
    return drawn.inline


def _inline(whole: str, chart: Chart, name: str) -> str:
    text = _DROPPED.sub("", whole)
    text = _renamed(text, name)
    text = _GROUP.sub(_marker(chart), text)
    text = _TAG.sub(_as_it_is if chart.on_paper else _tag, text)
    text = re.sub(r">\s+<", "><", text)
    text = re.sub(r"(?:<g></g>)+", "", text)
    size = _ROOT.search(text)
    assert size is not None
    width, height = (float(one) for one in size.groups())
    label = escape(printable(chart.alt))
    paper = " paper" if chart.on_paper else ""
    root = (
        f'<svg class="chart{paper}" viewBox="0 0 {width:g} {height:g}" role="img" '
        f'aria-label="{label}" '
        f'style="max-width:{1.2 * width:.0f}px;min-width:{min(width, 0.82 * width):.0f}px">'
    )
    return root + text[size.end() :].rstrip()


def _renamed(text: str, name: str) -> str:
    """With short names of what is defined and used again, that no other chart's has."""
    names: dict[str, str] = {}
    counted = itertools.count()
    for match in _KEPT_ID.finditer(text):
        names.setdefault(match[3], f"{name}-{next(counted)}")
    if not names:
        return text
    text = _KEPT_ID.sub(lambda one: f'<{one[1]}{one[2]} id="{names[one[3]]}"', text)
    text = re.sub(r"url\(#([^)]+)\)", lambda one: f"url(#{names.get(one[1], one[1])})", text)
    used = re.sub(
        r'xlink:href="#([^"]+)"', lambda one: f'href="#{names.get(one[1], one[1])}"', text
    )
    return used.replace("xlink:", "")


def _marker(chart: Chart) -> Callable[[re.Match[str]], str]:
    def group(match: re.Match[str]) -> str:
        if not match[1].startswith("mark"):
            return "<g>"
        series, text = chart.marks[int(match[1][4:])]
        told = escape(printable(text))
        classes = "m" if series is None else f"m n{series}"
        return f'<g class="{classes}"><title>{told}</title>'

    return group


def _tag(match: re.Match[str]) -> str:
    """A tag without what says nothing; the text between tags stays as it is."""
    tag = _FILL.sub(lambda one: f'style="{one[1]}:{_variable(one)}"', match[0])
    tag = _NO_TURN.sub("", _STYLE.sub(_restyled, tag))
    tag = re.sub(r"\s+", " ", _LONG_NUMBER.sub(_shorter, tag))
    return tag.replace(" L ", "L").replace(" z", "z").replace('" >', '">')


def _as_it_is(match: re.Match[str]) -> str:
    """The same with the colours that it was drawn in."""
    return _SET_BY_STYLE.sub(lambda one: f"#{one[1] or '000000'}", _tag(match))


def _shorter(match: re.Match[str]) -> str:
    return f"{float(match[0]):.1f}".removesuffix(".0").replace("-0.0", "0")


def _restyled(match: re.Match[str]) -> str:
    style = _FONT.sub(r"font-size: \1px", match[0])
    style = style.replace("; ", ";").replace(": ", ":").replace(";stroke-linejoin:miter", "")
    return _COLOUR.sub(_variable, style)


def _variable(match: re.Match[str]) -> str:
    colour = match[match.lastindex or 0]
    if colour == _BLACK:
        return "currentColor"
    return f"var({palette.variable(colour)})" if colour in palette.ON_DARK else colour
