import json
import multiprocessing
import os
import resource
import signal
import time

import pytest
from runs import trial

from nnbench.errors import UserError
from nnbench.store import runs
from nnbench.workload.architecture import parse
from nnbench.workload.case import Case, Training


def a_case(text="6,6", **changes):
    return Case(parse(text), Training(), "banknotes", "digest", 1372, 4, **changes)


def a_run(folder):
    wanted = {
        "cases": [a_case().to_json()],
        "launches": 1,
        "blocks": 1,
        "seed": 0,
        "limit_s": 10,
        "precision": None,
        "budget_s": None,
        "sides": [""],
    }
    return runs.create(folder, "run", wanted, {"host": "here"})


def a_launch(number, **changes):
    return {
        "kind": "launch",
        "launch": number,
        "round": 0,
        "side": "",
        "began": "2026-01-01T00:00:00+00:00",
        "backend": "tensorflow",
        "device": "cpu",
        "threads": None,
        "import_s": 2.0,
        "first_use_s": 1.0,
        **changes,
    }


def a_trial(number, case=None, **changes):
    given = {"trial_kind": "cold", "loss": 0.5, "samples_s": {"cold": [1.5]}, **changes}
    return trial(number, case or a_case(), **given)


def test_what_was_written_is_read_back(tmp_path):
    folder = a_run(tmp_path)
    writer = runs.Writer(folder)
    writer.append(a_launch(0))
    writer.append(a_trial(0))
    run = runs.read(folder)
    assert list(run.trials) == [a_trial(0)]
    assert run.launches[0]["import_s"] == 2.0
    assert list(run.cases.values()) == [a_case()]
    assert run.samples().iloc[0].to_dict() == {
        "case": a_case().key,
        "side": "",
        "round": 0,
        "launch": 0,
        "block": 0,
        "trial": 0,
        "phase": "cold",
        "position": 0,
        "seconds": 1.5,
    }


def test_a_name_that_two_networks_were_called_by_is_used_for_none(tmp_path):
    texts = ("6,6", "6x3", "6x4")
    cases = [Case(parse(one), Training(), "banknotes", "digest", 1372, 4) for one in texts]
    typed = {"6x2": "mine", "6x3": "mine", "6x4": "deep"}
    wanted = {"cases": [one.to_json() for one in cases], "asked": {"typed": typed}}
    run = runs.Run(tmp_path, "", wanted, {})
    assert [run.name(one) for one in cases] == ["6x2", "6x3", "deep"]


def test_a_moment_without_a_zone_is_read_as_of_utc(tmp_path):
    folder = a_run(tmp_path)
    runs.Writer(folder).append(a_launch(0) | {"began": "2026-01-01T00:00:00"})
    assert runs.read(folder).launches[0]["began"] == "2026-01-01T00:00:00+00:00"


def test_a_record_cut_off_in_flight_is_dropped_and_the_rest_stays(tmp_path):
    folder = a_run(tmp_path)
    writer = runs.Writer(folder)
    writer.append(a_trial(0))
    writer.close()
    path = folder / runs.TRIALS_FILE
    whole = path.read_bytes()
    path.write_bytes(whole + json.dumps(a_trial(1)).encode()[:40])
    assert len(runs.read(folder).trials) == 1
    assert runs.read(folder).damage == []
    again = runs.Writer(folder)
    again.append(a_trial(1))
    assert [trial["trial"] for trial in runs.read(folder).trials] == [0, 1]


def test_damaged_lines_are_named_and_the_others_kept(tmp_path):
    folder = a_run(tmp_path)
    writer = runs.Writer(folder)
    writer.append(a_trial(0))
    writer.close()
    path = folder / runs.TRIALS_FILE
    stranger = json.dumps(a_trial(2, a_case("7,7")))
    path.write_bytes(path.read_bytes() + b"\x00garbage\n[1, 2]\n" + stranger.encode() + b"\n")
    run = runs.read(folder)
    assert len(run.trials) == 1
    told = [f"{path}: line {number} cannot be read (" for number in (2, 3, 4)]
    assert [line[: len(told[0])] for line in run.damage] == told


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("", "damaged"),
        ("{", "damaged"),
        ("[]", "damaged"),
        ('{"schema": 99}', "schema 99"),
        ('{"schema": 1}', "damaged"),
        ('{"schema": 1, "created": "", "specification": {}, "fingerprint": {}}', "damaged"),
    ],
)
def test_a_damaged_run_is_one_clear_line(tmp_path, content, named):
    folder = a_run(tmp_path)
    (folder / runs.RUN_FILE).write_text(content)
    with pytest.raises(UserError) as caught:
        runs.read(folder)
    assert named in str(caught.value)
    assert runs.RUN_FILE in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_run_is_one_clear_line(tmp_path):
    with pytest.raises(UserError, match="is not a run"):
        runs.read(tmp_path / "nowhere")


