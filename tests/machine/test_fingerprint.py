"""Two fingerprints are alike only where both say so."""

import pytest
from runs import FINGERPRINT, make_run

from nnbench.machine import fingerprint
from nnbench.store import runs


def test_a_host_is_like_itself():
    here = fingerprint.take()
    assert fingerprint.differences(here, here) == []
    assert fingerprint.unlike({**here, "commit": "one"}, here) == []
    assert fingerprint.differences({**here, "commit": "one"}, {**here, "commit": None})


@pytest.mark.parametrize("nothing", [None, "", "unknown", "Unknown ", {}, [], 0, True, {"a": None}])
@pytest.mark.parametrize("part", ["host", "cpu", "cpus", "versions"])
def test_what_neither_tells_is_not_taken_for_equal(part, nothing):
    both = {**FINGERPRINT, part: nothing}
    (phrase,) = fingerprint.unlike(both, dict(both))
    assert phrase.startswith(part if nothing != {"a": None} else "a")
    assert phrase.endswith("known of neither")


def test_that_there_are_none_is_something_to_tell_of_gpus_and_settings():
    assert FINGERPRINT["gpus"] == []
    assert fingerprint.unlike(FINGERPRINT, dict(FINGERPRINT)) == []
    assert fingerprint.unlike({}, {}) != []
    without = {name: part for name, part in FINGERPRINT.items() if name != "gpus"}
    assert fingerprint.unlike(without, dict(without)) == ["gpus: known of neither"]


def test_a_machine_is_itself_though_it_keeps_more_memory_for_itself():
    less = {**FINGERPRINT, "memory_bytes": FINGERPRINT["memory_bytes"] - 446_000}
    assert fingerprint.unlike(FINGERPRINT, less) == []
    half = {**FINGERPRINT, "memory_bytes": FINGERPRINT["memory_bytes"] // 2}
    (phrase,) = fingerprint.unlike(FINGERPRINT, half)
    assert phrase.startswith("memory_bytes ")


def test_a_variable_that_is_empty_is_no_setting(monkeypatch):
    for name in fingerprint.THREAD_SETTINGS:
        monkeypatch.delenv(name, raising=False)
    without = fingerprint.take()
    monkeypatch.setenv("XLA_FLAGS", "")
    assert fingerprint.take()["settings"] == {}
    earlier = {**without, "settings": {"XLA_FLAGS": ""}}
    assert fingerprint.differences(earlier, earlier) == []
    assert fingerprint.differences(earlier, without) == []
    other = {**without, "settings": {"XLA_FLAGS": "--one"}}
    assert len(fingerprint.differences(earlier, other)) == 1


def test_where_there_is_no_git_there_is_no_commit(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert fingerprint.take()["commit"] is None
    monkeypatch.setenv("PATH", "")
    assert fingerprint.take()["commit"] is None


def test_runs_of_nobody_knows_where_are_compared_only_if_one_insists(tmp_path, nnbench):
    for name in ("a", "b"):
        made = make_run(tmp_path / name, {"6,6": {}}, launches=2, blocks=1)
        path = made.folder / runs.RUN_FILE
        path.write_text(path.read_text().replace('"<host>"', "null"))
    answer = nnbench("compare", "a/run", "b/run")
    assert answer.returncode == 2
    assert (
        "whether a/run and b/run are alike cannot be told (host: known of neither)" in answer.stderr
    )
    assert nnbench("compare", "a/run", "b/run", "--unlike").returncode == 0
    answer = nnbench("explain", "a/run", "b/run")
    assert answer.returncode == 2
    assert "cannot be told" in answer.stderr
