import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from nnbench.cli.doctor import check
from nnbench.doctor import clocks, noise_floor, sharing, tables, words
from nnbench.doctor.examination import examine
from nnbench.doctor.finding import NOTE, OK, PROBLEM, Finding
from nnbench.doctor.noise_floor import NoiseFloor
from nnbench.doctor.sharing import Busy
from nnbench.doctor.words import sentences
from nnbench.errors import UserError
from nnbench.show import units
from nnbench.show.plain import plain
from nnbench.stats.summary import Measured
from nnbench.stats.verdict import FALSE_DISCOVERIES
from nnbench.workload.study import Effort, Machine, Study


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr(sharing, "LOOK_S", 0.0)


def fake(tmp_path, files):
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return {finding.subject: finding for finding in examine(tmp_path, root=tmp_path)}


CPU = "sys/devices/system/cpu"


@pytest.mark.parametrize(
    ("files", "subject", "level", "named"),
    [
        (
            {f"{CPU}/cpu0/cpufreq/scaling_governor": "powersave"},
            "CPU governor",
            PROBLEM,
            "powersave",
        ),
        (
            {f"{CPU}/cpu0/cpufreq/scaling_governor": "performance"},
            "CPU governor",
            OK,
            "performance",
        ),
        ({f"{CPU}/intel_pstate/no_turbo": "0"}, "turbo", NOTE, "on"),
        ({f"{CPU}/intel_pstate/no_turbo": "1"}, "turbo", OK, "off"),
        ({"sys/fs/cgroup/cpu.max": "150000 100000"}, "CPU quota", PROBLEM, "1.5 CPUs"),
        ({"proc/cpuinfo": "flags : fpu hypervisor sse\n"}, "virtual machine", NOTE, "yes"),
        ({"proc/stat": "cpu  900 0 0 9000 0 0 0 100 0 0"}, "stolen time", PROBLEM, "10.0%"),
        ({"proc/stat": "cpu  900 0 0 9000 0 0 0 0 0 0"}, "stolen time", OK, "0.00%"),
        (
            {
                f"{CPU}/cpu0/cpufreq/scaling_governor": "powersave",
                f"{CPU}/cpu0/cpufreq/scaling_driver": "intel_pstate",
            },
            *("CPU governor", PROBLEM, "follows the load"),
        ),
        (
            {
                f"{CPU}/cpu0/cpufreq/scaling_governor": "powersave",
                f"{CPU}/cpu0/cpufreq/scaling_driver": "acpi-cpufreq",
            },
            *("CPU governor", PROBLEM, "at its lowest"),
        ),
        ({f"{CPU}/cpufreq/boost": "1"}, "turbo", NOTE, "on"),
        ({f"{CPU}/smt/active": "1"}, "SMT", NOTE, "share a core"),
        ({f"{CPU}/smt/active": "0"}, "SMT", OK, "off"),
        (
            {
                "proc/self/cgroup": "0::/inner\n",
                "sys/fs/cgroup/cpu.max": "25000 100000",
                "sys/fs/cgroup/inner/cpu.max": "max 100000",
            },
            *("CPU quota", PROBLEM, "0.25 CPUs"),
        ),
        (
            {
                "proc/self/cgroup": "4:cpu,cpuacct:/\n0::/\n",
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "50000",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000",
            },
            *("CPU quota", PROBLEM, "0.5 CPUs"),
        ),
        ({"sys/fs/cgroup/cpu.max": "99900000 100000"}, "CPU quota", OK, "999 CPUs"),
        ({"sys/hypervisor/type": "xen"}, "virtual machine", NOTE, "xen"),
        (
            {"proc/meminfo": "MemTotal: 8000000 kB\nSwapTotal: 4000000 kB\nSwapFree: 2000000 kB\n"},
            *("swap", PROBLEM, "1.91 GiB in use"),
        ),
        (
            {"proc/meminfo": "MemTotal: 8000000 kB\nSwapTotal: 4000000 kB\nSwapFree: 3999000 kB\n"},
            *("swap", OK, "in use"),
        ),
        ({"proc/meminfo": "MemAvailable: 200000 kB\n"}, "memory", PROBLEM, "195 MiB"),
        (
            {"sys/kernel/mm/transparent_hugepage/enabled": "[always] madvise never"},
            *("huge pages", NOTE, "always"),
        ),
        (
            {
                "sys/class/power_supply/BAT0/type": "Battery",
                "sys/class/power_supply/AC/type": "Mains",
                "sys/class/power_supply/AC/online": "0",
            },
            *("power", PROBLEM, "on battery"),
        ),
        (
            {
                "sys/class/power_supply/BAT0/type": "Battery",
                "sys/class/power_supply/AC/type": "Mains",
                "sys/class/power_supply/AC/online": "1",
            },
            *("power", OK, "plugged in"),
        ),
        (
            {
                "sys/class/thermal/thermal_zone0/type": "x86_pkg_temp",
                "sys/class/thermal/thermal_zone0/temp": "93000",
            },
            *("temperature", PROBLEM, "93 °C"),
        ),
        (
            {f"{CPU}/cpu0/thermal_throttle/core_throttle_count": "12"},
            *("temperature", NOTE, "12 times since boot"),
        ),
    ],
)
def test_settings_are_seen_and_a_problem_comes_with_a_mend(tmp_path, files, subject, level, named):
    finding = fake(tmp_path, files)[subject]
    assert finding.level == level
    assert named in finding.found
    assert bool(finding.advice) == (level != OK)


