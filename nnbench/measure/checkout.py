"""A commit's files beside the working tree: a worktree of git's, with what its submodules hold.

The worktree is a copy that is kept for the next time. Whoever changes it gets it made anew.
"""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from nnbench.errors import UserError
from nnbench.machine import git
from nnbench.machine.git import GitError
from nnbench.measure.own_code import Project

WORKTREES = Path(".nnbench") / "worktrees"


@dataclass(frozen=True)
class Checkout:
    """Commit `commit`, named `name`, in `tree`; `top` is the repository as it stands."""

    name: str
    commit: str
    tree: Path
    top: Path

    @property
    def folder(self) -> Path:
        """Where in the tree the same folder is that the command runs in."""
        return self.tree / Path.cwd().resolve().relative_to(self.top.resolve())

    @property
    def project(self) -> Project:
        """Its files, as a side of a comparison has them."""
        return Project(self.top, self.tree, self.folder)

    @property
    def is_whole(self) -> bool:
        """Whether the files are there as they were committed."""
        try:
            found = git.ask(self.tree, "rev-parse", "--show-toplevel", "HEAD")
            changed = git.ask(self.tree, "status", "--porcelain", "-uno", "--ignore-submodules=all")
        except GitError:
            return False
        return not changed and os.fsdecode(found).split("\n")[:2] == [str(self.tree), self.commit]

    def make(self) -> None:
        """Check the files out. Raises UserError where that is not possible."""
        shutil.rmtree(self.tree, ignore_errors=True)
        self.tree.parent.mkdir(parents=True, exist_ok=True)
        (self.tree.parents[1] / ".gitignore").write_text("*\n")
        _add(self.top, self.commit, self.tree, f"commit {self.name}")
        if not self.folder.is_dir():
            inside = self.folder.relative_to(self.tree)
            raise UserError(f"commit {self.name} has no folder {inside}: compare where it has one")


def top_of(folder: Path) -> Path | None:
    """The repository's folder, None outside of one. Raises UserError where git refuses it."""
    try:
        found = git.ask(folder, "rev-parse", "--show-toplevel")
    except GitError as failure:
        if "dubious ownership" in str(failure):
            mend = f"git config --global --add safe.directory {folder.resolve()}"
            raise UserError(f"{failure}: {mend}") from failure
        return None
    return Path(os.fsdecode(found).removesuffix("\n"))


def find(name: str) -> Checkout:
    """The commit of that name of the repository here. Raises UserError if there is none."""
    top = top_of(Path())
    if top is None:
        raise UserError(f"'{name}' is neither a run's folder nor a Python, and no git is here")
    full = git.resolve(Path(), name)
    if full is None:
        what = f"'{name}' is neither a run's folder, a Python, nor a commit of {top}"
        raise UserError(what + git.if_shallow(top))
    return Checkout(name, full, top / WORKTREES / full[:12], top)


def _add(repository: Path, commit: str, tree: Path, what: str) -> None:
    try:
        git.ask(repository, "worktree", "prune")
        git.ask(repository, "worktree", "add", "--force", "--detach", names=[str(tree), commit])
        entries = git.ask(tree, "ls-tree", "-r", "-z", names=[commit]).split(b"\0")
    except GitError as failure:
        raise UserError(f"{what} cannot be checked out into {tree}: {failure}") from failure
    for entry in entries:
        described, _, path = entry.partition(b"\t")
        if described.startswith(b"160000 "):
            inside, held = os.fsdecode(path), git.text(described).split()[-1]
            # Its repository is here already, unless nobody has wanted its files so far.
            if (repository / inside / ".git").exists():
                mend = f"submodule {inside} of {what} (git -C {inside} fetch may bring it)"
                _add(repository / inside, held, tree / inside, mend)
