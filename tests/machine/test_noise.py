import json
import os
import time
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnbench.machine import noise
from nnbench.machine.noise import Reading, between


def fake_root(tmp_path, *, user=1000, stolen=0, worker=500, forced=3):
    process = tmp_path / "proc" / "42"
    (process / "task" / "42").mkdir(parents=True, exist_ok=True)
    (tmp_path / "proc" / "stat").write_text(
        f"cpu  {user} 0 0 90000 0 0 0 {stolen} 0 0\nctxt 5\nprocs_running 3\n"
    )
    fields = " ".join(["S", *["0"] * 10, str(worker), "0", *["0"] * 20])
    (process / "stat").write_text(f"42 (a (strange) name) {fields}")
    (process / "task" / "42" / "status").write_text(
        f"Name:\tpython\nvoluntary_ctxt_switches:\t9\nnonvoluntary_ctxt_switches:\t{forced}\n"
    )
    return tmp_path


def test_a_quiet_machine_is_clean(tmp_path):
    before = noise.read([42], fake_root(tmp_path))
    after = noise.read([42], fake_root(tmp_path, user=1100, worker=600))
    assert noise.contamination(noise.between(before, after)) == []


def test_stolen_time_and_other_processes_are_seen_and_told(tmp_path):
    before = noise.read([42], fake_root(tmp_path))
    time.sleep(0.05)
    after = noise.read([42], fake_root(tmp_path, user=1400, stolen=100, worker=600))
    found = noise.between(before, after)
    assert found["stolen_share"] == 0.2
    assert found["runnable"] == 3
    reasons = " ".join(noise.contamination(found))
    assert "20.0% of the CPU time was stolen" in reasons
    assert "other processes used" in reasons


def test_a_system_that_tells_nothing_gives_nothing(tmp_path):
    reading = noise.read([42], tmp_path)
    found = noise.between(reading, reading)
    assert found["stolen_share"] is None
    assert noise.contamination(found) == []


def test_this_machine_is_read_and_a_busy_worker_is_not_others():
    pid = os.getpid()
    before = noise.read([pid])
    # Of this thread's own time: a busy machine may give it less than the clock on the wall tells.
    began_s = time.thread_time()
    while time.thread_time() - began_s < 0.3:
        pass
    after = noise.read([pid])
    found = noise.between(before, after)
    assert found["wall_s"] >= 0.3
    if after.workers_s is not None:
        assert after.workers_s - before.workers_s > 0.1


def judged(**figures):
    return " ".join(noise.contamination(figures))


@pytest.mark.parametrize(
    ("figures", "told"),
    [
        ({"stolen_share": 0.031}, "3.1% of the CPU time was stolen"),
        ({"stolen_share": 0.01, "stolen_worst_cpu_share": 0.07}, "one CPU away for 7.0%"),
        ({"others_cpus": 0.5}, "other processes used 0.50 CPUs"),
        ({"forced_switches_per_s": 900.0}, "interrupted 900 times a second"),
        ({"forced_switches_per_s": 900.0, "others_cpus": 0.1}, "interrupted 900 times a second"),
        ({"throttled_s": 0.25}, "quota held it up for 0.25 s"),
        ({"heat_throttlings": 3}, "cut for heat 3 times"),
        ({"mhz_before": 3000.0, "mhz_highest": 2000.0}, "fell from 3000 to 2000 MHz"),
    ],
)
def test_each_disturbance_is_told_with_its_number(figures, told):
    assert told in judged(**figures)


@pytest.mark.parametrize(
    "figures",
    [
        {"stolen_share": noise.STOLEN_SHARE},
        {"others_cpus": noise.OTHERS_CPUS},
        {"forced_switches_per_s": 2500.0, "others_cpus": 0.02},
        {"cpu_pressure_share": 1.0, "runnable": 9, "celsius": 80.0},
        {"mhz_before": 3000.0, "mhz_highest": 2950.0, "mhz_lowest": 800.0},
        {"throttled_s": 0.0, "heat_throttlings": 0},
    ],
)
def test_what_says_nothing_about_a_trial_is_no_reason(figures):
    assert judged(**figures) == ""


figures = st.one_of(st.none(), st.floats(0, 1e6))
records = st.dictionaries(st.sampled_from(sorted(between(Reading(0.0), Reading(1.0)))), figures)


@given(records)
def test_any_record_can_be_judged(record):
    for reason in noise.contamination(record):
        assert any(character.isdigit() for character in reason)


@given(records, st.sampled_from(["stolen_share", "others_cpus", "forced_switches_per_s"]))
def test_more_of_a_disturbance_never_clears_a_record(record, name):
    if name == "forced_switches_per_s":
        # With no one else there, it is the worker's own threads.
        record.pop("others_cpus", None)
    worse = {**record, name: (record.get(name) or 0.0) + 1000.0}
    assert noise.contamination(worse)
    assert len(noise.contamination(worse)) >= len(noise.contamination(record))


