"""The commits of a repository, in order, by git alone."""

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nnbench.errors import UserError


@dataclass(frozen=True)
class Commit:
    """One commit: its full hash, and the first line of its message."""

    name: str
    subject: str

    @property
    def short(self) -> str:
        """Enough of the hash to name it to a person."""
        return self.name[:9]


def log(repository: Path, revisions: str = "HEAD") -> list[Commit]:
    """Commits of a revision or range, parents first. Raises UserError where there are none."""
    shown = ("--topo-order", "--reverse", "--format=%H%x09%s")
    answer = _git(repository, "log", *shown, revisions, "--")
    if answer is None:
        raise UserError(f"'{revisions}' names no commits of a git repository at {repository}")
    return [Commit(*line.split("\t", 1)) for line in answer.splitlines()]


def known(folder: Path, revisions: str = "HEAD") -> dict[str, Commit]:
    """The same by name; none where the folder is in no repository."""
    if _git(folder, "rev-parse", "--verify", "--quiet", "HEAD") is None:
        return {}
    return {commit.name: commit for commit in log(folder, revisions)}


def resolve(repository: Path, name: str) -> str:
    """The full hash of a commit. Raises UserError if there is none of that name."""
    full = _git(repository, "rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")
    if full is None:
        raise UserError(f"'{name}' is no commit of a git repository at {repository}")
    return full.strip()


def chosen(repository: Path, revisions: Sequence[str]) -> list[Commit]:
    """The commits named: FIRST..LAST with FIRST, as a change needs one before, or single ones."""
    names: list[str] = []
    for text in revisions:
        first, dots, last = text.partition("..")
        if not dots:
            names.append(resolve(repository, text))
            continue
        begin, end = resolve(repository, first), resolve(repository, last or "HEAD")
        names += [begin, *(one.name for one in log(repository, f"{begin}..{end}"))]
    return [one for one in log(repository, "--all") if one.name in names]


def _git(repository: Path, *arguments: str) -> str | None:
    command = ["git", *arguments]
    try:
        return subprocess.run(
            command, cwd=repository, capture_output=True, text=True, check=True
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        return None
