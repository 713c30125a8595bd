"""Names in the files of others, through the real commands and all they write."""

import csv
import json

import pytest
from histories import asv_files, repository
from projects import git
from runs import TIMES_S, make_run

from nnbench.store import runs

NAMES = [
    "suite.time[list[int]]",
    "suite.time[list[str]]",
    "suite.time[/]",
    "=cmd|' /C calc'!A0",
    "@everyone ![x](http://evil) <!--",
    "\x1b[31mred\u202e",
    "$\\frac{$",
    "long" + "g" * 10_000,
    "half of a pair \ud800",
    "no UTF-8 \udcff",
]
UNSEEN = {"\x1b", "\u202e", "\x00", "\x07"}


@pytest.fixture
def named(tmp_path):
    """Twelve commits of benchmarks with such names, all 30 % slower from number 6 on."""
    repository(tmp_path, 11)
    git(
        tmp_path,
        "commit",
        "-q",
        "--allow-empty",
        "-m",
        "[/] @everyone | \x1b[2J <!-- " + "s" * 9000,
    )
    commits = git(tmp_path, "log", "--reverse", "--format=%H").split()
    steps = [1 + 0.001 * (number % 3) for number in range(12)]
    values = [step * (1 if number < 6 else 1.3) for number, step in enumerate(steps)]
    asv_files(tmp_path / ".asv" / "results", commits, dict.fromkeys(NAMES, values))
    return tmp_path


def test_history_shows_names_in_table_check_comment_page_and_export(nnbench, named, no_pictures):
    shown = nnbench("history")
    assert shown.returncode == 0, shown.stderr
    for name in ("list[int]", "list[str]", "time[/]", "\\x1b[31mred\\u202e"):
        assert name in shown.stdout.replace("\n", "")
    checked = nnbench("history", "check", "--markdown", "comment.md")
    assert checked.returncode == 1, checked.stderr
    assert not UNSEEN & set(shown.stdout + checked.stdout)
    comment = (named / "comment.md").read_text(encoding="utf-8")
    rows = [line for line in comment.splitlines() if line.startswith("| **slower**")]
    assert len(rows) >= len(NAMES)
    assert not UNSEEN & set(comment)
    assert len(comment) < 10_000
    assert all("<code>" in line for line in rows)
    assert "\\@everyone \\!\\[x\\]" in comment
    page = nnbench("history", "chart", "page")
    assert page.returncode == 0, page.stderr
    told = (named / "page" / "history.html").read_text(encoding="utf-8")
    assert not UNSEEN & set(told)
    assert "&lt;!--" in told
    assert nnbench("history", "export", "out.csv").returncode == 0
    with (named / "out.csv").open(newline="", encoding="utf-8") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert "'=cmd|' /C calc'!A0" in cells
    assert not [cell for cell in cells if cell[:1] in ("=", "@")]
    assert "no UTF-8 \\udcff" in cells
    assert nnbench("history", "export", "out.parquet").returncode == 0


@pytest.mark.long
def test_a_report_shows_a_host_and_versions_as_they_are(nnbench, tmp_path):
    run = make_run(tmp_path, {"6,6": TIMES_S, "6x5": TIMES_S}, data="[red]$d$.csv")
    path = run.folder / runs.RUN_FILE
    plain = json.loads(path.read_text())
    plain["fingerprint"] |= {"host": "\x1b[2J<script>\u202e", "cpu": "[/] $\\frac{$"}
    path.write_text(json.dumps(plain))
    told = nnbench("report", run.folder)
    assert told.returncode == 0, told.stderr
    assert "[red]$d$.csv" in told.stdout
    page = (run.folder / "report.html").read_text(encoding="utf-8")
    assert not UNSEEN & set(page)
    assert "<script>" not in page
    assert "\\x1b[2J&lt;script&gt;\\u202e" in page


def test_a_data_file_and_its_columns_are_named_as_they_are(nnbench, tmp_path):
    rows = "".join(f"{i},{i * i % 7},{i % 2}\n" for i in range(20))
    (tmp_path / "[red]d.csv").write_text(f"list[int],[/],fake\n{rows}")
    shown = nnbench("data", "show", "[red]d.csv", "--label", "fake")
    assert shown.returncode == 0, shown.stderr
    for name in ("[red]d.csv", "list[int]", "[/]"):
        assert name in shown.stdout
    wrong = nnbench("data", "show", "\x1b[31m\nx.csv", "--label", "fake")
    assert wrong.returncode == 2
    assert wrong.stderr.count("\n") == 1
    assert "\\x1b[31m\\nx.csv" in wrong.stderr
