"""The two sides of a comparison: saved runs, commits, or environments.

A commit is checked out into a worktree with an environment of its own, which borrows the installed
packages; pip installs only what the commit asks for otherwise, and no framework twice.
"""

import importlib.util
import os
import subprocess
import sys
import sysconfig
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nnbench.errors import UserError
from nnbench.machine import git
from nnbench.machine.devices import BACKENDS, is_installed
from nnbench.machine.git import GitError
from nnbench.measure.protocol import Environment
from nnbench.store import runs

WORKTREES = Path(".nnbench") / "worktrees"
INSTALL_LIMIT_S = 3600.0


@dataclass(frozen=True)
class Operand:
    """One side as named: a saved `run`, or something to be measured at a `side`."""

    label: str
    run: runs.Run | None = None
    side: Environment | None = None


def resolve(name: str) -> Operand:
    """A run's folder, a Python, `.` (as things stand) or a commit; UserError if it is unusable."""
    path = Path(name)
    if (path / runs.RUN_FILE).exists():
        return Operand(name.rstrip("/"), run=runs.read(path))
    if name == ".":
        return Operand("now", side=Environment())
    if not path.is_file():
        return _commit(name)
    # An environment's python is a link: resolving it would leave the environment.
    python = str(path.absolute())
    command = [python, "-c", "import nnbench"]
    if subprocess.run(command, capture_output=True, check=False, cwd="/").returncode != 0:
        raise UserError(f"{path} is no Python that has nnbench installed")
    return Operand(path.parent.parent.name or path.name, side=Environment(python=python))


def fingerprint_of(operand: Operand) -> dict[str, Any]:
    """A run's own fingerprint, or one taken by a side as `Environment.fingerprint` does."""
    if operand.run is not None:
        return operand.run.fingerprint
    return (operand.side or Environment()).fingerprint()


def _commit(name: str) -> Operand:
    try:
        top = os.fsdecode(git.ask(Path(), "rev-parse", "--show-toplevel")).removesuffix("\n")
    except GitError as failure:
        said = f"'{name}' is neither a run's folder nor a Python, and no git is here"
        raise UserError(said) from failure
    full = git.resolve(Path(), name)
    if full is None:
        raise UserError(f"'{name}' is neither a run's folder, a Python, nor a commit of {top}")
    root = Path(top)
    tree = root / WORKTREES / full[:12]
    if not tree.exists():
        (root / WORKTREES.parent).mkdir(parents=True, exist_ok=True)
        (root / WORKTREES.parent / ".gitignore").write_text("*\n")
        try:
            git.ask(root, "worktree", "prune")
            git.ask(root, "worktree", "add", "--detach", names=[str(tree), full])
        except GitError as failure:
            said = f"commit {name} cannot be checked out into {tree}: {failure}"
            raise UserError(said) from failure
    python = str(_python_for(tree, root))
    return Operand(f"{name} ({full[:9]})", side=Environment(python=python, folder=tree))


def _requirements(tree: Path) -> list[Any]:
    table = _project_table(tree)
    files = [tree / "constraints.txt", tree / "requirements.txt"]
    texts = [file.read_bytes() if file.exists() else None for file in files]
    return [table.get("dependencies"), table.get("optional-dependencies"), *texts]


def _project_table(tree: Path) -> Any:
    project = tree / "pyproject.toml"
    return tomllib.loads(project.read_text()).get("project", {}) if project.exists() else {}


def _python_for(tree: Path, root: Path) -> Path:
    environment = tree.with_name(f"{tree.name}-environment")
    python = environment / "bin" / "python"
    ready = environment / "ready"
    if ready.exists():
        return python
    asked = [] if _requirements(root) == _requirements(tree) else _asked(tree)
    # With a pip of its own come packages that would hide what is borrowed.
    own_pip = bool(asked) and importlib.util.find_spec("pip") is None
    without_pip = [] if own_pip else ["--without-pip"]
    _run([sys.executable, "-m", "venv", "--clear", *without_pip, str(environment)])
    packages = next(environment.glob("lib/python*/site-packages"))
    # Another project's commit is measured by this nnbench, wherever it was installed.
    here = Path(__file__).parents[2]
    lines = [str(tree / "src"), str(tree), str(here), sysconfig.get_path("purelib")]
    (packages / "nnbench_side.pth").write_text("\n".join(lines) + "\n")
    if asked:
        sys.stderr.write(f"installing what {tree.name} asks for and is not here\n")
        # pip counts what is borrowed as installed, and leaves alone what lies outside.
        pip = ["-m", "pip"] if own_pip else ["-m", "pip", "--python", str(python)]
        by = str(python) if own_pip else sys.executable
        _run([by, *pip, "install", "--quiet", *asked], tree)
    ready.touch()
    return python


def _asked(tree: Path) -> list[str]:
    """What a checkout asks to be installed, as pip takes it; backends only that are here."""
    table = _project_table(tree)
    extras = table.get("optional-dependencies", {})
    backends = [name for name in extras if name in BACKENDS and is_installed(name)]
    asked = [*table.get("dependencies", []), *(one for name in backends for one in extras[name])]
    if "dependencies" in table.get("dynamic", ()) or (not table and (tree / "setup.py").exists()):
        # Only its build knows what it asks for.
        asked.append(str(tree))
    if (tree / "requirements.txt").exists():
        asked += ["-r", "requirements.txt"]
    if asked and (tree / "constraints.txt").exists():
        asked += ["-c", "constraints.txt"]
    return asked


def _run(command: list[str], folder: Path | None = None) -> None:
    answer = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=INSTALL_LIMIT_S, check=False
    )
    if answer.returncode != 0:
        lines = (answer.stderr.strip() or answer.stdout.strip()).splitlines()
        reason = [line for line in lines if line.startswith("ERROR")][:1] or lines[-1:]
        raise UserError(f"{' '.join(command[:6])} failed: {''.join(reason)}")
