from collections import Counter

from nnbench.architecture import parse
from nnbench.case import Case, Training
from nnbench.measure.schedule import plan
from nnbench.measure.trial import KINDS


def cases(backends=("tensorflow",), texts=("6,6", "100,100", "6x5")):
    return [
        Case(parse(text), Training(), "banknotes", "digest", 1372, 4, backend=backend)
        for backend in backends
        for text in texts
    ]


def test_every_block_holds_every_case_once_for_each_kind():
    for launch in plan(cases(), launches=3, blocks=4, seed=1):
        blocks = Counter((trial.block, trial.case.key, trial.kind) for trial in launch)
        assert set(blocks.values()) == {1}
        assert len(blocks) == 4 * 3 * len(KINDS)


def test_cases_are_measured_in_turn_not_one_after_the_other():
    order = [trial.case.key for launch in plan(cases(), launches=1, blocks=5, seed=0) for trial in launch]
    longest = max(
        len(run)
        for key in set(order)
        for run in "".join("x" if one == key else " " for one in order).split()
    )
    assert longest <= 4


def test_the_order_differs_between_blocks_and_follows_from_the_seed():
    def order(seed):
        return [
            [trial.key for trial in launch]
            for launch in plan(cases(), launches=3, blocks=3, seed=seed)
        ]

    assert order(5) == order(5)
    assert order(5) != order(6)
    one = plan(cases(), launches=1, blocks=3, seed=5)[0]
    by_block = [
        [(t.case.key, t.kind) for t in one if t.block == block] for block in {t.block for t in one}
    ]
    assert by_block[0] != by_block[1]


def test_backends_take_turns_and_none_is_always_first():
    planned = plan(cases(("tensorflow", "jax")), launches=4, blocks=1, seed=0)
    backends = [launch[0].case.backend for launch in planned]
    assert backends == ["tensorflow", "jax", "jax", "tensorflow"] * 2
    for launch in planned:
        assert len({trial.case.worker for trial in launch}) == 1


def test_block_numbers_are_unique_across_launches():
    planned = plan(cases(), launches=3, blocks=2, seed=0)
    blocks = [{trial.block for trial in launch} for launch in planned]
    assert blocks == [{0, 1}, {2, 3}, {4, 5}]
