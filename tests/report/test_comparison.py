"""What a comparison says to continuous integration: outcome, comment, JUnit, from made answers."""

import re
import shlex
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
from runs import make_run

from nnbench.report import comparison, comparison_files, comparison_page, comparison_words
from nnbench.report.comparison import ComparedSides, Spent
from nnbench.stats.estimate import nested_estimate
from nnbench.stats.verdict import Look, judge, judge_looks, sentence
from nnbench.workload.study import Study

LONG = f"train.py:build(width=64, name='{30 * 'wide '}')"
OPTIONS = ("--model", LONG, "--data", "data.py:load", "--backend", "jax")
NASTY = "@team #1 <img src=x> | `code` [a](javascript:b) \x1b[31m"


def ratio(change, spread=0.01, launches=8):
    steps = np.linspace(-1.5, 1.5, launches)
    return nested_estimate((1 + change) * np.exp(spread * steps), np.arange(launches))


def answer(changes, spread=0.01, first="main (0123abcde)", second="now", **more):
    ratios = {f"jax, cpu, fit: 6x2 {phase}": ratio(one, spread) for phase, one in changes.items()}
    spent = Spent(rounds=8, took_s=96.0, budget_s=240.0, early=True, looks=(4, 5, 6, 8))
    commits = ("0123abcde" + 31 * "f", "HEAD")
    asked = {"spent": spent, "commits": commits, "options": {"jax, cpu, fit: 6x2": OPTIONS}}
    return ComparedSides(first, second, (), tuple(judge(ratios)), **asked | more)


@pytest.mark.parametrize(
    ("changes", "more", "outcome", "status"),
    [
        ({"step": 0.1, "cold": 0.0}, {}, "slower", 1),
        ({"step": -0.1, "cold": 0.0}, {}, "faster", 0),
        ({"step": 0.0, "cold": 0.0}, {"other_numbers": ()}, "equivalent", 0),
        ({"step": 0.0}, {"other_numbers": ("6,6",)}, "other numbers", 1),
        ({"step": 0.1}, {"other_numbers": ("6,6",)}, "slower", 1),
        ({"step": 0.0}, {"spread": 0.2}, "not enough data", 3),
        ({"step": 0.1, "cold": 0.015}, {"spread": 0.015}, "slower", 1),
    ],
)
def test_the_outcome_is_the_worst_and_has_an_exit_status(changes, more, outcome, status):
    found = answer(changes, **more)
    assert found.outcome == outcome
    assert found.status(require_decision=True) == status
    assert found.status(require_decision=False) == (status if status != 3 else 0)
    line = comparison_words.finding(found)
    assert "\n" not in line
    assert line.startswith(outcome)


def test_a_difference_within_the_margin_fails_no_check():
    found = answer({"step": 0.01}, spread=0.001)
    assert found.comparisons[0].verdict == "different"
    assert (found.outcome, found.status(require_decision=True)) == ("equivalent", 0)
    told = comparison_words.word(found.comparisons[0])
    assert told == "slower, within the margin"
    assert "within the margin" in comparison_words.finding(found)


def test_a_difference_that_is_perhaps_within_the_margin_is_told_and_fails_no_check(tmp_path):
    """Its estimate is within 2 %, the upper end of its interval is not."""
    found = answer({"step": 0.018, "cold": 0.0}, spread=0.006)
    step = found.comparisons[0]
    assert (step.verdict, step.is_slower, step.ratio.high > 1.02) == ("different", False, True)
    assert found.outcome == "slower, perhaps within the margin"
    assert found.status(require_decision=True) == 0
    assert comparison_words.word(step) == found.outcome
    assert comparison_words.finding(found).startswith(f"{found.outcome}: 6x2 step +1.8")
    path = comparison_files.write_junit(found, tmp_path / "junit.xml", require_decision=True)
    assert "<failure" not in path.read_text()
    wider = answer({"step": 0.021, "cold": 0.0}, spread=0.006)
    assert wider.comparisons[0].ratio.low < 1.02
    assert (wider.outcome, wider.status(require_decision=False)) == ("slower", 1)


def test_only_what_was_looked_at_often_is_said_to_be():
    often = "however often they were looked at"
    assert often in " ".join(comparison_words.measured(answer({"step": 0.1})))
    for spent in (None, Spent(rounds=8, took_s=96.0, budget_s=None, early=False)):
        assert often not in " ".join(comparison_words.measured(answer({"step": 0.1}, spent=spent)))


def test_what_an_early_look_decided_is_told_beside_a_later_interval_that_does_not_show_it():
    early = {
        "jax, cpu, fit: 6x2 step": ratio(0.0, 0.003, 5),
        "jax, cpu, fit: 6x2 cold": ratio(0.0, 0.2, 5),
    }
    late = {
        "jax, cpu, fit: 6x2 step": ratio(0.0, 0.03),
        "jax, cpu, fit: 6x2 cold": ratio(0.3, 0.01),
    }
    looks = [Look(0.3, early, 5), Look(0.7, late, 8)]
    step, cold = judge_looks(looks)
    assert step.ratio.high > 1.02
    assert (step.verdict, step.decided_after) == ("equivalent", 5)
    assert (cold.verdict, cold.decided_after) == ("different", None)
    found = replace(answer({"step": 0.0}), comparisons=(step, cold))
    assert "| equivalent (after 5 launches) |" in comparison_files.as_markdown(found)
    assert "decided at an early look" in comparison_files.as_markdown(found)
    assert "decided after 5 launches" in sentence(step, "a", "b")
    assert "early look" not in comparison_files.as_markdown(answer({"step": 0.1}))