def test_a_system_that_tells_little_is_examined_all_the_same(tmp_path):
    found = fake(tmp_path, {})
    assert {"threads", "memory", "disk", "clock"} <= set(found)
    assert "CPU governor" not in found


def test_a_quota_of_less_than_one_cpu_never_advises_no_threads(tmp_path):
    finding = fake(tmp_path, {"sys/fs/cgroup/cpu.max": "25000 100000"})["CPU quota"]
    assert "--threads 1" in finding.advice


def test_the_battery_of_a_mouse_is_not_the_machines(tmp_path):
    supply = "sys/class/power_supply/hid-mouse"
    assert "power" not in fake(tmp_path, {f"{supply}/type": "Battery", f"{supply}/scope": "Device"})


@pytest.mark.parametrize(
    ("settings", "level", "named"),
    [
        ({"OMP_NUM_THREADS": "8"}, PROBLEM, "OMP_NUM_THREADS=8 on 4 usable CPUs"),
        ({"OMP_NUM_THREADS": "2"}, NOTE, "some stay idle"),
        ({"OMP_NUM_THREADS": "4", "XLA_FLAGS": "--xla"}, OK, "XLA_FLAGS=--xla"),
        ({}, OK, "left to the backend"),
    ],
)
def test_thread_settings_are_compared_with_the_usable_cpus(settings, level, named):
    finding = sharing.threads(settings, cpus=4)
    assert (finding.level, named in finding.found) == (level, True)


def test_the_busiest_processes_are_named():
    busy = [Busy(0.9, 11, "indexer"), Busy(0.3, 12, "browser"), Busy(0.0, 13, "idle")]
    finding = sharing.load(busy)
    assert finding.level == PROBLEM
    assert "1.20 CPUs: indexer (process 11) 0.90, browser (process 12) 0.30" in finding.found
    assert finding.advice.endswith("-p 11,12")
    assert sharing.load([Busy(0.02, 1, "init")]).level == OK


def test_a_slow_clock_is_noted_with_a_better_one_if_there_is(tmp_path, monkeypatch):
    source = "sys/devices/system/clocksource/clocksource0"
    monkeypatch.setattr(clocks, "_clock_cost_and_step_s", lambda: (2e-6, 7e-8))
    files = {f"{source}/current_clocksource": "hpet", f"{source}/available_clocksource": "tsc hpet"}
    finding = fake(tmp_path, files)["clock"]
    assert finding.level == NOTE
    assert "hpet, a reading costs 2.00 µs" in finding.found
    assert finding.advice.startswith("echo tsc")


def test_the_words_follow_from_the_figures():
    quiet = NoiseFloor(5, 30.0, {"step": 0.01})
    loud = NoiseFloor(5, 30.0, {"step": 0.10})
    assert quiet.change_within("step", 60.0) < loud.change_within("step", 60.0)
    assert loud.launches_for("step", 0.05) > quiet.launches_for("step", 0.05) >= 3
    assert loud.change_within("step", 600.0) < loud.change_within("step", 60.0)
    assert sentences(quiet) != sentences(loud)
    assert units.share(loud.change_within("step", 60.0)) in sentences(loud)[0]