counters = st.one_of(st.none(), st.integers(0, 10**9))
readings = st.builds(
    Reading,
    moment_s=st.floats(0, 1e9),
    busy_s=counters,
    stolen_s=counters,
    cpus_busy_s=st.lists(st.floats(0, 1e9), max_size=3).map(tuple),
    cpus_stolen_s=st.lists(st.floats(0, 1e9), max_size=3).map(tuple),
    workers_s=counters,
    forced_switches=counters,
    pressure_s=counters,
    throttled_s=counters,
    mhz=st.lists(st.floats(1, 6000), max_size=3).map(tuple),
)


@given(readings, readings)
def test_any_two_readings_give_plain_figures_that_are_not_negative(before, after):
    found = between(before, after)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert all(value is None or value >= 0 for value in found.values())
    assert found["stolen_share"] is None or found["stolen_share"] <= 1
    noise.contamination(found)


def write(root, files):
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def test_the_time_of_children_counts_as_the_workers(tmp_path):
    fields = ["S", *["0"] * 10, "100", "20", "30", "0", *["0"] * 20]
    write(
        tmp_path,
        {
            "proc/42/stat": "42 (python) " + " ".join(fields),
            "proc/42/task/42/children": "43 ",
            "proc/43/stat": "43 (compiler) " + " ".join(["S", *["0"] * 10, "200", *["0"] * 20]),
        },
    )
    assert noise.read([42], tmp_path).workers_s == 1.5 + 2.0


def test_every_thread_and_every_cpu_is_counted(tmp_path):
    status = "Name:\tpython\nvoluntary_ctxt_switches:\t{}\nnonvoluntary_ctxt_switches:\t{}\n"
    write(
        tmp_path,
        {
            "proc/stat": "cpu  300 0 0 9 0 0 0 90 0 0\n"
            "cpu0 100 0 0 5 0 0 0 90 0 0\ncpu1 200 0 0 4 0 0 0 0 0 0\nctxt 77\n",
            "proc/42/task/42/status": status.format(5, 1),
            "proc/42/task/57/status": status.format(6, 2),
        },
    )
    reading = noise.read([42], tmp_path)
    assert (reading.forced_switches, reading.waits, reading.switches) == (3, 11, 77)
    assert reading.cpus_busy_s == (1.0, 2.0)
    assert between(Reading(reading.moment_s - 1, cpus_stolen_s=(0.0, 0.0)), reading)[
        "stolen_worst_cpu_share"
    ] == pytest.approx(0.9)


@pytest.mark.parametrize(
    "files",
    [
        {
            "proc/self/cgroup": "0::/slice/mine\n",
            "sys/fs/cgroup/slice/mine/cpu.stat": "nr_throttled 2\nthrottled_usec 500000\n",
            "sys/fs/cgroup/slice/cpu.stat": "nr_throttled 1\nthrottled_usec 250000\n",
        },
        {
            "proc/self/cgroup": "4:cpu,cpuacct:/docker/mine\n0::/\n",
            "sys/fs/cgroup/cpu/cpu.stat": "nr_throttled 3\nthrottled_time 750000000\n",
        },
    ],
)
def test_a_quota_of_this_group_or_one_around_it_is_seen(tmp_path, files):
    reading = noise.read([], write(tmp_path, files))
    assert (reading.throttled_s, reading.throttlings) == (0.75, 3)


def test_clocks_heat_and_pressure_are_read_where_they_are_told(tmp_path):
    cpu = "sys/devices/system/cpu/cpu0"
    files = {
        f"{cpu}/cpufreq/scaling_cur_freq": "2400000\n",
        f"{cpu}/thermal_throttle/core_throttle_count": "4\n",
        "sys/class/thermal/thermal_zone0/type": "iwlwifi_1\n",
        "sys/class/thermal/thermal_zone0/temp": "90000\n",
        "sys/class/thermal/thermal_zone1/type": "x86_pkg_temp\n",
        "sys/class/thermal/thermal_zone1/temp": "61000\n",
        "proc/pressure/cpu": "some avg10=0.00 avg60=0.00 avg300=0.00 total=2500000\n",
        "proc/loadavg": "1.25 1.00 0.90 2/300 4242\n",
    }
    reading = noise.read([], write(tmp_path, files))
    assert (reading.mhz, reading.heat_throttlings) == ((2400.0,), 4)
    assert (reading.celsius, reading.pressure_s, reading.load) == (61.0, 2.5, 1.25)


def test_a_reading_of_this_machine_opens_few_files(monkeypatch):
    opened = []
    text = noise._text
    monkeypatch.setattr(noise, "_text", lambda path: opened.append(str(path)) or text(path))
    noise.read([os.getpid()])
    opened.clear()
    noise.read([os.getpid()])
    # Of each CPU, thread, child and control group two at most, and a dozen of the whole: nothing
    # that grows with what else there is, such as the list of processes.
    here = Path("/")
    tasks = Path(f"/proc/{os.getpid()}/task")
    threads = len(list(tasks.iterdir())) if tasks.exists() else 0
    each = threads + len(psutil.Process().children(recursive=True)) + len(noise._cpu_folders(here))
    each += len(noise.cpu_groups()) + len(noise._thermometers(here))
    assert 0 < len(opened) <= 12 + 2 * each


def test_counters_that_ran_backwards_say_nothing():
    found = noise.between(Reading(0.0, busy_s=5, stolen_s=1), Reading(1.0, busy_s=3, stolen_s=0))
    assert found["stolen_share"] is None
