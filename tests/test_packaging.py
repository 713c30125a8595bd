"""What is installed from a wheel is whole: the command, the data, the page's template."""

import os
import subprocess
import sys
import zipfile

import pytest
from projects import ROOT


@pytest.fixture(scope="module")
def installed(tmp_path_factory, wheel):
    site = tmp_path_factory.mktemp("wheel") / "site"
    zipfile.ZipFile(wheel).extractall(site)
    return site


def test_the_wheel_holds_data_templates_and_types(installed):
    package = ROOT / "nnbench"
    templates = [str(file.relative_to(package)) for file in package.rglob("*.j2")]
    assert templates
    for name in (
        *("data/bank_note.csv", "data/instagram_planning_norm.csv", "data/README.md"),
        *("py.typed", *templates),
    ):
        assert (installed / "nnbench" / name).is_file()
    assert not list(installed.rglob("__pycache__"))
    assert not list(installed.rglob("make_data.py"))


def test_an_installed_copy_finds_its_data(installed, tmp_path):
    answer = subprocess.run(
        [sys.executable, "-m", "nnbench", "data", "show", "banknotes"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    assert "1,372 rows" in answer.stdout


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="this copy is no git repository")
def test_nothing_from_this_machine_is_committed():
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    for name in tracked:
        text = (ROOT / name).read_bytes().decode(errors="ignore")
        for unwanted in ("/ro" + "ot/", "/wo" + "rk/", "python" + "hosted", "py" + "pi.org"):
            assert unwanted not in text, f"{unwanted} in {name}"
