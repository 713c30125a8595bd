"""What a person sees in a terminal of 60, 80 and 120 columns: at the end, and while measuring."""

import json
import re
import signal
import time

import pytest
from runs import make_run
from screen import Terminal

from nnbench.report import tables, watching
from nnbench.report.run_analysis import analyse
from nnbench.show import heartbeat, progress
from nnbench.store.folder import ASKED

WIDTHS = [60, 80, 120]
LONG = "residual:64x8"
NETWORKS = {"6,6": {}, "100,100": {"step": 0.004, "cold": 1.9}, LONG: {"cold": 3.0}}
TYPED = {"6x2": "6,6", "100x2": "100,100"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A run on one backend, and one on two: three networks, two of them typed in another way."""
    parent = tmp_path_factory.mktemp("terminal")
    for name, backends in (("one", ("jax",)), ("two", ("jax", "torch"))):
        run = make_run(parent / name, NETWORKS, backends=backends)
        path = run.folder / "run.json"
        plain = json.loads(path.read_text())
        plain["specification"][ASKED] = {"typed": TYPED, "command": "nnbench run 6,6 100,100"}
        path.write_text(json.dumps(plain))
    return parent


@pytest.mark.parametrize("columns", WIDTHS)
def test_a_run_ends_with_its_answer_and_a_table_that_fits(folder, columns):
    which = "two" if columns == 80 else "one"
    text, status = Terminal(columns, "report", f"{which}/run", folder=folder).end()
    assert status == 0
    lines = text.splitlines()
    assert max(map(len, lines)) <= columns
    flat = " ".join(text.split())
    assert "fastest" in lines[0]
    assert re.search(r"Trust: (good|fair|low) \(", flat)
    # Each name begins a line of each table, with the short one below or beside.
    assert len(re.findall(rf"^{LONG}(?:  |$)", text, re.M)) == (3 if which == "two" else 1)
    short = r"^100,100 \(100x2\)$" if columns < 70 else r"^100,100 .*\n100x2 "
    assert re.search(short, text, re.M)
    for shown in ("cold", "step", "What to ask next:", f"--run {which}/run"):
        assert shown in flat
    assert lines[-1] == f"{which}/run/report.html"
    if which == "two":
        assert "A whole training" in flat
        assert re.search(r"jax and torch cannot be distinguished|took [\d.]+×", flat.lower())


def test_what_has_no_room_is_named_and_comes_back(folder, capsys, monkeypatch):
    from nnbench.store import runs

    found = analyse(runs.read(folder / "one" / "run"))
    monkeypatch.setattr("nnbench.show.terminal.PIPED_WIDTH", 80)
    (group,) = found.groups
    tables.print_table(tables.cases(group), 80)
    assert "--wide has trace" in " ".join(capsys.readouterr().out.split())
    tables.print_table(tables.cases(group), 80, whole=True)
    assert re.search(r"^network .* trace +compile", capsys.readouterr().out, re.M)


def test_the_summary_in_markdown_has_all_of_it(folder):
    from nnbench.store import runs

    told = tables.as_markdown(analyse(runs.read(folder / "two" / "run")))
    assert told.startswith("### ")
    assert "| <code>100,100</code> (100x2) | 10,701 |" in told
    assert "Trust: " in told
    assert told.count("| --- |") == 3


def test_many_networks_show_those_that_need_most(folder):
    from nnbench.measure.standing import EARLY, MORE, SETTLED, SETTLING, standings
    from nnbench.store import runs

    run = runs.read(folder / "one" / "run")
    states = {one.name: one.state for one in standings(run, 5)}
    assert set(states) == {"6,6", "100,100", LONG}
    assert set(states.values()) == {SETTLED}
    noisy = make_run(folder / "noisy", NETWORKS, spread=0.4)
    assert {one.state for one in standings(noisy, 5)} == {MORE}
    assert {one.state for one in standings(noisy, 1000)} == {SETTLING}
    early = make_run(folder / "early", NETWORKS, spread=0.4, launches=2)
    assert {one.state for one in standings(early, 1000)} == {EARLY}
    mixed = (*standings(run, 5), *standings(noisy, 5))
    table, more = watching.estimates(mixed, 4, 60)
    assert [row[-1].text for row in table.rows] == [MORE] * 3 + [SETTLED]
    assert more == "and 2 more: 2 settled"


def test_a_pipe_hears_of_a_long_trial_while_it_lasts(capsys, monkeypatch):
    monkeypatch.setattr(progress, "QUIET_S", 0.2)
    monkeypatch.setattr(heartbeat, "EVERY_S", 0.02)
    with progress.Bar(0, "trials") as bar:
        bar.show(1, "6x2 phases", 8, "launch 1 of 2")
        time.sleep(1)
    first, second, *_ = capsys.readouterr().err.splitlines()
    assert first == "launch 1 of 2: 1/8 trials, 6x2 phases"
    assert second == "launch 1 of 2: 1/8 trials, still 6x2 phases"


@pytest.mark.long
def test_while_measuring_it_is_redrawn_in_place_and_may_be_interrupted(tmp_path):
    command = ("run", "6,6", "100,100", "--backend", "jax", "--launches", "3", "--blocks", "1")
    reached = {60: "launch 2 of 3", 80: "launch [23] of 3", 120: "launch 3 of 3"}
    for columns in WIDTHS:
        terminal = Terminal(columns, *command, "--epochs", "3", folder=tmp_path)
        # Estimates of what was measured before stand there at once.
        seen = terminal.until(
            rf"{reached[columns]} \(jax, cpu\)(.*\n)+.*(settl|too early|more needed)"
        )
        live = seen[seen.index("launch ") :]
        assert max(map(len, live.splitlines())) <= columns
        assert live.count("launch ") == 1
        assert re.search(r"━╌.* \d+/18 trials, \d:\d\d passed", live)
        for shown in ("now: ", "6,6 ", "100,100 ", "whole", "machine: ", "Ctrl-C is safe"):
            assert shown in live
        if columns < 120:
            terminal.process.send_signal(signal.SIGINT)
            text, status = terminal.end()
            assert status == 130
            # The terminal folds it where its line ends.
            assert "goes on: nnbench run 6,6 100,100" in text.replace("\n", "")
    text, status = terminal.end()
    assert status == 0
    assert "Ctrl-C" not in text
    assert "going on with the unfinished run" in text
    assert re.search(r"^network +weights +cold", text, re.M)
