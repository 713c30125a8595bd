"""When a comparison ends: looks at runs made of given numbers."""

from dataclasses import replace

import pytest
from runs import make_run

from nnbench.measure import decision
from nnbench.measure import run as measuring
from nnbench.stats.verdict import DIFFERENT, UNDECIDED
from nnbench.workload.study import Study


def watched(run, times=2.0, phases=("step",)):
    """The run, asked to end once these are decided, with so many times the time that it took."""
    decide = {"phases": list(phases), "margin": 0.02}
    budget_s = times * decision.seconds_spent(run)
    return replace(run, specification=run.specification | {"decide": decide, "budget_s": budget_s})


@pytest.fixture(scope="module")
def slower(tmp_path_factory):
    folder = tmp_path_factory.mktemp("slower")
    return make_run(folder, {"6,6": {}}, sides=("a", "b"), slower=1.2, launches=9, spread=0.01)


@pytest.fixture(scope="module")
def noisy(tmp_path_factory):
    folder = tmp_path_factory.mktemp("noisy")
    return make_run(folder, {"6,6": {}}, sides=("a", "b"), launches=9, spread=0.1)


def test_phases_that_matter_come_first():
    assert decision.phases(None) == ("step", "epoch", "cold")
    assert decision.phases("build,step") == ("step", "build")
    assert decision.phases("all")[:3] == ("step", "epoch", "cold")
    assert len(decision.phases("all")) == 9


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (None, {}),
        ("all", {}),
        ("step", {"kinds": [], "sweeps": decision.SWEEPS_OF_STEPS}),
        ("cold", {"kinds": ["cold"], "sweeps": 0}),
        ("epoch,compile", {"kinds": ["phases"], "sweeps": 0}),
        ("step,cold", {"kinds": ["cold"]}),
    ],
)
def test_only_what_is_asked_for_is_measured(asked, expected):
    assert decision.trials(asked) == expected


def test_a_run_ends_at_the_look_that_decides_and_not_between_looks(slower):
    run = watched(slower)
    looks = decision.look_rounds(9)
    assert looks == [4, 5, 6, 8]
    ends = [number for number in range(10) if not measuring.next_round(run, number)]
    assert ends
    assert ends[0] in looks
    (found,) = decision.judge(run.before_round(ends[0]), ["step"], 0.02)
    assert found.verdict == DIFFERENT


def test_noise_decides_nothing_and_the_run_goes_on(noisy):
    run = watched(noisy)
    assert all(measuring.next_round(run, number) for number in range(10))
    (found,) = decision.judge(run, ["step"], 0.02)
    assert found.verdict == UNDECIDED


def test_shares_follow_the_clock_and_add_up_to_one_at_most(slower):
    run = watched(slower, times=1.1)
    shares = [look.share for look in decision._looks(run, ["step"])]
    assert len(shares) == 5
    assert all(share > 0 for share in shares)
    assert sum(shares) == pytest.approx(1 / 1.1**2)
    (once,) = decision._looks(slower, ["step"])
    assert once.share == 1.0


def test_a_look_spends_less_than_a_single_one(slower):
    often = decision.judge(watched(slower), ["step"], 0.02)[0].p_value
    assert often > decision.judge(slower, ["step"], 0.02)[0].p_value


def test_launches_of_steps_alone_have_no_warm_up():
    study = Study.of(["6,6"], backend="jax")
    cases = study.cases(study.load())
    plain = measuring.specification(study, cases)
    steps = measuring.specification(study, cases, **decision.trials("step"))
    assert not measuring._steps_only(plain)
    assert measuring._steps_only(steps)
