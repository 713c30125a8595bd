"""Files that several commands write at the same moment."""

import multiprocessing
from pathlib import Path

import pytest

from nnbench.errors import UserError
from nnbench.machine import whole_file


def _check_and_write(folder: Path, number: int) -> None:
    for turn in range(60):
        results = folder / str(turn) / "results"
        whole_file.check_folder(results)
        (results / str(number)).mkdir(parents=True)
        whole_file.write(results / "index.html", str(number) * 1000)


def test_commands_that_start_at_once_leave_each_other_their_folders(tmp_path):
    started = multiprocessing.get_context("spawn")
    processes = [
        started.Process(target=_check_and_write, args=(tmp_path, number)) for number in range(4)
    ]
    for one in processes:
        one.start()
    for one in processes:
        one.join()
    assert [one.exitcode for one in processes] == [0] * 4
    for turn in range(60):
        found = tmp_path / str(turn) / "results"
        assert sorted(one.name for one in found.iterdir()) == ["0", "1", "2", "3", "index.html"]


def test_what_is_tried_out_is_not_left(tmp_path):
    whole_file.check_folder(tmp_path)
    whole_file.check_folder(tmp_path / "results" / "mine")
    whole_file.check_file(tmp_path / "charts" / "one.svg")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["file/results", "file", "nowhere/results", "n" * 300])
def test_a_folder_that_cannot_be_is_told(tmp_path, name):
    (tmp_path / "file").touch()
    (tmp_path / "nowhere").symlink_to(tmp_path / "gone")
    with pytest.raises(UserError, match=r"cannot be written: .+ with --results"):
        whole_file.check_folder(tmp_path / name, ": name another with --results")
    with pytest.raises(UserError, match="cannot be written: "):
        whole_file.check_file(tmp_path / name / "page.html")
