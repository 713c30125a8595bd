import re
import shutil
from dataclasses import replace

import pytest
from runs import make_run

from nnbench.machine.devices import VIRTUAL
from nnbench.measure import decision
from nnbench.report import answer, index, reproduce, run_analysis, tables, trusted
from nnbench.report import comparison_page as compared
from nnbench.report import page as pages
from nnbench.report.comparison import ComparedSides
from nnbench.report.run_analysis import analyse
from nnbench.store.trials import Trials

SLOW = {"cold": 3.0}


@pytest.mark.parametrize(
    ("times_s", "finding"),
    [
        ({"6,6": {"cold": 1.0}}, "6x2 trains in"),
        ({"6,6": {"cold": 1.0}, "7": SLOW}, r"6x2 trained fastest; 7x1 took 3\.0\d× as long"),
        ({"6,6": {"cold": 1.0}, "7": {"cold": 1.0}}, "cannot be distinguished in a whole training"),
        (
            {"6,6": {"cold": 1.0}, "8": {"cold": 1.0}, "7": SLOW},
            "trained fastest and cannot be distinguished; 7x1 took",
        ),
    ],
)
def test_the_finding_is_what_trained_fastest(tmp_path, times_s, finding):
    found = analyse(make_run(tmp_path, times_s))
    assert re.search(finding, found.finding)
    assert all(len(sentence.split()) < 20 for sentence in found.answer)


def test_a_training_that_no_other_path_can_have_is_reported(tmp_path):
    found = analyse(make_run(tmp_path, {"6,6": {"cold": 1.0}, "7": SLOW}, device="cpu*2"))
    assert "7x1 took" in found.finding
    assert found.summaries[0].case.context == "tensorflow, cpu*2 (virtual), fit"
    assert VIRTUAL in found.warnings
    pages.write(found)


def test_of_very_many_networks_all_are_compared_with_the_first_and_the_fastest(
    tmp_path, monkeypatch
):
    times_s = {"9": {"cold": 2.0}, "6,6": {"cold": 1.0}, "7": SLOW, "8": {"cold": 1.0}}
    run = make_run(tmp_path, times_s)
    whole = analyse(run)
    monkeypatch.setattr(run_analysis, "MOST_COMPARED", 3)
    found = analyse(run)
    assert found.finding == whole.finding
    assert found.groups[0].bases is not None
    assert set(tables.ratios_told(found)["names"]) < set(tables.ratios_told(whole)["names"])
    assert tables.ratios_told(found)["names"][0] == whole.groups[0].name(whole.groups[0].first)
    pages.write(found)


@pytest.mark.parametrize("cold_s", [1.6, 2.4, 3.7])
def test_shares_add_up_to_the_whole(tmp_path, cold_s):
    found = analyse(make_run(tmp_path, {"6,6": {"cold": cold_s}}))
    parts = found.summaries[0].cold_parts
    assert sum(share for _, share in answer.shares(parts)) == 100
    told = next(one for one in found.sentences if "takes cold go" in one)
    assert sum(map(int, re.findall(r"(-?\d+) % to", told))) == 100


def test_of_parts_that_take_more_than_the_whole_no_shares_are_told(tmp_path):
    found = analyse(make_run(tmp_path, {"6,6": {"cold": 1.0}}))
    assert not any(" % steps" in one or "% to" in one for one in (*found.answer, *found.sentences))
    told = next(one for one in found.answer if "shares are not known" in one)
    assert re.search(r"timed by themselves, take [34]\d % more than the whole", told)
    assert any("takes cold, the parts" in one for one in found.sentences)


@pytest.mark.usefixtures("no_pictures")
def test_shares_that_are_not_known_are_not_drawn(tmp_path):
    """Of all networks: a sentence in place of the charts. Of some: the title names them."""
    known, unknown = {"cold": 2.4}, {"cold": 1.0}
    for place, times_s, titles in (
        ("none", {"6,6": unknown, "100,100": unknown}, ["Where the time goes", "As shares"]),
        ("some", {"6,6": known, "100,100": unknown}, ["without 100x2", "As shares, without 100x2"]),
    ):
        found = analyse(make_run(tmp_path / place, times_s))
        text = pages.write(found).read_text()
        for title in titles:
            assert title in text
        assert ("Shares are not known of 6x2 and 100x2" in text) == (place == "none")
        assert ('data-name="answer-parts"' in text) == (place == "some")


@pytest.mark.parametrize(
    ("options", "level", "why"),
    [
        ({}, trusted.GOOD, "no noise was seen"),
        ({"launches": 1}, trusted.LOW, "one launch"),
        ({"launches": 3}, trusted.FAIR, "3 launches"),
        ({"spread": 0.3}, trusted.LOW, "intervals are within"),
        ({"noise": {"stolen_share": 0.3}}, trusted.LOW, "all 10 blocks were noisy"),
    ],
)
def test_trust_says_why_and_what_mends_it(tmp_path, options, level, why):
    found = analyse(make_run(tmp_path, {"6,6": {}}, **options)).trust
    assert found.level == level
    assert why in found.why.split(";")[0] or level == trusted.GOOD
    assert bool(found.mend) == (level != trusted.GOOD)


