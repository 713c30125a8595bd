"""The two sides of a comparison: saved runs, commits, or environments.

A commit is checked out into a worktree with an environment of its own, which borrows the installed
packages; pip installs only what the commit asks for otherwise, and no framework twice.
"""

import ast
import configparser
import contextlib
import importlib.util
import shutil
import site
import sys
import sysconfig
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nnbench.errors import UserError
from nnbench.machine import whole_file
from nnbench.machine.devices import BACKENDS, is_installed
from nnbench.measure import checkout
from nnbench.measure.checkout import Checkout
from nnbench.measure.own_code import Project
from nnbench.measure.protocol import Environment, ended
from nnbench.store import runs

INSTALL_LIMIT_S = 3600.0

ASKING = ("constraints.txt", "requirements.txt")
PROJECT = ("pyproject.toml", "setup.py", "setup.cfg", "requirements.txt")


@dataclass(frozen=True)
class Operand:
    """One side as named: a saved `run`, or something to be measured at a `side`.

    `commit` is what git takes for it: a hash, HEAD for the present working tree.
    """

    label: str
    run: runs.Run | None = None
    side: Environment | None = None
    commit: str | None = None


def resolve(name: str) -> Operand:
    """A run's folder, a Python, `.` (as things stand) or a commit; UserError if it is unusable."""
    path = Path(name)
    if (path / runs.RUN_FILE).exists():
        return Operand(name.rstrip("/"), run=runs.read(path))
    if name == ".":
        side = _present()
        return Operand("now", side=side, commit="HEAD" if side.project else None)
    if not path.is_file():
        return _commit(name)
    # An environment's python is a link: resolving it would leave the environment.
    python = str(path.absolute())
    try:
        _ = Environment(python, Path("/")).protocol
    except UserError as failure:
        raise UserError(
            f"{path} is no Python that has nnbench installed ({failure.reason})"
        ) from None
    return Operand(path.parent.parent.name or path.name, side=Environment(python=python))


def fingerprint_of(operand: Operand) -> dict[str, Any]:
    """A run's own fingerprint, or one taken by a side as `Environment.fingerprint` does."""
    if operand.run is not None:
        return operand.run.fingerprint
    return (operand.side or Environment()).fingerprint()


def _commit(name: str) -> Operand:
    found = checkout.find(name)
    python = str(_python_for(found))
    side = Environment(python, found.folder, found.project)
    return Operand(f"{name} ({found.commit[:9]})", side=side, commit=found.commit)


def _present() -> Environment:
    top = checkout.top_of(Path())
    return Environment(project=Project(top, top, Path.cwd()) if top else None)


def _requirements(project: Path) -> list[Any]:
    table = _project_table(project)
    texts = [file.read_bytes() if (file := project / name).exists() else None for name in ASKING]
    names = ("dependencies", "optional-dependencies", "group")
    return [*(table.get(name) for name in names), *texts, _asked_by_setup(project)]


def _asked_by_setup(project: Path) -> list[str]:
    """What a `setup.cfg` or `setup.py` asks for, where it says so without computing it."""
    asked = []
    settings = configparser.ConfigParser(interpolation=None)
    with contextlib.suppress(configparser.Error, UnicodeDecodeError):
        settings.read(project / "setup.cfg", encoding="utf-8")
        asked.append(settings.get("options", "install_requires", fallback=""))
    with contextlib.suppress(OSError, SyntaxError, ValueError):
        parsed = ast.walk(ast.parse((project / "setup.py").read_bytes()))
        words = [word for one in parsed if isinstance(one, ast.Call) for word in one.keywords]
        asked += [ast.dump(word.value) for word in words if word.arg == "install_requires"]
    return asked


def _project_in(folder: Path, top: Path) -> Path:
    """The folder of the project that a folder belongs to: the nearest that asks for packages."""
    above = [folder, *(one for one in folder.parents if one.is_relative_to(top))]
    return next((one for one in above if any((one / name).exists() for name in PROJECT)), top)