def test_two_processes_cannot_write_one_run(tmp_path):
    folder = a_run(tmp_path)
    with_lock = runs.Writer(folder)
    with pytest.raises(UserError, match="another process"):
        runs.Writer(folder)
    with_lock.close()
    runs.Writer(folder).close()


def test_a_name_that_is_taken_is_refused(tmp_path):
    a_run(tmp_path)
    with pytest.raises(UserError, match="exists already"):
        a_run(tmp_path)


def test_a_results_folder_that_cannot_be_made_is_one_clear_line(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match=r"file/.* cannot be written: .*--results$"):
        a_run(tmp_path / "file")


def test_a_full_disk_is_one_clear_line_and_leaves_whole_records(tmp_path, monkeypatch):
    folder = a_run(tmp_path)
    writer = runs.Writer(folder)
    writer.append(a_trial(0))

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match="No space left on device"):
        writer.append(a_trial(1))
    monkeypatch.undo()
    assert [trial["trial"] for trial in runs.read(folder).trials] == [0]


def _write_until_full(folder, told):
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
    writer = runs.Writer(folder)
    number = 0
    try:
        while True:
            writer.append(a_trial(number), sync=number % 2 == 0)
            number += 1
    except UserError as failure:
        writer.close()
        told.send((number, str(failure)))


def test_a_disk_that_fills_up_within_a_record_keeps_all_whole_ones(tmp_path):
    folder = a_run(tmp_path)
    ours, theirs = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("fork").Process(
        target=_write_until_full, args=(folder, theirs)
    )
    process.start()
    assert ours.poll(60)
    count, message = ours.recv()
    process.join()
    assert "cannot be written" in message
    run = runs.read(folder)
    assert run.damage == []
    assert [trial["trial"] for trial in run.trials] == list(range(count))
    assert count > 5


def _write_forever(folder, told):
    writer = runs.Writer(folder)
    for number in range(1_000_000):
        writer.append(a_trial(number))
        told.send(number)


@pytest.mark.parametrize("delay_s", [0.01, 0.03, 0.06, 0.1, 0.15])
def test_nothing_acknowledged_is_lost_when_the_writer_is_killed(tmp_path, delay_s):
    folder = a_run(tmp_path)
    ours, theirs = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("fork").Process(
        target=_write_forever, args=(folder, theirs)
    )
    process.start()
    ours.recv()
    time.sleep(delay_s)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    acknowledged = 0
    while ours.poll():
        acknowledged = ours.recv()
    run = runs.read(folder)
    assert run.damage == []
    numbers = [trial["trial"] for trial in run.trials]
    assert numbers == list(range(len(numbers)))
    assert len(numbers) > acknowledged


def test_a_case_reads_back_equal_and_any_change_gives_another_key():
    case = a_case()
    assert Case.from_json(json.loads(json.dumps(case.to_json()))) == case
    others = [
        a_case("6x3"),
        a_case(backend="jax"),
        a_case(threads=1),
        a_case(device="gpu"),
        a_case(cold_epochs=31),
    ]
    keys = {case.key, *(other.key for other in others)}
    assert len(keys) == 6


def test_a_batch_of_all_rows_is_the_full_batch():
    full = Case(parse("6,6"), Training(batch_size=1372), "banknotes", "digest", 1372, 4)
    assert full == a_case()
    assert full.steps_per_epoch == 1
    part = Case(parse("6,6"), Training(batch_size=100), "banknotes", "digest", 1372, 4)
    assert part.steps_per_epoch == 14
