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


def folder_of(page: Path) -> Path | None:
    """The folder of results that a page lies in: `results` above it, else that of its folder.

    None where that is no folder of results: it has no index of ours, and no other run beside.
    """
    above = list(page.absolute().parents)[: len(LEVELS)]
    for one in above:
        if one.name == RESULTS:
            return one
    run, *others = above
    folder = others[0] if others else run
    return folder if _is_ours(folder / PAGE) or _has_runs(folder, run) else None


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


def write(page: Path) -> Path | None:
    """Write the index of the results that a page is one of; None where it cannot or may not.

    A file of this name that is not ours stays as it is, and an index is nothing to fail for.
    """
    try:
        folder = folder_of(page)
        if folder is None:
            return None
        path = folder / PAGE
        if path.exists() and not _is_ours(path):
            return None
        found = sorted(entries(folder), key=lambda one: one.written, reverse=True)
        return html.render(path, "report/index.html.j2", entries=found, folder=folder.name)
    except (OSError, UserError):
        return None
