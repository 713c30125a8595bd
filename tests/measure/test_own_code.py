"""Projects as people have them: each side of a comparison is its own commit's code, or an error."""

import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest
from projects import commit_all, git, nnbench_in

from nnbench.errors import UserError
from nnbench.measure import environments, own_code
from nnbench.measure.own_code import Imported, Project
from nnbench.measure.protocol import Environment
from nnbench.measure.run import _Measuring
from nnbench.store import runs

TRAIN = """
{first}
from mine.width import WIDTH
from vendor.shared import MORE

def build():
    import keras
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(WIDTH + MORE)])
    model.compile("adam", "mean_squared_error")
    return model
"""
DATA = """
import numpy as np

def load():
    rng = np.random.default_rng(0)
    return rng.normal(size=(40, 3)).astype("float32"), rng.normal(size=40).astype("float32")
"""
ALLOWED = ("-c", "protocol.file.allow=always")


def repository(folder):
    folder.mkdir(parents=True)
    git(folder, "init", "-q", "-b", "main")
    return folder


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project in a subfolder with a src layout and a submodule; commits of width 2 and 3."""
    library = repository(tmp_path / "library")
    (library / "shared.py").write_text("MORE = 10\n")
    commit_all(library, "ten")
    top = repository(tmp_path / "mono")
    folder = top / "ml" / "net"
    package = folder / "src" / "mine"
    package.mkdir(parents=True)
    git(top, *ALLOWED, "submodule", "--quiet", "add", library, "ml/net/vendor")
    (package / "__init__.py").touch()
    (package / "train.py").write_text(TRAIN.format(first=""))
    (package / "data.py").write_text(DATA)
    (package / "width.py").write_text("WIDTH = 2\n")
    (folder / "requirements.txt").write_text("keras\n")
    commit_all(top, "one")
    (package / "width.py").write_text("WIDTH = 3\n")
    (folder / "vendor" / "shared.py").write_text("MORE = 20\n")
    commit_all(folder / "vendor", "twenty")
    commit_all(top, "two")
    monkeypatch.chdir(folder)
    return folder


def seen_by(side, code):
    answer = subprocess.run(
        [side.python, "-c", code],
        cwd=side.folder,
        env={"PATH": "/usr/bin:/bin", **side.variables},
        capture_output=True,
        text=True,
        check=True,
    )
    return answer.stdout.split()


SUM = "from mine.width import WIDTH; from vendor.shared import MORE; print(WIDTH, MORE)"


@pytest.mark.parametrize("path", [None, "{}/src", "src:{}"])
def test_a_commit_has_its_own_subfolder_sources_and_submodules(project, monkeypatch, path):
    if path:
        monkeypatch.setenv("PYTHONPATH", path.format(project))
    side = environments.resolve("HEAD~1").side
    assert seen_by(side, SUM) == ["2", "10"]
    assert seen_by(side, "import nnbench, psutil, rich; print('all')") == ["all"]


@pytest.mark.parametrize(("name", "width"), [("HEAD~1", "2"), (".", "3")])
def test_a_side_s_sources_come_before_an_installed_copy_of_them(project, tmp_path, name, width):
    copy = tmp_path / "site-packages" / "mine"
    copy.mkdir(parents=True)
    (copy / "width.py").write_text("WIDTH = 9\n")
    (copy / "__init__.py").touch()
    code = f"import sys; sys.path.append({str(copy.parent)!r}); from mine.width import WIDTH"
    assert seen_by(environments.resolve(name).side, f"{code}; print(WIDTH)") == [width]


def test_a_checkout_that_was_changed_or_cut_short_is_made_anew(project):
    side = environments.resolve("HEAD~1").side
    (side.folder / "src" / "mine" / "width.py").write_text("WIDTH = 99\n")
    assert seen_by(environments.resolve("HEAD~1").side, SUM) == ["2", "10"]
    (side.project.tree / ".git").unlink()
    assert seen_by(environments.resolve("HEAD~1").side, SUM) == ["2", "10"]


def test_a_detached_and_dirty_clone_is_as_good(project):
    git(project, "checkout", "-q", "--detach")
    (project / "src" / "mine" / "width.py").write_text("WIDTH = 77\n")
    assert seen_by(environments.resolve("HEAD").side, SUM) == ["3", "20"]


def test_a_folder_that_a_commit_has_not_is_named(project, monkeypatch):
    (project / "new").mkdir()
    monkeypatch.chdir(project / "new")
    with pytest.raises(UserError, match="commit HEAD has no folder ml/net/new"):
        environments.resolve("HEAD")


def test_a_submodule_that_is_not_here_is_named(project):
    vendor = project / "vendor"
    (vendor / "shared.py").write_text("MORE = 30\n")
    commit_all(vendor, "thirty")
    commit_all(project, "three")
    git(vendor, "reset", "-q", "--hard", "HEAD~1")
    git(vendor, "reflog", "expire", "--expire=now", "--all")
    git(vendor, "gc", "-q", "--prune=now")
    with pytest.raises(UserError, match=r"submodule ml/net/vendor of commit HEAD .*fetch"):
        environments.resolve("HEAD")


def test_a_shallow_clone_says_so(project, tmp_path):
    top = project.parents[1]
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{top}", "shallow")
    answer = nnbench_in(tmp_path / "shallow", "compare", "--against", "HEAD~1")
    assert answer.returncode == 2
    assert "the clone is shallow: fetch-depth: 0" in answer.stderr
    assert len(answer.stderr.splitlines()) == 1


def test_what_a_project_asks_for_is_looked_for_next_to_it(project, monkeypatch):
    asked, run = [], environments._run

    def recorded(command, folder=None):
        if "install" in command:
            asked.append((command[command.index("install") + 2 :], folder))
        else:
            run(command, folder)

    monkeypatch.setattr(environments, "_run", recorded)
    (project / "requirements.txt").write_text("keras\nsix\n")
    side = environments.resolve("HEAD").side
    assert asked == [(["-r", "requirements.txt"], side.folder)]
    environments.resolve("HEAD")
    assert len(asked) == 1


def sides(project):
    top = project.parents[1]
    tree = top / ".nnbench" / "worktrees" / "0123456789ab"
    package = tree / "ml" / "net" / "src" / "mine"
    package.mkdir(parents=True)
    for name in ("__init__", "train"):
        (package / f"{name}.py").touch()
    return Project(top, top, project), Project(top, tree, tree / "ml" / "net"), package


def test_code_of_the_working_tree_is_refused_for_a_commit_and_the_other_way_round(project):
    present, before, package = sides(project)
    mine = {"mine.train": (str(package / "train.py"), "")}
    own_code.check(before, mine)
    with pytest.raises(UserError, match=r"the working tree .* mine.train was imported from .*0123"):
        own_code.check(present, mine)
    theirs = {"mine.train": (str(project / "src" / "mine" / "train.py"), "")}
    own_code.check(present, theirs)
    with pytest.raises(UserError, match=r"commit 012345678 .* mine.train was imported from"):
        own_code.check(before, theirs)


def test_code_that_a_commit_has_not_is_refused_and_an_environment_is_no_code(project):
    _, before, _ = sides(project)
    with pytest.raises(UserError, match="other was imported"):
        own_code.check(before, {"other": (str(project / "other.py"), "")})
    # A script from elsewhere may train what the commits hold.
    own_code.check(before, {"script": ("/elsewhere/script.py", "")})
    (project / ".gitignore").write_text("venv\n")
    own_code.check(before, {"other": (str(project / "venv" / "src" / "other.py"), "")})


def test_an_installed_copy_is_not_the_commit(project, tmp_path, monkeypatch):
    _, before, _ = sides(project)
    copy = tmp_path / "site-packages" / "mine"
    copy.mkdir(parents=True)
    (copy / "__init__.py").touch()
    (copy / "train.py").touch()
    monkeypatch.syspath_prepend(copy.parent)
    imported = Imported(before)
    imported.report()
    import mine.train  # noqa: F401

    found = imported.report()
    assert set(found) == {"mine", "mine.train"}
    assert imported.report() == {}
    with pytest.raises(UserError, match="installed copy"):
        own_code.check(before, found)


@pytest.mark.parametrize("having", [(), ("a",)])
def test_sides_without_a_project_such_as_two_pythons_are_not_told_apart(having):
    """Two environments' Pythons, or one and the working tree, ran the same networks of nnbench."""
    top = Path("/project")
    sides = {
        side: Environment(project=Project(top, top, top) if side in having else None)
        for side in "ab"
    }
    launches = {side: number for number, side in enumerate(sides)}
    records = [{"launch": number, "versions": {"keras": "3"}} for number in launches.values()]
    run = SimpleNamespace(launches=records)
    workers = {side: SimpleNamespace(modules={}) for side in sides}
    measuring = SimpleNamespace(sides=sides, run=run)
    _Measuring._check_apart(measuring, workers, launches)