def test_few_launches_are_said_to_tell_little():
    few, many = (sentences(NoiseFloor(n, 30.0, {"step": 0.10}))[-1] for n in (2, 20))
    assert "With 2 launches a side" in few
    assert "32 times" in few
    assert "1.5 times" in many


def test_no_change_is_promised_from_less_than_two_launches():
    slow = NoiseFloor(5, 300.0, {"cold": 0.01})
    assert "more than a doubling in 1 minute" in sentences(slow)[0]


@pytest.mark.parametrize("launches", [2, 5, 10, 40, 150])
def test_a_change_said_to_be_found_is_found_that_often(launches):
    error_of_one = 0.03
    change = noise_floor.findable(error_of_one, launches)
    draws = np.random.default_rng(0).normal(change, error_of_one, (4000, launches))
    found = float(np.mean(stats.ttest_1samp(draws, 0, axis=1).pvalue < FALSE_DISCOVERIES))
    assert found == pytest.approx(noise_floor.FOUND, abs=0.03)


@given(st.floats(1e-4, 0.3), st.floats(0.005, 0.5))
def test_launches_needed_are_enough_and_one_fewer_is_not(error_of_one, log_change):
    needed = noise_floor.launches_needed(error_of_one, log_change)
    assert noise_floor.findable(error_of_one, needed) <= log_change
    assert needed == 3 or noise_floor.findable(error_of_one, needed - 1) > log_change


def test_the_spread_within_and_between_launches_are_distinguished():
    generator = np.random.default_rng(1)
    rows = [
        ("case", "step", "", launch, launch, block, position, position, seconds)
        for launch in range(40)
        for centre in [np.exp(generator.normal(0, 0.10))]
        for block in range(2)
        for position, seconds in enumerate(centre * np.exp(generator.normal(0, 0.02, 30)))
    ]
    names = ["case", "phase", "side", "round", "launch", "block", "trial", "position", "seconds"]
    samples = pd.DataFrame(rows, columns=names)
    spread = noise_floor.spread_of(Measured(samples, samples), "step")
    assert spread.within_launch == pytest.approx(0.02, rel=0.15)
    assert spread.between_launches == pytest.approx(0.10, rel=0.4)
    assert spread.pair.low < 1 < spread.pair.high
    assert spread.pair.log_error < 0.003
    assert noise_floor.spread_of(Measured(samples, samples), "cold") is None


def test_a_diagnosis_is_plain_data_and_a_table(capsys):
    found = [Finding("clock", OK, "tsc"), Finding("power", PROBLEM, "on battery", "plug it in")]
    floor = NoiseFloor(5, 30.0, {"step": 0.10}, {}, 4, ("others", "host"))
    shown = json.loads(json.dumps(plain(words.as_json(found, floor)), allow_nan=False))
    assert shown["findings"][1]["advice"] == "plug it in"
    assert shown["noise_floor"]["disturbances"] == ["others", "host"]
    assert shown["noise_floor"]["sentences"] == words.sentences(floor)
    assert "2 of 4 looks, at last: host" in words.sentences(floor)[-1]
    tables.print_diagnosis(found, floor)
    printed = capsys.readouterr().out
    assert printed.index("on battery") < printed.index("tsc")
    assert "plug it in" in printed
    assert "2 of 4 looks" in printed
    tables.print_diagnosis(found, None)
    assert "looks" not in capsys.readouterr().out
    assert plain(words.as_json(found, None))["noise_floor"] is None


@pytest.mark.parametrize(
    "study",
    [
        Study(effort=Effort(launches=1)),
        Study(effort=Effort(blocks=1)),
        Study(machine=Machine(path="fit,compiled")),
    ],
)
def test_a_noise_floor_of_too_little_or_of_several_cases_is_a_mistake(study):
    with pytest.raises(UserError, match="noise floor"):
        check(study)


@pytest.mark.long
def test_the_doctor_measures_identical_code_on_this_machine(nnbench):
    answer = nnbench("doctor", "--backend", "jax", "--launches", "2", "--json", "--quiet")
    assert answer.returncode == 0, answer.stderr
    told = json.loads(answer.stdout)
    assert set(told["noise_floor"]["half_widths"]) >= {"step", "epoch", "cold"}
    assert told["noise_floor"]["sentences"]
    for spread in told["noise_floor"]["spreads"].values():
        assert spread["within_launch"] >= 0
        assert spread["pair_ratio"] > 0
    assert {finding["level"] for finding in told["findings"]} <= {OK, NOTE, PROBLEM}
