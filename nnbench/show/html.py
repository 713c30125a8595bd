"""A page of findings, tables and figures that needs no other file."""

import base64
import functools
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape
from matplotlib.figure import Figure

from nnbench import __version__
from nnbench.machine import whole_file
from nnbench.show import palette, svg, units
from nnbench.show.plain import plain
from nnbench.show.svg import Chart
from nnbench.show.table import Table
from nnbench.show.text import no_formula, printable, printable_lines

CHARTS = "charts"


@dataclass(frozen=True)
class Part:
    """A heading over a table, a figure or code, and how it is read; `name` is the figure's file.

    `alt` says what the figure shows to who does not see it; by default the title does.
    """

    title: str
    reading: str
    table: Table | None = None
    figure: Figure | Chart | None = None
    name: str = ""
    code: str = ""
    alt: str = ""
    on_paper: bool = False


def write(
    path: Path,
    *,
    parts: Sequence[Part],
    title: str,
    subtitle: str,
    sentences: Sequence[str],
    warnings: Sequence[str],
    kind: str = "",
) -> Path:
    """Write the page, and its figures into `charts/` beside it. Raises UserError if it cannot.

    `title` is the finding; `kind` says over it what was asked.
    """
    images = {
        part.name: save_chart(_chart(part), path.parent / CHARTS / f"{part.name}.svg")
        for part in parts
        if part.figure is not None
    }
    words = {"title": title, "subtitle": subtitle, "sentences": sentences, "warnings": warnings}
    return render(path, "show/page.html.j2", parts=parts, images=images, kind=kind, **words)


def _chart(part: Part) -> Chart:
    if isinstance(part.figure, Chart):
        return part.figure
    assert part.figure is not None
    return Chart(part.figure, part.alt or part.title, on_paper=part.on_paper)


def save_chart(chart: Chart, path: Path) -> Markup:
    """Draw a chart into a file; return it as part of a page. UserError if it cannot be written."""
    return svg.save(chart, path)


def render(path: Path, template: str, /, **values: Any) -> Path:
    """Write a template, named from the package's folder, filled. Raises UserError if it cannot."""
    page = _environment().get_template(template).render(version=__version__, **values)
    return whole_file.write(path, page)


def cell(
    *,
    title: str = "",
    sentences: Sequence[str] = (),
    charts: Sequence[tuple[str, Chart]] = (),
    tables: Sequence[Table] = (),
    names: Sequence[tuple[str, str, int]] = (),
    trust: Any = None,
    codes: Sequence[tuple[str, str]] = (),
    image: bytes = b"",
    notes: Sequence[str] = (),
) -> str:
    """What a notebook shows below a cell: a part of a page, with its style for itself alone.

    `charts` and `codes` have titles, `names` are those of a legend, `image` is a PNG.
    """
    # What a chart defines must not meet what another cell's defines.
    drawn = [(text, svg.draw(one, f"c{secrets.token_hex(4)}").inline) for text, one in charts]
    shown = Markup(base64.b64encode(image).decode())
    return _environment().get_template("show/cell.html.j2").render(
        title=title, sentences=sentences, charts=drawn, tables=tables, names=names, trust=trust,
        codes=codes, image=shown, notes=notes, style=_cell_style(),
    )  # fmt: skip


@functools.cache
def _cell_style() -> Markup:
    """The page's style, nested: nothing beside the cell is changed."""
    rules = palette.style() + (Path(__file__).parent / "style.css").read_text(encoding="utf-8")
    rules = rules.replace(":root", "&").replace("body {", "& {").replace("max-width: 100rem;", "")
    own = "& { font-size: 14px; padding: .8rem 1rem; border-radius: 8px; margin: 0; }"
    return Markup(f".nnbench {{ {rules} {own} }}")


@functools.cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("nnbench", "."),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=lambda value: printable(value) if type(value) is str else value,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["colours"] = Markup(palette.style())
    environment.filters |= {
        "seconds": units.seconds,
        "share": units.share,
        "lines": _lines,
        "sign": lambda number: palette.SIGNS[palette.sign(number)[1]],
        "variable": lambda number: palette.variable(palette.sign(number)[0]),
        "swatch": _swatch,
    }
    return environment


def _swatch(part: str) -> Markup:
    """A part's colour as CSS; the rest is hatched in the charts and has none."""
    colour = palette.COLOURS[part]
    return Markup("none") if colour == palette.PAPER else Markup(f"var({palette.variable(colour)})")


def _lines(text: str) -> Markup:
    """A text whose line breaks are meant."""
    return escape(printable_lines(text))


def json_link(record: Any) -> Markup:
    """A record as JSON, in an address that a link can download from."""
    return _link("application/json", json.dumps(plain(record), ensure_ascii=False, indent=1))


def csv_link(rows: Sequence[Sequence[object]]) -> Markup:
    """Rows as CSV, in an address that a link can download from."""
    import csv
    import io

    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    for row in rows:
        writer.writerow([no_formula(one) if isinstance(one, str) else one for one in row])
    return _link("text/csv", buffer.getvalue())


def _link(kind: str, text: str) -> Markup:
    encoded = base64.b64encode(text.encode(errors="backslashreplace")).decode()
    return Markup(f"data:{kind};charset=utf-8;base64,{encoded}")
