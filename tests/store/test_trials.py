"""The columns of a run's trials: they hold what was written, in less memory than its lines."""

import copy
import gc
import json
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from runs import FINGERPRINT, case, trial

from nnbench.machine import fields
from nnbench.store import runs
from nnbench.store.trials import COUNTED, Trials

CASE = case("6,6")
SECONDS = st.floats(1e-9, 1e9)
SMALL = st.integers(0, 3)
SEEN = st.dictionaries(st.sampled_from(["runnable", "load"]), SECONDS | st.none())


def a_trial(number, **changes):
    return trial(number, CASE, **changes)


def a_run(folder, trials):
    """A run with these trials, not read yet."""
    wanted = {"cases": [CASE.to_json()], "launches": 1, "blocks": 1, "seed": 0, "limit_s": 10,
              "precision": None, "budget_s": None, "sides": [""]}  # fmt: skip
    made = runs.create(folder, "run", wanted, FINGERPRINT)
    (made / runs.TRIALS_FILE).write_text("".join(f"{json.dumps(one)}\n" for one in trials))
    return made


RECORDS = st.lists(
    st.builds(
        lambda more, **fields: a_trial(0, **fields, **more),
        st.fixed_dictionaries(
            {},
            optional={
                **dict.fromkeys(sorted(COUNTED), st.none() | st.integers(0, 1 << 53)),
                "steps_per_sample": st.integers(1, 9),
                "message": st.text(),
                "noise": SEEN,
            },
        ),
        **dict.fromkeys(("launch", "round", "block", "sweep"), SMALL),
        side=st.sampled_from(["", "a", "b"]),
        outcome=st.sampled_from(["ok", "died"]),
        loss=st.none() | st.floats(0, 10),
        samples_s=st.dictionaries(st.sampled_from(["cold", "step", "x"]), st.lists(SECONDS)),
    ),
    max_size=8,
)


@given(RECORDS, SMALL)
def test_records_are_made_again_as_they_were(records, least):
    trials = Trials(records)
    assert list(trials) == records
    kept = trials.where(trials.column("round") >= least)
    assert list(kept) == [one for one in records if one["round"] >= least]
    good = np.flatnonzero(trials.are(outcome="ok"))
    assert list(trials.records(good)) == [one for one in records if one["outcome"] == "ok"]


@given(RECORDS)
def test_columns_and_groups_are_those_of_the_records(records):
    trials, named = Trials(records), ("side", "launch", "block")
    alike = [tuple(one[name] for name in named) for one in records]
    assert list(trials.values(named)) == alike
    begins, number = trials.groups(named)
    assert list(trials.values(named, begins)) == list(dict.fromkeys(alike))
    assert [alike[row] for row in begins[number]] == alike
    by_side = {side: rows.tolist() for side, rows in trials.rows_by("side").items()}
    sides = {one["side"] for one in records}
    assert by_side == {
        side: [row for row, one in enumerate(records) if one["side"] == side] for side in sides
    }
    for name in (*COUNTED, "loss"):
        expected = [np.nan if (one := record.get(name)) is None else one for record in records]
        np.testing.assert_array_equal(trials.column(name), expected)


def test_a_table_has_a_row_for_each_good_sample(tmp_path):
    trials = [
        a_trial(
            number,
            samples_s={"step": [1.0 + number, 2.0], "none": [], "epoch": [3.0]},
            outcome="died" if number == 3 else "ok",
        )
        for number in range(6)
    ]
    table = runs.read(a_run(tmp_path, trials)).samples()
    good = [0, 1, 2, 4, 5]
    assert table["trial"].tolist() == np.repeat(good, 3).tolist()
    assert table["phase"].tolist() == ["step", "step", "epoch"] * 5
    assert table["seconds"].tolist() == [one for n in good for one in (1.0 + n, 2.0, 3.0)]
    # Steps are counted over the sweeps of a block.
    assert table["position"].tolist() == [one for n in good for one in (2 * n, 2 * n + 1, n)]
    assert set(table["case"]) == {CASE.key}


@pytest.mark.parametrize("samples", [1, 20])
def test_a_trial_takes_less_memory_than_its_line_on_disk(tmp_path, samples):
    """What two runs differ by: hundreds of thousands of trials of a sweep are held at once."""
    held_bytes, disk_bytes = [], []
    for count in (1000, 9000):
        trials = (
            a_trial(number, samples_s={"step": [(1 + number) * 1.234567890123e-4] * samples})
            for number in range(count)
        )
        folder = a_run(tmp_path / f"{count}", trials)
        disk_bytes.append((folder / runs.TRIALS_FILE).stat().st_size)
        gc.collect()
        tracemalloc.start()
        run = runs.read(folder)
        gc.collect()
        held_bytes.append(tracemalloc.get_traced_memory()[0])
        tracemalloc.stop()
        assert len(run.trials) == count
        assert run.damage == []
    assert held_bytes[1] - held_bytes[0] < 0.8 * (disk_bytes[1] - disk_bytes[0])


STEP = {"kind": "trial", **a_trial(0, trial_kind="step", samples_s={"step": [1.0]})}
STEP = {name: STEP[name] for name in runs.STEP_TRIAL if name in STEP} | {"steps_per_sample": 6}
ODD = [
    *(None, True, -1, 0, 1, 1 << 31, 1 << 53, (1 << 53) + 1, 1 << 63),
    *(-1.0, 0.0, 0.5, 1e9, 2e9, float("nan"), float("inf")),
    *("", "trial", "launch", "ok", "died", "step", "curve", CASE.key),
    *("soon", "2026-01-01T00:00:00", "1066-10-14T09:00:00"),
]
ODD += [[1.0], {}, {"step": []}, {"step": 1.0}, *({"step": [1.0, one]} for one in ODD)]


@pytest.mark.parametrize("name", runs.STEP_TRIAL)
def test_what_is_passed_at_once_is_passed_by_every_check(name):
    run = runs.Run(None, "", {"cases": [CASE.to_json()]}, FINGERPRINT)
    assert runs._is_plain_step(STEP, run)
    assert not runs._is_plain_step({**STEP, "more": 1}, run)
    assert not runs._is_plain_step({one: STEP[one] for one in STEP if one != name}, run)
    for odd in ODD:
        record = {**STEP, name: odd}
        if runs._is_plain_step(record, run):
            assert record["kind"] == "trial"
            checked = copy.deepcopy(record)
            runs._check_trial(fields.Field(checked, "here"), run)
            assert checked == record