def test_the_mend_is_the_command_that_was_given_with_another_option(tmp_path):
    run = make_run(tmp_path, {"6,6": {}}, launches=2)
    run.specification["asked"] = {"command": "nnbench run '[6, 6]' --launches 2 --epochs 9"}
    assert analyse(run).trust.mend == "nnbench run '[6, 6]' --epochs 9 --launches 5"


def test_the_mend_of_wide_intervals_ends_and_that_of_noise_is_the_doctor(tmp_path):
    wide = make_run(tmp_path / "wide", {"6,6": {}}, spread=0.3)
    wide.specification["asked"] = {"command": "nnbench run 6,6 --launches 4 --epochs 9"}
    mend = analyse(wide).trust.mend
    assert re.fullmatch(r"nnbench run 6,6 --epochs 9 --precision \d+% --budget 10min", mend)
    noisy = make_run(tmp_path / "noisy", {"6,6": {}}, launches=1, noise={"stolen_share": 0.3})
    assert analyse(noisy).trust.mend == "nnbench doctor"


def test_what_to_ask_next_names_networks_as_they_can_be_typed(tmp_path):
    run = make_run(tmp_path, {"6,6": {"cold": 1.0}, "100,100": SLOW})
    run.specification["asked"] = {"typed": {"6x2": "small", "100x2": "100,100"}}
    told = [command for _, command in reproduce.next_commands(analyse(run))]
    assert any("explain 6x2 100,100 " in one for one in told)
    assert not any("small" in one for one in told)


def test_backends_are_compared_with_the_fastest(tmp_path):
    backends = ("tensorflow", "jax", "torch")
    run = make_run(tmp_path, {"6,6": {}, "8": {}}, backends=backends, spread=0.01)
    factor = {"tensorflow": 2.0, "jax": 1.0, "torch": 3.0}
    trials = []
    for trial in run.trials:
        own = factor[run.cases[trial["case"]].backend]
        times = {phase: [own * one for one in some] for phase, some in trial["samples_s"].items()}
        trials.append({**trial, "samples_s": times})
    found = analyse(replace(run, trials=Trials(trials)))
    told = [answer.axis_told(axis) for axis in found.axes]
    assert re.match(
        r"TensorFlow took (2\.0|1\.9)\d× \[.*\] JAX's time for a whole training", told[0]
    )
    assert re.match(r"Torch took (3\.0|2\.9)\d× \[.*\] JAX's time", told[1])
    assert [axis.networks for axis in found.axes] == [2, 2]
    assert found.finding.partition(" ")[2].startswith("was among the fastest")


@pytest.mark.usefixtures("no_pictures")
def test_the_index_names_every_result_newest_first(tmp_path):
    results = tmp_path / "results"
    for name in ("one", "two"):
        run = make_run(results / name, {"6,6": {"cold": 1.0}, "7": SLOW})
        written = index.write(pages.write(analyse(run)))
    (results / "notes.html").write_text("<title>mine</title>")
    assert written == results / "index.html"
    text = index.write(results / "two" / "run" / "report.html").read_text()
    assert text.count("6x2 trained fastest; 7x1 took") == 2
    assert 'href="two/run/report.html"' in text
    assert "mine" not in text
    written.write_text("my own page")
    assert index.write(results / "two" / "run" / "report.html") is None
    assert written.read_text() == "my own page"


@pytest.mark.usefixtures("no_pictures")
def test_an_index_is_written_among_results_alone(tmp_path):
    pages_of = [
        pages.write(analyse(make_run(tmp_path / place, {"6,6": {}})))
        for place in ("home", "mine/results")
    ]
    assert index.write(pages_of[0]) is None
    assert not (tmp_path / "home" / "index.html").exists()
    assert index.write(pages_of[1]) == tmp_path / "mine" / "results" / "index.html"
    shutil.copytree(pages_of[0].parent, tmp_path / "home" / "other")
    assert index.write(pages_of[0]) == tmp_path / "home" / "index.html"


def test_the_page_of_a_comparison_says_what_differs(tmp_path):
    run = make_run(tmp_path, {"6,6": {}}, sides=("a", "b"), slower=1.5, launches=6)
    judged = decision.judge(run, decision.phases("all"), margin=0.02)
    found = ComparedSides("a", "b", (), tuple(judged))
    text = compared.write(found, run.folder).read_text()
    assert re.search(
        r"<h1>slower: 6x2 \w+ \+[45]\d\.\d % \[.*\] with b against a, and 7 more</h1>", text
    )
    assert 'data-label="verdict"' in text
    assert (run.folder / "charts" / "compare.svg").exists()
