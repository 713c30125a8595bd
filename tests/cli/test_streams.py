"""Standard streams, terminals and surroundings as people have them: never a traceback."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from projects import LIMIT_S

NNBENCH = f"{sys.executable} -m nnbench"


def shell(folder, line, **environment):
    settings = {"NNBENCH_CACHE": str(folder / "cache"), **environment}
    answer = subprocess.run(
        ["bash", "-o", "pipefail", "-c", line.replace("nnbench", NNBENCH, 1)],
        cwd=folder,
        env={**os.environ, **settings},
        capture_output=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert b"Traceback" not in answer.stderr, answer.stderr.decode()
    return answer.returncode, answer.stdout.decode(), answer.stderr.decode()


def test_a_reader_that_leaves_is_no_alarm(tmp_path):
    status, out, errors = shell(tmp_path, "nnbench show 6,6 1x500 | head -2")
    assert (status, errors) == (141, "")
    assert "6x2" in out


@pytest.mark.parametrize("command", ["show 6,6", "show --help"])
def test_an_answer_that_cannot_be_written_is_told(tmp_path, command):
    status, _, errors = shell(tmp_path, f"nnbench {command} >/dev/full")
    assert status == 2
    assert errors == "nnbench: the answer cannot be written: No space left on device\n"


def test_closed_streams_are_nowhere(tmp_path):
    assert shell(tmp_path, "nnbench show 6,6 <&- >&- 2>&-") == (0, "", "")
    status, told, _ = shell(tmp_path, "nnbench run 6,6 --launches 0 2>&1 >&-")
    assert status == 2
    assert told.startswith("nnbench: 0 is no number of launches")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_stream_of_few_letters_gets_plainer_ones(tmp_path, encoding):
    (tmp_path / "漢.csv").write_text("a,b,fake\n" + "1,2,0\n2,1,1\n3,0,0\n4,4,1\n" * 4)
    line = "nnbench data show 漢.csv --label fake; echo"
    status, out, _ = shell(tmp_path, line, PYTHONIOENCODING=encoding, PYTHONUTF8="1")
    assert status == 0
    assert "\\u6f22.csv" in out
    assert "deviation" in out


def test_surroundings_that_make_no_sense_do_no_harm(nnbench, tmp_path):
    settings = {
        "COLUMNS": "nonsense",
        "TERM": "dumb",
        "MPLBACKEND": "nope",
        "HOME": "/nowhere",
        "MPLCONFIGDIR": "/proc/no",
        "NNBENCH_CACHE": "/proc/no",
        "KERAS_HOME": "/proc/no",
    }
    status, out, _ = shell(tmp_path, "nnbench data list", **settings)
    assert status == 0
    assert "banknotes" in out
    drawing = "import nnbench.cli as c; c._prepare_surroundings(); import nnbench.show.figures"
    ran = [sys.executable, "-c", drawing]
    subprocess.run(ran, env={**os.environ, **settings}, check=True, timeout=LIMIT_S)
    for columns in ("0", "-1", "²", "9" * 30):
        shown = nnbench("show", "6,6", COLUMNS=columns, LINES=columns)
        assert shown.returncode == 0
        assert len(shown.stdout) < 10_000


def test_a_folder_that_was_removed_is_told(tmp_path):
    line = "mkdir gone && cd gone && rmdir ../gone && nnbench show 6,6"
    status, _, errors = shell(tmp_path, line)
    assert status == 2
    assert errors.strip() == "nnbench: the working directory was removed: go to another one"


@pytest.mark.long
def test_after_ctrl_c_the_same_command_is_named_and_goes_on(tmp_path):
    command = [sys.executable, "-m", "nnbench", "run", "4", "--backend", "jax", "--name", "a b"]
    command += ["--launches", "1", "--blocks", "1", "--epochs", "3", "--limit", "600", "--fresh"]
    process = subprocess.Popen(
        command,
        cwd=tmp_path,
        start_new_session=True,
        # Tests that run in a shell's background have inherited that Ctrl-C is ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    trials = tmp_path / "results" / "a b" / "trials.jsonl"
    while not (trials.exists() and trials.read_bytes().count(b"\n") > 1):
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    out, errors = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 130, errors
    assert out == ""
    told = errors.splitlines()[-1]
    again = told.partition("goes on: ")[2]
    assert "what was measured is kept" in told
    assert again == (
        "nnbench run 4 --backend jax --name 'a b' --launches 1 --blocks 1 --epochs 3 --limit 600"
    )
    before = trials.read_bytes()
    status, out, errors = shell(tmp_path, f"{again} --quiet --json")
    assert status == 0, errors
    assert trials.read_bytes().startswith(before)
    assert json.loads(out)["cases"]