def _project_table(project: Path) -> Any:
    file = project / "pyproject.toml"
    try:
        found = tomllib.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    except ValueError as failure:
        raise UserError(f"{file} is no TOML: {failure}") from failure
    return found.get("project") or found.get("tool", {}).get("poetry", {})


def _python_for(found: Checkout) -> Path:
    environment = found.tree.with_name(f"{found.tree.name}-environment")
    python, ready = environment / "bin" / "python", environment / "ready"
    if not (ready.exists() and found.is_whole):
        shutil.rmtree(environment, ignore_errors=True)
        found.make()
    project = _project_in(found.folder, found.tree)
    asked = []
    if not ready.exists():
        same = _requirements(_project_in(Path.cwd(), found.top)) == _requirements(project)
        asked = [] if same else _asked(project)
        # With a pip of its own come packages that would hide what is borrowed.
        own_pip = bool(asked) and importlib.util.find_spec("pip") is None
        without_pip = [] if own_pip else ["--without-pip"]
        _run([sys.executable, "-m", "venv", *without_pip, str(environment)])
    _borrow(found, environment)
    if asked:
        sys.stderr.write(f"installing what {found.tree.name} asks for and is not here\n")
        # pip counts what is borrowed as installed, and leaves alone what lies outside.
        pip = ["-m", "pip"] if own_pip else ["-m", "pip", "--python", str(python)]
        by = str(python) if own_pip else sys.executable
        _run([by, *pip, "install", "--quiet", *asked], project)
    ready.touch()
    return python


def _borrow(found: Checkout, environment: Path) -> None:
    """Let an environment find the commit's files, this nnbench, and all that is installed here."""
    packages = next(environment.glob("lib/python*/site-packages"))
    # Another project's commit is measured by this nnbench, wherever that was installed.
    here = Path(__file__).resolve().parents[2]
    own = found.project.moved(here)
    lines = [*map(str, found.project.roots)]
    if own != here and (own / "nnbench").is_dir():
        lines.append(str(own))
    else:
        # Before what the commit asks for, which may be another nnbench; and nothing beside it.
        link = environment / "measured-by" / "nnbench"
        link.parent.mkdir(exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(here / "nnbench")
        lines.append(f"import sys; sys.path.insert(0, {str(link.parent)!r})")
    # Each as its interpreter has it: what lies there may lead to other folders.
    lines += [f"import site; site.addsitedir({str(folder)!r})" for folder in _installed()]
    text = "".join(f"{line}\n" for line in lines)
    file = packages / "nnbench_side.pth"
    if not file.exists() or file.read_text() != text:
        whole_file.write(file, text)


def _installed() -> list[str]:
    """The folders of what is installed here."""
    users = [site.getusersitepackages()] if site.ENABLE_USER_SITE else []
    paths = [sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
    return list(dict.fromkeys([*paths, *site.getsitepackages(), *users]))


def _asked(project: Path) -> list[str]:
    """What a project asks to be installed, as pip takes it; backends only that are here."""
    table = _project_table(project)
    extras = table.get("optional-dependencies", {})
    backends = [name for name in extras if name in BACKENDS and is_installed(name)]
    stated = table.get("dependencies", [])
    asked = [one for name in backends for one in extras[name]]
    built = any((project / name).exists() for name in ("setup.py", "setup.cfg"))
    if "dependencies" in table.get("dynamic", ()) or (
        built if not table else isinstance(stated, dict)
    ):
        # Only its build knows what it asks for; its files stay those of the checkout.
        asked += ["-e", str(project)]
    else:
        asked += stated
    if (project / "requirements.txt").exists():
        asked += ["-r", "requirements.txt"]
    if asked and (project / "constraints.txt").exists():
        asked += ["-c", "constraints.txt"]
    return asked


def _run(command: list[str], folder: Path | None = None) -> None:
    answer = ended(command, INSTALL_LIMIT_S, cwd=folder)
    if answer.returncode != 0:
        lines = (
            (answer.stderr.strip() or answer.stdout.strip()).decode(errors="replace").splitlines()
        )
        reason = [line for line in lines if line.startswith("ERROR")][:1] or lines[-1:]
        raise UserError(f"{' '.join(command[:6])} failed: {''.join(reason)}")
