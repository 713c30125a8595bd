"""The commits of a repository, in order, by git alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nnbench.errors import UserError
from nnbench.machine import git
from nnbench.machine.git import GitError

SHOWN = (
    *("--topo-order", "--reverse", "--no-show-signature"),
    *("-z", "--encoding=UTF-8", "--format=%H%x09%s"),
)


@dataclass(frozen=True)
class Commit:
    """One commit: its full hash, and the first line of its message."""

    name: str
    subject: str

    @property
    def short(self) -> str:
        """Enough of the hash to name it to a person."""
        return self.name[:9]


def log(repository: Path, *revisions: str) -> list[Commit]:
    """Commits of revisions or ranges, parents first. Raises UserError where there are none."""
    names = revisions or ("HEAD",)
    try:
        answer = git.ask(repository, "log", *SHOWN, names=names)
    except GitError as failure:
        told = f"'{' '.join(names)}' names no commits of a git repository at {repository}"
        raise GitError(f"{told}: {failure}", absent=failure.absent) from failure
    # Ended by NUL: a message may hold any other sign.
    parts = [git.text(one).partition("\t") for one in answer.split(b"\0") if one.strip()]
    return [Commit(name, subject) for name, _, subject in parts]


def known(repository: Path, revisions: str = "HEAD") -> dict[str, Commit]:
    """The same by name."""
    return {commit.name: commit for commit in log(repository, revisions)}


def resolve(repository: Path, name: str) -> str:
    """The full hash of a commit. Raises UserError if there is none of that name."""
    full = git.resolve(repository, name)
    if full is None:
        what = f"'{name}' is no commit of a git repository at {repository}"
        raise UserError(what + git.if_shallow(repository))
    return full


def chosen(repository: Path, revisions: Sequence[str]) -> list[Commit]:
    """The commits named: FIRST..LAST with FIRST, as a change needs one before, or single ones."""
    names: set[str] = set()
    ends: list[str] = []
    for text in revisions:
        first, dots, last = text.partition("..")
        ends.append(begin := resolve(repository, first if dots else text))
        names.add(begin)
        if dots:
            ends.append(end := resolve(repository, last or "HEAD"))
            names |= {one.name for one in log(repository, f"{begin}..{end}")}
    return [one for one in log(repository, *ends) if one.name in names] if ends else []
