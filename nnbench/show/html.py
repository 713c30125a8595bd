"""A page of findings, tables and figures that needs no other file."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from matplotlib.figure import Figure

from nnbench import __version__
from nnbench.machine import whole_file
from nnbench.show import units
from nnbench.show.figures import in_base64, save_figure
from nnbench.show.table import Table

FILTERS = {
    "seconds": units.seconds,
    "flops": units.flops,
    "share": units.share,
    "bytes": units.data_size,
}


@dataclass(frozen=True)
class Part:
    """A heading over a table, a figure or code, and how it is read; `name` is the figure's file."""

    title: str
    reading: str
    table: Table | None = None
    figure: Figure | None = None
    name: str = ""
    code: str = ""

    @property
    def image(self) -> str:
        """The figure as a PNG in base64, empty without one."""
        return in_base64(self.figure) if self.figure else ""


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
    return whole_file.write(path, page)
