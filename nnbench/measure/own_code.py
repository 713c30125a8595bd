"""Does a side of a comparison run its own code? Its workers say what they imported, and from where.

A worker reports the modules of the project, each with its file and a digest of it: those whose
file lies in the repository, those that the side's tree has a file for, wherever they come from,
and those of the networks' own code. The parent refuses what is not of that tree, and sides that
all ran the same files although their commits differ.
"""

import hashlib
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nnbench.errors import UserError
from nnbench.machine import git
from nnbench.machine.git import GitError

Modules = dict[str, tuple[str, str]]
"""File and digest by module; a saved model is one, too."""

INSTALLED = {"site-packages", "dist-packages"}
DIGITS = 12


@dataclass(frozen=True)
class Project:
    """The files of a side: those in `tree`, of a repository whose present files are in `top`.

    Its modules are looked for in `folder`, in the tree, and in `src` of both.
    """

    top: Path
    tree: Path
    folder: Path

    @classmethod
    def of(cls, plain: dict[str, str]) -> "Project":
        """What `to_json` wrote."""
        return cls(**{name: Path(value) for name, value in plain.items()})

    def to_json(self) -> dict[str, str]:
        """Plain data for a worker."""
        return {name: str(value) for name, value in vars(self).items()}

    @property
    def name(self) -> str:
        """What a person calls this side."""
        is_present = self.tree == self.top
        return "the working tree" if is_present else f"commit {self.tree.name[:9]}"

    @property
    def roots(self) -> list[Path]:
        """Folders that modules are looked for in."""
        folders = dict.fromkeys((self.folder, self.tree))
        return [root for folder in folders for root in (folder, folder / "src")]

    def has(self, file: str) -> bool:
        """Whether a file is of this side: worktrees of other commits lie in the repository, too."""
        real = Path(os.path.realpath(file))
        tree = Path(os.path.realpath(self.tree))
        return real.is_relative_to(tree) and ".nnbench" not in real.relative_to(tree).parts

    def file_for(self, module: str) -> Path | None:
        """The file that this side has for a module."""
        path = Path(*module.split("."))
        named = [root / one for root in self.roots for one in (f"{path}.py", path / "__init__.py")]
        return next((file for file in named if file.is_file()), None)

    def moved(self, path: Path) -> Path:
        """Where this side has what lies at a path of the repository; others stay."""
        real = Path(os.path.realpath(path))
        if not real.is_relative_to(self.top) or INSTALLED & set(real.parts):
            return real
        there = self.tree / real.relative_to(self.top)
        return there if there.exists() else real

    @property
    def variables(self) -> dict[str, str]:
        """What PYTHONPATH is for this side: its own folders instead of the present ones.

        Its sources come before what is installed, which may be a copy of them.
        """
        entries = os.environ.get("PYTHONPATH")
        given = entries.split(os.pathsep) if entries else []
        moved = [str(self.moved(Path(entry))) for entry in given]
        sources = self.folder / "src"
        moved += [str(sources)] if sources.is_dir() else []
        return {"PYTHONPATH": os.pathsep.join(moved)} if moved else {}


class Imported:
    """What a worker has imported of a project since it was last asked."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._seen: dict[str, int] = {}
        self._names = {
            entry.name.partition(".")[0]
            for root in project.roots
            if root.is_dir()
            for entry in root.iterdir()
        }
        self._own: set[str] = set()
        self._saved: dict[str, tuple[str, str]] = {}

    def follow(self, model: str | None) -> None:
        """Report what a network of one's own (`train.py:build`) is made of, wherever it lies."""
        source = (model or "").partition("(")[0].strip()
        where, colon, _ = source.rpartition(":")
        if colon:
            self._own.add(Path(where).stem if where.endswith(".py") else where)
        elif source and Path(source).is_file():
            self._saved[source] = str(Path(source).absolute()), _digest_of(source)

    def report(self) -> Modules:
        """Its modules that are new."""
        loaded = {name: id(module) for name, module in list(sys.modules.items())}
        new = dict(loaded.items() - self._seen.items())
        self._seen = loaded
        found, self._saved = self._saved, {}
        for name in new:
            file = getattr(sys.modules.get(name), "__file__", None)
            if file and self._concerns(name, file):
                found[name] = file, _digest_of(file)
        return found

    def _concerns(self, name: str, file: str) -> bool:
        first = name.partition(".")[0]
        if first in sys.stdlib_module_names or first == "__main__" or not Path(file).is_file():
            return False
        inside = Path(os.path.realpath(file)).is_relative_to(self._project.top)
        return (
            (inside and not INSTALLED & set(Path(file).parts))
            or name in self._own
            or (first in self._names and self._project.file_for(name) is not None)
        )