def test_sides_of_different_commits_that_ran_the_same_files_are_refused(project):
    top = project.parents[1]
    tree = top / ".nnbench" / "worktrees" / git(top, "rev-parse", "HEAD~1")[:12]
    git(top, "worktree", "add", "-q", "--detach", tree, "HEAD~1")
    sides = Project(top, top, project), Project(top, tree, tree / "ml" / "net")
    installed = {"mine.train": ("/lib/site-packages/mine/train.py", "1")}

    def refused(*modules):
        try:
            own_code.check_apart(zip(sides, modules, strict=True))
        except UserError as mistake:
            return str(mistake)

    said = refused(installed, installed)
    assert said.startswith(f"the working tree and commit {tree.name[:9]} differ, but all ran the")
    assert "/lib/site-packages/mine/train.py" in said
    assert "none imported a file of this project" in refused({}, {})
    own = [installed | {"mine": (str(one.folder / "mine.py"), "2")} for one in sides]
    assert refused(*own) is None
    git(tree, "checkout", "-q", "--detach", git(top, "rev-parse", "HEAD"))
    assert refused({}, {}) is None, "one commit twice: nothing is to be distinguished"
    (project / "src" / "mine" / "width.py").write_text("WIDTH = 4\n")
    assert "none imported" in refused({}, {})


