"""One example of the fuzzer of files: a file, what is done to it, and a command that reads it."""

import functools
from dataclasses import dataclass
from pathlib import Path

from fuzz import left_behind, silence
from fuzz.calls import call, faults
from fuzz.damage import in_bytes, of_files
from fuzz.damage.values import Damage
from fuzz.kinds import Kind
from fuzz.project import write_odd
from hypothesis import strategies as st

TOLD_BY_VALUE = ("keras.json", "study.toml")
"""Files of settings, which are as well told by the setting that is wrong as by their name."""


@dataclass(frozen=True)
class Example:
    """What is done to which file, and what is called then."""

    file: str
    damage: Damage
    command: str

    @property
    def words(self) -> list[str]:
        """The command line."""
        return self.command.split()

    def __str__(self) -> str:
        return f"{self.file}: {self.damage}; then: nnbench {self.command}"


def examples(kind: Kind, pristine: Path):
    """Examples of a kind of file."""
    files = [
        st.tuples(st.just(name), of_files.damages(name, (pristine / name).read_bytes()))
        for name in kind.found(pristine)
    ]
    commands = st.sampled_from(kind.commands)
    return st.builds(lambda done, command: Example(*done, command), st.one_of(files), commands)


def tried(world, example):
    """The faults of the program that an example shows."""
    world.restore()
    done, path = example.damage, Path(example.file)
    before = (world.pristine / path).read_bytes()
    demand = silence.demanded(path.name, before, done, example.words)
    usual = _usual(world, example.command) if demand else None
    _damage(world, path, before, done)
    seen = world.state()
    # Names reach figures; whatever else is damaged need not be drawn, which takes long.
    named = done.what in ("call", "header", "message")
    answer = call(world.folder, *example.words, draw=named)
    # A folder that it lies in does as well.
    names = [path.name, *(str(folder) for folder in path.parents if folder.name)]
    unnamed = path.name in TOLD_BY_VALUE or done.what in ("missing", "a link to nothing")
    found = [*faults(answer, names=() if unnamed else names)]
    if not found:
        found += left_behind.faults(world, seen, answer)
        found += demand(usual, answer) if demand else ()
    return found


@functools.cache
def _usual(world, command):
    """What a command answers when nothing is damaged."""
    answer = call(world.folder, *command.split(), draw=False)
    world.restore()
    return answer


def _damage(world, name, content, done):
    path = world.folder / name
    if path.suffix == ".git":
        write_odd(world.folder, done)
        return
    if done.what not in in_bytes.PLACES:
        path.write_bytes(of_files.applied(path.name, content, done))
        return
    path.unlink()
    match done.what:
        case "a folder":
            path.mkdir()
        case "a link to itself":
            path.symlink_to(path)
        case "a link to nothing":
            path.symlink_to("nowhere")
