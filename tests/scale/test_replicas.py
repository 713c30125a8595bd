"""Several devices for one training: what is asked, what is measured, what is said of it."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from runs import make_run

from nnbench.errors import UserError
from nnbench.machine import devices
from nnbench.scale import axes, charts, replicas, tables
from nnbench.stats.interval import Interval
from nnbench.workload import datasets
from nnbench.workload.study import Machine, Study


def test_replicas_are_devices_of_the_same_kind():
    assert Machine(replicas="1,2").devices == ["cpu", "cpu*2"]
    assert Machine(device="gpu", replicas="4").devices == ["gpu*4"]
    assert [devices.replicas(one) for one in ("cpu", "gpu:1", "gpu*4")] == [1, 1, 4]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"replicas": "0"}, "'0' is no number of replicas: write 2, or 1,2 to compare"),
        ({"replicas": "two"}, "'two' is no number of replicas"),
        ({"replicas": "2,2"}, "names one of them twice"),
        ({"replicas": "2", "device": "gpu:1"}, r"unknown device 'gpu:1\*2'"),
        ({"replicas": "2", "path": "compiled"}, "several devices train by fit"),
        ({"replicas": "2", "backend": "torch"}, "Keras trains on one device with torch"),
        ({"replicas": "2", "batch": "33"}, "batches of 33 and a last one of 19 rows cannot be"),
        ({"replicas": "2", "backend": "tensorflow", "jit": "on"}, "nothing with XLA for several"),
    ],
)
def test_what_several_devices_cannot_train_is_one_line(options, words):
    data = datasets.load("banknotes")
    with pytest.raises(UserError, match=words):
        Study.of(["6,6"], **{"backend": "jax", **options}).cases(data)


def test_one_device_is_compared_without_xla_where_several_have_none():
    study = Study.of(["6,6"], backend="tensorflow,jax", replicas="1,2")
    cases = study.cases(datasets.load("banknotes"))
    assert [(one.device, one.training.jit) for one in cases] == [
        ("cpu", "off"),
        ("cpu*2", "off"),
        ("cpu", "auto"),
        ("cpu*2", "auto"),
    ]


@pytest.mark.parametrize("text", ["replicas=1", "replicas=0,2", "replicas=two", "replicas=1.5"])
def test_numbers_of_devices_that_are_none_are_one_line(text):
    with pytest.raises(UserError, match="replicas=1,2"):
        axes.replicas(text)


def test_one_device_is_always_among_them():
    assert axes.replicas("replicas=2..4") == (1, 2, 3, 4)


def test_weak_scaling_gives_every_device_a_batch_of_its_own():
    study = Study.of(["6,6"], backend="jax", batch="100")
    by = replicas.cases((1, 2, 4), study, datasets.load("synthetic:rows=1000,features=4"))
    rows = {place: [case.batch_rows for case in cases] for place, cases in by.items()}
    assert rows == {(False, n): [100] for n in (1, 2, 4)} | {
        (True, n): [100 * n] for n in (1, 2, 4)
    }
    with pytest.raises(UserError, match="choose a smaller --batch"):
        replicas.cases((1, 20), study, datasets.load("synthetic:rows=1000,features=4"))


def made(folder, times_s):
    """One network alone, and one that stands for it on two devices."""
    options = {"backends": ("jax",), "device": "cpu*2", "spread": 0.5}
    run = make_run(folder, {"6,6": {}, "6x3": times_s}, launches=8, **options)
    one, two = run.cases.values()
    alone, together = replicas.scaled(run, {(False, 1): [one], (False, 2): [two]})
    return alone, replace(together, is_known=True)


def texts(found):
    """The cells of the column on communication, with their intervals."""
    table = next(iter(tables.replicas([found], "6x2")))
    place = table.columns.index("communication")
    return [(row[place].text, row[place].below) for row in table.rows]


def test_communications_share_is_formed_within_blocks(tmp_path):
    alone, together = made(tmp_path, {"step": 0.004, "sum": 0.001})
    assert together.communication.value == pytest.approx(0.25, rel=0.1)
    # What differs from launch to launch is the same in both: times alone would say much less.
    assert together.communication.high / together.communication.low < 1.2
    assert together.step.high / together.step.low > 1.4
    assert alone.communication is None
    assert texts(alone) == [("–", "")]
    assert texts(together)[0][0].endswith(" %")


def test_runs_from_before_sums_were_timed_are_told_without(tmp_path):
    alone, together = made(tmp_path, {"step": 0.004})
    assert together.speed_up is not None
    assert together.communication is together.sum is None
    assert texts(together) == [("–", "")]
    charts.write_replicas([alone, together], "6x2", tmp_path)


def test_a_share_with_too_wide_an_interval_is_no_answer(tmp_path):
    _, together = made(tmp_path, {"step": 0.004, "sum": 0.001})
    assert texts(replace(together, communication=Interval(0.1, 0.02, 0.4)))[0][0] == "10 %"
    assert charts.not_drawn([together]) == []
    unknown = replace(together, communication=Interval(0.5, 0.2, 1.1))
    assert texts(unknown) == [("–", "too wide")]
    (told,) = charts.not_drawn([unknown])
    assert "communication" in told
    assert "2 replicas, strong" in told


def test_every_table_of_virtual_devices_says_so(tmp_path):
    one, two = made(tmp_path, {})
    shown = list(tables.replicas([one, two, replace(one, weak=True)], "6x2"))
    assert [table.caption.endswith("virtual") for table in shown[:2]] == [True, True]
    assert shown[-1][-1] == devices.VIRTUAL
    one, two = (replace(each, are_virtual=False) for each in (one, two))
    shown = list(tables.replicas([one, two], "6x2"))
    assert "virtual" not in shown[0].caption
    assert devices.VIRTUAL not in shown[-1]


@pytest.mark.long
@pytest.mark.alone
@pytest.mark.parametrize("backend", devices.REPLICATING)
def test_many_gradients_take_more_of_a_short_step_than_few_of_a_long_one(backend):
    command = [sys.executable, Path(__file__).with_name("planted_sums.py"), backend]
    ended = subprocess.run(command, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr


@pytest.mark.long
def test_two_virtual_devices_train_together_and_are_called_virtual(nnbench):
    command = ["scale", "replicas=1,2", "--network", "6x2", "--backend", "tensorflow,jax"]
    options = ["--batch", "64", "--epochs", "2", "--launches", "1", "--name", "two", "--quiet"]
    answer = nnbench(*command, *options, "--json")
    assert answer.returncode == 0, answer.stderr
    found = json.loads(answer.stdout)["replicas"]
    seen = {(one["context"].partition(",")[0], one["scaling"], one["replicas"]) for one in found}
    assert seen == {
        (backend, kind, count)
        for backend in ("tensorflow", "jax")
        for kind in ("strong", "weak")
        for count in (1, 2)
    }
    for one in found:
        assert one["virtual"] is (one["replicas"] == 2)
        assert one["batch_rows"] == (64 * (one["replicas"] if one["scaling"] == "weak" else 1))
        assert min(one[name]["value"] for name in ("step_s", "epoch_s", "cold_s")) > 0
        for name in ("speed_up", "sum_s", "communication_at_most"):
            assert (one[name] is not None) is (one["replicas"] == 2)
        if one["replicas"] == 2:
            assert one["communication_at_most"]["value"] > 0
    told = nnbench("report", "results/two")
    assert "cpu*2 (virtual)" in told.stdout
    assert "not how it scales on devices of their own" in " ".join(told.stdout.split())
