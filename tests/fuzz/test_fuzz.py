"""Every kind of file that nnbench reads, damaged in any way: it is answered, or told in a line.

`NNBENCH_FUZZ=5000` tries so many files, and a fifth as many command lines, drawn anew each time;
without it there are few, and always the same. `survey.py` lists all that is found.
"""

import pytest
from fuzz import files, lines
from fuzz.calls import call, faults
from fuzz.kinds import KINDS
from fuzz.project import make
from fuzz.sizes import FILES, LINES, examples_of
from fuzz.world import World
from hypothesis import given

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def world(once, tmp_path_factory):
    return World(once("fuzzed", make), tmp_path_factory.mktemp("fuzzed"))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_what_is_not_damaged_is_read(world, kind):
    for command in kind.commands:
        world.restore()
        answer = call(world.folder, *command.split(), draw=False)
        assert not list(faults(answer)), command


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_damaged_file_is_answered_or_told(world, kind):
    @examples_of(FILES // len(KINDS))
    @given(files.examples(kind, world.pristine))
    def one(example):
        found = files.tried(world, example)
        assert not found, f"{example}\n{found}"

    one()


def test_a_command_line_is_answered_or_told(world):
    @examples_of(LINES)
    @given(lines.lines(lines.options()))
    def one(line):
        found = lines.tried(world, line)
        assert not found, f"{line}\n{found}"

    one()
