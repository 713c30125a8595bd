from collections import Counter

from nnbench.architecture import parse
from nnbench.case import Case, Training
from nnbench.measure.schedule import plan_round
from nnbench.measure.trial import KINDS


def cases(backends=("tensorflow",), texts=("6,6", "100,100", "6x5")):
    return [
        Case(parse(text), Training(), "banknotes", "digest", 1372, 4, backend=backend)
        for backend in backends
        for text in texts
    ]


def test_every_block_holds_every_case_once_for_each_kind():
    (launch,) = plan_round(0, cases(), blocks=4, seed=1)
    turns = Counter(trial.key for trial in launch)
    assert set(turns.values()) == {1}
    assert len(turns) == 4 * 3 * len(KINDS)


def test_cases_are_measured_in_turn_not_one_after_the_other():
    (launch,) = plan_round(0, cases(), blocks=5, seed=0)
    order = [trial.block for trial in launch]
    assert order == sorted(order)
    by_block = [{t.case.key for t in launch if t.block == block} for block in range(5)]
    assert all(len(found) == 3 for found in by_block)


def test_the_order_differs_between_blocks_and_rounds_and_follows_from_the_seed():
    def order(seed, number=0):
        (launch,) = plan_round(number, cases(), blocks=3, seed=seed)
        return [(trial.block, trial.case.key, trial.kind) for trial in launch]

    assert order(5) == order(5)
    assert order(5) != order(6)
    assert order(5, 0) != order(5, 1)
    blocks = [[turn[1:] for turn in order(5) if turn[0] == block] for block in range(3)]
    assert not blocks[0] == blocks[1] == blocks[2]


def test_backends_take_turns_and_none_is_always_first():
    two = cases(("tensorflow", "jax"))
    rounds = [plan_round(number, two, blocks=1, seed=0) for number in range(4)]
    first = [launches[0][0].case.backend for launches in rounds]
    assert first == ["tensorflow", "jax", "tensorflow", "jax"]
    for launches in rounds:
        for launch in launches:
            assert len({trial.case.worker for trial in launch}) == 1


def test_two_sides_alternate_in_the_order_abba():
    rounds = [plan_round(n, cases(), blocks=1, seed=0, sides=("A", "B")) for n in range(4)]
    assert [launch[0].side for launches in rounds for launch in launches] == list("ABBAABBA")
    for launches in rounds:
        for launch in launches:
            assert len({trial.side for trial in launch}) == 1
