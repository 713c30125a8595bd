import json

import pytest

from nnbench.doctor import NOTE, OK, PROBLEM, NoiseFloor, examine, sentences


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


def test_more_threads_than_cpus_is_a_problem(tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "4096")
    finding = fake(tmp_path, {})["threads"]
    assert finding.level == PROBLEM
    assert "OMP_NUM_THREADS=4096" in finding.found


def test_the_words_follow_from_the_figures():
    quiet = NoiseFloor(5, 30.0, {"step": 0.01}, {})
    loud = NoiseFloor(5, 30.0, {"step": 0.10}, {})
    assert quiet.change_within("step", 60.0) < loud.change_within("step", 60.0)
    assert loud.launches_for("step", 0.05) > quiet.launches_for("step", 0.05) == 3
    assert loud.change_within("step", 600.0) < loud.change_within("step", 60.0)
    assert sentences(quiet) != sentences(loud)
    assert "7.3 %" in sentences(loud)[0]


def test_the_doctor_measures_identical_code_on_this_machine(nnbench):
    answer = nnbench("doctor", "--backend", "jax", "--launches", "2", "--json", "--quiet")
    assert answer.returncode == 0, answer.stderr
    told = json.loads(answer.stdout)
    assert set(told["noise_floor"]["half_widths"]) >= {"step", "epoch", "cold"}
    assert told["noise_floor"]["sentences"]
    assert {finding["level"] for finding in told["findings"]} <= {OK, NOTE, PROBLEM}