def check(project: Project, modules: Modules) -> None:
    """Raise UserError for a module that is not of this side's tree."""
    for name, (file, _) in modules.items():
        if project.has(file):
            continue
        if project.file_for(name) is None and _is_elsewhere(project, file):
            continue
        raise UserError(
            f"{project.name} is to be measured, but {name} was imported from {file}, which is not "
            "of it: mend what leads there (PYTHONPATH, sys.path, an absolute path, an installed "
            "copy)"
        )


def files(project: Project, modules: Modules) -> dict[str, str]:
    """Digest by file: named within the tree where it lies there, the same in every tree."""
    return {
        os.path.relpath(file, project.tree) if project.has(file) else file: held[:DIGITS]
        for file, held in sorted(modules.values())
    }


def digest(project: Project, modules: Modules) -> str:
    """One for all files of the modules, the same wherever they lie."""
    held = sorted(files(project, modules).items())
    return hashlib.sha256(repr(held).encode(errors="surrogateescape")).hexdigest()[:DIGITS]


def proof(project: Project, modules: Modules) -> dict[str, Any]:
    """What a record says of the code that ran: each file's digest, and one for all (`code`)."""
    return {"code": digest(project, modules), "files": files(project, modules)}


def check_apart(sides: Iterable[tuple[Project, Modules]]) -> None:
    """Raise UserError where all sides ran the same files although their commits differ.

    A side without a project, such as another Python, is none of `sides`; one alone is like nothing.
    """
    sides = list(sides)
    if len(sides) < 2:
        return
    projects, modules = zip(*sides, strict=True)
    ran = [{os.path.realpath(file) for file, _ in one.values()} for one in modules]
    states = {_state(one.tree) for one in projects}
    if len(states) < 2 or any(one != ran[0] for one in ran):
        return
    names = " and ".join(dict.fromkeys(one.name for one in projects))
    if not ran[0]:
        what = "none imported a file of this project: name its network with --model train.py:build"
    else:
        what = f"all ran the same files, such as {min(ran[0])}: name code that is of the project"
    raise UserError(f"{names} differ, but {what}")


def _state(tree: Path) -> bytes:
    """What tells the files of one tree from those of another."""
    try:
        commit = git.ask(tree, "rev-parse", "HEAD")
        changes = git.ask(tree, "status", "--porcelain", "-uno", "--ignore-submodules=all")
    except GitError:
        return os.fsencode(tree)
    return commit + (os.fsencode(tree) if changes else b"")


def _digest_of(file: str) -> str:
    return hashlib.sha256(Path(file).read_bytes()).hexdigest()


def _is_elsewhere(project: Project, file: str) -> bool:
    """Whether a file is none of the repository's: outside, installed, or left out by git."""
    outside = not Path(os.path.realpath(file)).is_relative_to(os.path.realpath(project.top))
    return outside or bool(INSTALLED & set(Path(file).parts)) or _is_ignored(project.top, file)


def _is_ignored(top: Path, file: str) -> bool:
    """Whether git leaves a file out: an environment within the project is none of its code."""
    try:
        git.ask(top, "check-ignore", "--quiet", names=[file])
    except GitError:
        return False
    return True