def test_the_digest_names_files_as_every_tree_has_them(project):
    present, before, package = sides(project)
    here = project / "src" / "mine" / "train.py"
    mine = own_code.files(present, {"mine.train": (str(here), "a" * 64)})
    assert mine == {"ml/net/src/mine/train.py": "a" * 12}
    there = {"mine.train": (str(package / "train.py"), "a" * 64)}
    assert own_code.files(before, there) == mine


def test_a_network_s_own_file_is_reported_wherever_it_lies(project, tmp_path, monkeypatch):
    (tmp_path / "outside.py").write_text("")
    (project / "saved.keras").write_text("weights")
    monkeypatch.syspath_prepend(tmp_path)
    imported = Imported(Project(project.parents[1], project.parents[1], project))
    imported.follow("/elsewhere/outside.py:build(depth=4)")
    imported.follow("saved.keras")
    imported.report()
    import outside  # noqa: F401

    imported.follow("saved.keras")
    assert set(imported.report()) == {"outside", "saved.keras"}


def test_a_repository_of_somebody_else_is_told_with_git_s_own_mend(project, monkeypatch):
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    with pytest.raises(UserError, match=r"dubious ownership .* safe.directory"):
        environments.resolve("HEAD~1")


COMPARE = (
    *("compare", "--against", "HEAD~1", "--model", "mine.train:build", "--data", "mine.data:load"),
    *("--backend", "jax", "--epochs", "2", "--launches", "1", "--quiet"),
)


@pytest.mark.long
def test_both_sides_run_their_own_code(project, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(project / "src"))
    answer = nnbench_in(project, *COMPARE)
    assert answer.returncode == 1, answer.stderr
    assert "other numbers" in answer.stdout
    (folder,) = (one for one in (project / "results").iterdir() if one.is_dir())
    run = runs.read(folder)
    parameters = {
        one["side"]: one["parameters"] for one in run.trials if one["trial_kind"] == "cold"
    }
    assert {side[:3]: count for side, count in parameters.items()} == {"HEA": 48, "now": 92}
    assert len({launch["code"] for launch in run.launches}) == 2
    before, now = (launch["files"] for launch in run.launches)
    assert list(before) == list(now)
    assert {name for name in now if before[name] != now[name]} == {
        "ml/net/src/mine/width.py",
        "ml/net/vendor/shared.py",
    }


@pytest.mark.long
def test_a_comparison_of_commits_that_measures_nothing_of_them_is_refused(project):
    small = ("3", "--data", "synthetic:rows=32,features=3", "--backend", "jax", "--epochs", "2")
    answer = nnbench_in(
        *(project, "compare", "--against", "HEAD~1", "--architectures", *small),
        *("--launches", "1", "--quiet"),
    )
    assert answer.returncode == 2
    assert "none imported a file of this project" in answer.stderr
    assert answer.stdout == ""


def test_a_side_that_runs_the_code_of_the_other_is_an_error(project):
    train = project / "src" / "mine" / "train.py"
    first = f"import sys; sys.path.insert(0, {str(project / 'shared')!r}); import common"
    (project / "shared").mkdir()
    (project / "shared" / "common.py").touch()
    train.write_text(TRAIN.format(first=first))
    commit_all(project, "three")
    commit_all(project, "four")
    answer = nnbench_in(project, *COMPARE)
    assert answer.returncode == 2
    assert "common was imported from" in answer.stderr
    assert len(answer.stderr.splitlines()) == 1
    assert answer.stdout == ""
