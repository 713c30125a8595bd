"""A page of findings, tables and figures that needs no other file, and tables in a terminal."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from matplotlib.figure import Figure
from rich import box
from rich.table import Table as RichTable
from rich.text import Text

from nnbench import __version__
from nnbench.errors import UserError
from nnbench.show import units
from nnbench.show.terminal import open_console

RESOLUTION_DPI = 110

FILTERS = {
    "seconds": units.seconds,
    "flops": units.flops,
    "share": units.share,
    "bytes": units.data_size,
}


@dataclass(frozen=True)
class Cell:
    """A figure, and what stands below it in small: its interval."""

    text: str
    below: str = ""


@dataclass(frozen=True)
class Table:
    """Rows of cells; the first column names a row."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    caption: str = ""


@dataclass(frozen=True)
class Part:
    """A heading over a table or a figure, and how it is read; `name` is the figure's file."""

    title: str
    reading: str
    table: Table | None = None
    figure: Figure | None = None
    name: str = ""

    @property
    def image(self) -> str:
        """The figure as a PNG in base64, empty without one."""
        return base64.b64encode(_png(self.figure)).decode() if self.figure else ""


def print_table(table: Table) -> None:
    """Print a table for a person."""
    shown = RichTable(title=table.title, caption=table.caption or None, box=box.SIMPLE_HEAD)
    for place, name in enumerate(table.columns):
        shown.add_column(name, justify="right" if place else "left", no_wrap=place > 0)
    for row in table.rows:
        shown.add_row(*(_in_terminal(cell) for cell in row))
    open_console().print(shown)


def _in_terminal(cell: Cell) -> Text:
    text = Text(cell.text)
    if cell.below:
        text.append(f"\n{cell.below}", style="dim")
    return text


def write(
    path: Path,
    *,
    title: str,
    subtitle: str,
    sentences: Sequence[str],
    warnings: Sequence[str],
    parts: Sequence[Part],
) -> Path:
    """Write the page, and its figures into `charts/` beside it; return the page's path.

    Raises UserError if the folder cannot be written.
    """
    charts = path.parent / "charts"
    for part in parts:
        if part.figure is not None:
            save_figure(part.figure, charts / f"{part.name}.png")
    return render(
        path,
        "show/page.html.j2",
        title=title,
        subtitle=subtitle,
        sentences=sentences,
        warnings=warnings,
        parts=parts,
    )


def render(path: Path, template: str, /, **values: Any) -> Path:
    """Fill a template, named from the package's folder, and write the page; return its path.

    Templates may use the filters of `FILTERS`. Raises UserError if the folder cannot be written.
    """
    environment = Environment(
        loader=PackageLoader("nnbench", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= FILTERS
    page = environment.get_template(template).render(version=__version__, **values)
    _replace(path, page.encode())
    return path


def save_figure(figure: Figure, path: Path) -> str:
    """Write a figure as PNG and return it in base64. Raises UserError if it cannot be written."""
    png = _png(figure)
    _replace(path, png)
    return base64.b64encode(png).decode()


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=RESOLUTION_DPI, facecolor="white")
    return buffer.getvalue()


def _replace(path: Path, content: bytes) -> None:
    """Put a whole file in place of what was there, or leave that as it was."""
    partial = path.with_name(f"{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(content)
        partial.replace(path)
    except OSError as failure:
        raise UserError(f"{path} cannot be written: {failure.strerror}") from failure
