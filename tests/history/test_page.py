"""The page of a history: for everyone, and with what it could not have seen."""

import numpy as np
import pytest
from axe import violations
from browsers import clear_media, open_at
from histories import asv_files, repository

from nnbench.history import check, page, table, tables, words
from nnbench.show import units

KNOWN_S = {"suite.time_step": [1.0, 1.01, 0.99], "suite.time_epoch": [2.0, 2.01, 2.0]}


def looked_at(folder, values_s):
    count = len(next(iter(values_s.values())))
    commits = repository(folder, count)
    asv_files(folder / ".asv" / "results", commits, values_s)
    return check.run(table.read_chosen([folder / ".asv" / "results"], (), folder, None))


@pytest.fixture(scope="module")
def of_three(tmp_path_factory):
    return looked_at(tmp_path_factory.mktemp("three"), KNOWN_S)


def test_three_commits_are_too_few_and_that_is_said(of_three, capsys):
    assert of_three.smallest == [None, None]
    tables.print_check(words.tell(of_three))
    told = " ".join(capsys.readouterr().out.split())
    assert "3 commits are too few" in told
    assert "nnbench history record FIRST..LAST" in told
    assert told.count("none: too few commits") == 2


def test_what_size_of_change_each_series_could_show_is_said(tmp_path, capsys):
    rng = np.random.default_rng(0)
    quiet, loud = (np.exp(rng.normal(0, spread, 30)) for spread in (0.005, 0.05))
    found = looked_at(tmp_path, {"suite.time_quiet": quiet, "suite.time_loud": loud})
    sizes = {one.benchmark: size for one, size in zip(found.series, found.smallest, strict=True)}
    assert 0.03 <= sizes["suite.time_quiet"] < sizes["suite.time_loud"]
    tables.print_check(words.tell(found))
    told = capsys.readouterr().out
    assert units.change(1 + sizes["suite.time_loud"]) in told
    assert "too few" not in told
    shown = words.as_json(words.tell(found))["could_show"]
    assert {one["benchmark"]: one["smallest_change"] for one in shown} == sizes


@pytest.mark.long
def test_axe_finds_no_violation(of_three, browser, tmp_path):
    written = page.write(of_three, tmp_path)
    assert "3 commits are too few" in written.read_text()
    for dark in (False, True):
        open_at(browser, written, dark=dark)
        assert violations(browser) == []
    clear_media(browser)
