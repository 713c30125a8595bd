from collections import Counter
from dataclasses import replace

from nnbench.measure.schedule import SWEEPS, plan_round, starting_order
from nnbench.measure.trial import KINDS, STEP_KIND, SUM_KIND
from nnbench.workload.architecture import parse
from nnbench.workload.case import Case, Training


def cases(backends=("tensorflow",), texts=("6,6", "100,100", "6x5")):
    return [
        Case(parse(text), Training(), "banknotes", "digest", 1372, 4, backend=backend)
        for backend in backends
        for text in texts
    ]


def test_every_block_holds_every_case_once_for_each_kind_and_in_every_sweep():
    (plan,) = plan_round(0, cases(), blocks=4, seed=1)
    turns = Counter(trial.key for trial in plan)
    assert set(turns.values()) == {1}
    assert len(turns) == 4 * 3 * (len(KINDS) + SWEEPS)


def test_cases_are_measured_in_turn_not_one_after_the_other():
    (plan,) = plan_round(0, cases(), blocks=5, seed=0)
    assert [trial.block for trial in plan] == sorted(trial.block for trial in plan)
    sweeps = [trial for trial in plan if trial.kind == STEP_KIND]
    for start in range(0, len(sweeps), 3):
        turn = sweeps[start : start + 3]
        assert len({trial.case.key for trial in turn}) == 3
        assert len({trial.sweep for trial in turn}) == 1


def test_sums_are_sampled_in_turn_with_the_steps_of_several_devices():
    together = [replace(one, device="cpu*2") for one in cases(texts=("6,6", "6x5"))]
    for mine, kinds in ((together, {STEP_KIND, SUM_KIND}), (cases(), {STEP_KIND})):
        (plan,) = plan_round(0, mine, blocks=2, seed=0, kinds=("phases", SUM_KIND), sweeps=3)
        turns = Counter((trial.block, trial.sweep, trial.kind) for trial in plan)
        assert turns == Counter(
            {
                (block, sweep, kind): len(mine)
                for block in (0, 1)
                for sweep in range(3)
                for kind in kinds
            }
            | {(block, 0, "phases"): len(mine) for block in (0, 1)}
        )


def test_the_order_differs_between_blocks_and_rounds_and_follows_from_the_seed():
    def order(seed, number=0):
        (plan,) = plan_round(number, cases(), blocks=3, seed=seed)
        return [(trial.block, trial.case.key, trial.kind) for trial in plan]

    assert order(5) == order(5)
    assert order(5) != order(6)
    assert order(5, 0) != order(5, 1)
    blocks = [[turn[1:] for turn in order(5) if turn[0] == block] for block in range(3)]
    assert not blocks[0] == blocks[1] == blocks[2]


def test_backends_take_turns_and_none_is_always_first():
    two = cases(("tensorflow", "jax"))
    rounds = [plan_round(number, two, blocks=1, seed=0) for number in range(4)]
    first = [plans[0][0].case.backend for plans in rounds]
    assert first == ["tensorflow", "jax", "tensorflow", "jax"]
    for plans in rounds:
        for plan in plans:
            assert len({trial.case.worker for trial in plan}) == 1


def test_two_sides_take_turns_within_every_sweep_and_start_in_the_order_abba():
    (plan,) = plan_round(0, cases(texts=("6,6",)), blocks=1, seed=0, sides=("A", "B"))
    sweeps = [trial.side for trial in plan if trial.kind == STEP_KIND]
    assert all(set(sweeps[i : i + 2]) == {"A", "B"} for i in range(0, len(sweeps), 2))
    starts = [side for number in range(4) for side in starting_order(number, ("A", "B"))]
    assert starts == list("ABBAABBA")


def test_many_sides_start_in_an_order_drawn_anew_each_round():
    sides = tuple("ABCDEF")
    orders = [starting_order(number, sides) for number in range(20)]
    assert all(sorted(order) == list(sides) for order in orders)
    assert len({tuple(order) for order in orders}) > 15
    assert orders[3] == starting_order(3, sides)
