"""The index of all results: `index.html` in the folder of results, a line a page, newest first."""

import html as escapes
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from nnbench.errors import UserError
from nnbench.show import html
from nnbench.store.runs import RUN_FILE

RESULTS, PAGE = "results", "index.html"
LEVELS = ("*.html", "*/*.html", "*/*/*.html", "*/*/*/*.html")
"""Where pages lie below a folder of results."""

HEAD_BYTES = 4096
MARK = b'<meta name="generator" content="nnbench">'

KINDS = {
    "report": "run",
    "race": "race",
    "drift": "drift",
    "compare": "comparison",
    "history": "history",
    "model": "calibration",
    "layers": "layers",
    "explain": "explanation",
    "tune": "tuning",
}

_TITLE = re.compile(r"<title>(.*?)(?: - nnbench)?</title>", re.DOTALL)


@dataclass(frozen=True)
class Entry:
    """A page: where it is from the index, what it says, and when it was written (UTC)."""

    address: str
    finding: str
    kind: str
    name: str
    written: datetime


def folders_of(page: Path) -> list[Path]:
    """The folders of results that a page lies in, the nearest first: those that have an index.

    Where none has: `results` above it, else the one that its run's folder shares with another run.
    """
    above = list(page.absolute().parents)[: len(LEVELS)]
    run, folder = above[0], above[min(1, len(above) - 1)]
    called_so = next((one for one in above if one.name == RESULTS), None)
    ours = [one for one in above if one == called_so or _is_ours(one / PAGE)]
    return ours or ([folder] if _has_runs(folder, run) else [])


def _is_ours(path: Path) -> bool:
    return path.is_file() and MARK in path.read_bytes()[:HEAD_BYTES]


def _has_runs(folder: Path, besides: Path) -> bool:
    return any(one.parent != besides for one in folder.glob(f"*/{RUN_FILE}"))


def entries(folder: Path) -> Iterator[Entry]:
    """The pages below a folder that nnbench has written; what cannot be read is left out."""
    for path in sorted(path for level in LEVELS for path in folder.glob(level)):
        try:
            with path.open("rb") as file:
                head = file.read(HEAD_BYTES)
            written = datetime.fromtimestamp(path.stat().st_mtime, UTC)
        except OSError:
            continue
        title = _TITLE.search(head.decode(errors="replace"))
        if path != folder / PAGE and MARK in head and title:
            address = path.relative_to(folder).as_posix()
            kind = KINDS.get(path.stem, path.stem)
            finding = escapes.unescape(title[1])
            yield Entry(address, finding, kind, str(path.parent.relative_to(folder)), written)


def begin(folder: Path) -> None:
    """Give a folder that results were asked for an index, unless a file of that name is there."""
    if not (folder / PAGE).exists():
        _write(folder.absolute())


def write(page: Path) -> Path | None:
    """Write each index of results that a page is one of; the nearest, None where there is none."""
    try:
        written = [_write(one) for one in folders_of(page)]
    except OSError:
        return None
    return next(filter(None, written), None)


def _write(folder: Path) -> Path | None:
    """None where that cannot be. A file of this name that is not ours stays as it is.

    An index is nothing to fail for.
    """
    path = folder / PAGE
    try:
        if path.exists() and not _is_ours(path):
            return None
        found = sorted(entries(folder), key=lambda one: one.written, reverse=True)
        return html.render(path, "report/index.html.j2", entries=found, folder=folder.name)
    except (OSError, UserError):
        return None
