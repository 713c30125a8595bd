"""A page of findings, tables and figures that needs no other file."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape
from matplotlib.figure import Figure

from nnbench import __version__
from nnbench.machine import whole_file
from nnbench.show import units
from nnbench.show.figures import save_figure
from nnbench.show.table import Table
from nnbench.show.text import printable, printable_lines


@dataclass(frozen=True)
class Part:
    """A heading over a table, a figure or code, and how it is read; `name` is the figure's file."""

    title: str
    reading: str
    table: Table | None = None
    figure: Figure | None = None
    name: str = ""
    code: str = ""


def write(
    path: Path,
    *,
    parts: Sequence[Part],
    title: str,
    subtitle: str,
    sentences: Sequence[str],
    warnings: Sequence[str],
) -> Path:
    """Write the page, and its figures into `charts/` beside it. Raises UserError if it cannot."""
    images = {
        part.name: save_figure(part.figure, path.parent / "charts" / f"{part.name}.png")
        for part in parts
        if part.figure is not None
    }
    words = {"title": title, "subtitle": subtitle, "sentences": sentences, "warnings": warnings}
    return render(path, "show/page.html.j2", parts=parts, images=images, **words)


def render(path: Path, template: str, /, **values: Any) -> Path:
    """Write a template, named from the package's folder, filled. Raises UserError if it cannot."""
    environment = Environment(
        loader=PackageLoader("nnbench", "."),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=lambda value: printable(value) if type(value) is str else value,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"seconds": units.seconds, "share": units.share, "lines": _lines}
    page = environment.get_template(template).render(version=__version__, **values)
    return whole_file.write(path, page)


def _lines(text: str) -> Markup:
    """A text whose line breaks are meant."""
    return escape(printable_lines(text))
