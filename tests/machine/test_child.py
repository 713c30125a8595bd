"""Processes end as groups: with whoever started them, and with the process that leads them."""

import signal
import subprocess
import sys
import threading
import time

import psutil
import pytest

from nnbench.machine import child

LIMIT_S = 60
"""Of what is waited for. It ends what hangs, and is no measure of anything."""

LEAVES = "import subprocess; print(subprocess.Popen(['sleep', '1000']).pid, flush=True)"
"""A command that starts a process and ends before it."""

STAYS = f"import os, time; print(os.getpid(), flush=True); {LEAVES}; time.sleep(1000)"
"""One that starts a process and hangs."""

PARENT = """
import os, sys
from nnbench.machine.child import Child
child = Child([sys.executable, "-c", sys.argv[1]])
END
"""


def parent(ending, command=STAYS):
    code = PARENT.replace("END", ending)
    return subprocess.Popen(
        [sys.executable, "-c", code, command], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )


def is_gone(pid):
    """Whether a process has ended; an orphan that nobody waits for has, too."""
    deadline_s = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline_s:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.02)
    return False


def test_a_group_ends_with_a_parent_that_is_killed():
    with parent("child.wait()") as killed:
        pids = [int(killed.stdout.readline()) for _ in range(2)]
        killed.kill()
    assert all(map(is_gone, pids))


def test_a_group_ends_with_a_parent_that_was_gone_before_it_began():
    with parent("os._exit(0)") as gone:
        # Read to the end: nobody is left that could write.
        pids = [int(line) for line in gone.stdout.read().split()]
    assert all(map(is_gone, pids))


def test_a_group_outlives_the_thread_that_started_it(tmp_path):
    started = []

    def start():
        out = (tmp_path / "out").open("wb")
        started.append(child.Child([sys.executable, "-c", STAYS], stdout=out))
        out.close()

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    (process,) = started
    while (tmp_path / "out").read_text().count("\n") < 2:
        assert process.poll() is None
        time.sleep(0.02)
    pids = [int(line) for line in (tmp_path / "out").read_text().split()]
    assert all(map(psutil.pid_exists, pids))
    process.end()
    assert all(map(is_gone, pids))


def test_what_a_command_leaves_behind_is_neither_waited_for_nor_left():
    answer = child.run([sys.executable, "-c", LEAVES], limit_s=LIMIT_S)
    assert answer.returncode == 0
    assert is_gone(int(answer.stdout))


def test_a_command_that_takes_too_long_is_ended_with_what_it_started(tmp_path):
    command = [sys.executable, "-c", STAYS, str(tmp_path)]
    with pytest.raises(subprocess.TimeoutExpired):
        child.run(command, limit_s=0.5)
    running = psutil.process_iter(["pid", "cmdline"])
    ours = [one.pid for one in running if str(tmp_path) in (one.info["cmdline"] or [])]
    assert all(map(is_gone, ours))


def test_a_command_that_is_not_there_says_so():
    answer = child.run(["no-such-command"], limit_s=LIMIT_S)
    assert answer.returncode == 1
    assert b"no-such-command cannot be run" in answer.stderr


def test_all_groups_can_be_ended_at_once():
    sleeping = [child.Child(["sleep", "1000"]) for _ in range(2)]
    child.end_all()
    assert [one.wait(LIMIT_S) for one in sleeping] == [-signal.SIGKILL] * 2
    for one in sleeping:
        one.end()