def test_a_comment_has_one_line_of_verdict_a_table_what_to_do_and_folded_details():
    text = comparison_files.as_markdown(answer({"step": 0.1, "epoch": 0.0}, other_numbers=()))
    first, *rest = text.splitlines()
    assert first.startswith("### Training time: slower: ")
    rows = [line for line in rest if line.startswith("| <code>")]
    assert len(rows) == 2
    assert "**slower**" in rows[0]
    assert all(line.count("|") == 5 for line in rows)
    assert any("history bisect 0123abcde" in line for line in rest if line.startswith("**Next:**"))
    details = text[text.index("<details>") :]
    assert "8 rounds in 2 min of 4 min, ended early since everything was decided" in details
    assert "the same numbers" in details


def test_what_its_last_round_decided_is_not_called_early():
    found = answer({"step": 0.1})
    late = replace(found, spent=replace(found.spent, took_s=238.0, budget_s=240.0, early=True))
    (told,) = [one for one in comparison_words.measured(late) if "rounds" in one]
    assert "in 4 min of 4 min, after which everything was decided; " in told


def test_the_next_command_measures_the_same_network_and_is_whole():
    found = answer({"step": 0.1, "cold": 0.0})
    (step,) = comparison_words.next_steps(found, code=lambda text: f"<{text}>")
    words = shlex.split(step[step.index("<") + 1 : step.rindex(">")])
    wanted = shlex.split("nnbench history bisect 0123abcdefff --phase step")
    assert words == [*wanted, *OPTIONS]
    said = comparison_files.as_markdown(found)
    whole = re.search("nnbench history bisect (.*?)</code>", said)[1].replace("\\", "")
    assert whole.endswith("--data data.py:load --backend jax")
    assert "characters" not in whole


def test_where_the_arguments_are_not_known_no_command_is_told():
    for unknown in (
        {"options": {}},
        {"commits": None},
        {"options": {"jax, cpu, fit: 7x2": OPTIONS}},
    ):
        assert comparison_words.next_steps(answer({"step": 0.1}, **unknown)) == []
    escaped = {"jax, cpu, fit: 6x2": ("--model", "\x1b[31m.py:build")}
    assert comparison_words.next_steps(answer({"step": 0.1}, options=escaped)) == []


def test_the_options_of_a_comparison_are_those_of_one_network_in_one_place(tmp_path):
    run = make_run(tmp_path, {"6,6": {}, "6x5": {}}, sides=("a", "b"), backends=("jax", "torch"))
    study = Study.of(["6,6", "6x5"], data="synthetic:rows=50", backend="jax,torch", launches=9)
    found = comparison._options(run, study)
    assert len(found) == 4
    assert found["torch, cpu, fit: 6x5"] == (
        *("--architectures", "6x5", "--data", "synthetic:rows=50", "--backend", "torch"),
    )


def test_what_is_open_says_how_long_it_would_take():
    found = answer({"step": 0.0}, spread=0.05)
    (step,) = comparison_words.next_steps(found)
    assert "--budget" in step
    assert "min would probably do" in step
    assert "more launches would probably settle it" in comparison_words.finding(found)


def test_names_of_a_pull_request_do_nothing_in_the_comment():
    found = answer({"step": 0.1}, first=f"{NASTY} (0123abcde)", other_numbers=(NASTY,))
    text = comparison_files.as_markdown(found)
    assert "\x1b" not in text
    for line in text.splitlines():
        outside = re.sub(r"<code>.*?</code>|</?(details|summary)>|\[[+-]", "", line)
        assert not set("@`<>[") & set(outside), line


@pytest.mark.parametrize(("required", "kind"), [(False, "skipped"), (True, "failure")])
def test_junit_counts_what_it_holds(tmp_path, required, kind):
    found = answer({"step": 0.0}, spread=0.2, first=NASTY, other_numbers=("6,6",))
    path = tmp_path / "junit.xml"
    comparison_files.write_junit(found, path, require_decision=required)
    suite = ElementTree.fromstring(path.read_text())
    tests = suite.findall("testcase")
    assert suite.get("tests") == str(len(tests)) == "2"
    assert [child.tag for test in tests for child in test] == [kind, "failure"]
    assert suite.get("failures") == ("2" if required else "1")


def test_where_it_ran_is_named_once_and_on_each_line_where_it_is_more_than_one():
    found = answer({"step": 0.1})
    (row,) = comparison_page.table(found).rows
    assert row[0].text == "6x2 step"
    assert comparison_page.table(found).caption.startswith("jax, cpu, fit: now against ")
    assert "<code>jax, cpu, fit</code>, <code>now</code> against" in comparison_files.as_markdown(
        found
    )
    other = replace(found.comparisons[0], label="jax, cpu, compiled: 6x2 step")
    both = replace(found, comparisons=(*found.comparisons, other))
    assert [row[0].text for row in comparison_page.table(both).rows] == [
        "jax, cpu, fit: 6x2 step",
        "jax, cpu, compiled: 6x2 step",
    ]
    assert "jax, cpu" not in comparison_page.table(both).caption
