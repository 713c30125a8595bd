import os
import time

from hypothesis import given
from hypothesis import strategies as st

from nnbench.measure import noise
from nnbench.measure.noise import Reading


def fake_root(tmp_path, *, user=1000, stolen=0, worker=500, forced=3):
    process = tmp_path / "proc" / "42"
    (process / "task" / "42").mkdir(parents=True, exist_ok=True)
    (tmp_path / "proc" / "stat").write_text(
        f"cpu  {user} 0 0 90000 0 0 0 {stolen} 0 0\nctxt 5\nprocs_running 3\n"
    )
    fields = " ".join(["S", *["0"] * 10, str(worker), "0", *["0"] * 20])
    (process / "stat").write_text(f"42 (a (strange) name) {fields}")
    (process / "task" / "42" / "status").write_text(f"nonvoluntary_ctxt_switches:\t{forced}\n")
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


def test_this_machine_is_read_quickly_and_a_busy_worker_is_not_others():
    pid = os.getpid()
    before = noise.read([pid])
    began_s = time.perf_counter()
    while time.perf_counter() - began_s < 0.3:
        pass
    after = noise.read([pid])
    found = noise.between(before, after)
    assert found["wall_s"] >= 0.3
    if after.workers_s is not None:
        assert after.workers_s - before.workers_s > 0.1


@given(
    st.dictionaries(
        st.sampled_from(
            ["stolen_share", "others_cpus", "forced_switches_per_s", "throttled_s", "mhz_before"]
        ),
        st.one_of(st.none(), st.floats(0, 1e6)),
    )
)
def test_any_record_can_be_judged(record):
    for reason in noise.contamination(record):
        assert any(character.isdigit() for character in reason)


def test_counters_that_ran_backwards_say_nothing():
    found = noise.between(Reading(0.0, busy_s=5, stolen_s=1), Reading(1.0, busy_s=3, stolen_s=0))
    assert found["stolen_share"] is None
