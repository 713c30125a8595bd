"""One example of the fuzzer of files: a file, what is done to it, and a command that reads it."""

import functools
import html
import json
import re
from dataclasses import dataclass
from pathlib import Path

from fuzz.calls import Fault, call, faults
from fuzz.damage import in_bytes, in_tables, of_files
from fuzz.damage.values import IMPOSSIBLE_DURATIONS, Damage
from fuzz.kinds import Kind
from fuzz.project import write_odd
from hypothesis import strategies as st

SAID = re.compile(
    r"damag|skip|cannot be read|no record|twice|left out|not used|ignor|repeat|duplicate|no number"
    r"|not finite|broken|unread",
    re.IGNORECASE,
)
DURATIONS = re.compile(r"/samples_s/\w+(/\d+)?$|/results/[^/]+/0/0$|/stats/median$|/ended_s/\d+$")
"""Places of durations: of ours, of asv, of pytest-benchmark."""

LINES_SAID = {
    *("line twice", "all twice", "half a line", "line {}", "line null", "line of a deep list"),
    *("line of 5,000 digits", "line of NULs", "line of a mapping's length", "two in a line"),
}
CHANGED_ANYHOW = re.compile(r"/\.git(/|$)|/\.nnbench(/|$)")
MOST_OF_A_COMMENT = 65_536
PRODUCTS = {"annotate": "nnbench-history.json", "fetch": "bank_note_original.csv"}


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
    usual = _usual(world, example.command) if _fair(example) else None
    _damage(world, example)
    before = world.state()
    # Names reach figures; whatever else is damaged need not be drawn, which takes long.
    named = example.damage.what in ("call", "header", "message")
    answer = call(world.folder, *example.words, draw=named)
    path = Path(example.file)
    # A folder that it lies in does as well.
    names = [path.name, *(str(folder) for folder in path.parents if folder.name)]
    # What Keras would not understand either is no mistake of a person's.
    found = [*faults(answer, names=() if path.name == "keras.json" else names)]
    if not found:
        found += changes(world, before, answer)
        found += pages(world, before, answer)
        found += _silent(usual, answer, example) if usual else ()
    return found


@functools.cache
def _usual(world, command):
    """What a command answers when nothing is damaged."""
    answer = call(world.folder, *command.split(), draw=False)
    world.restore()
    return answer


def _damage(world, example):
    path, done = world.folder / example.file, example.damage
    if path.suffix == ".git":
        write_odd(world.folder, done)
        return
    content = (world.pristine / example.file).read_bytes()
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


def changes(world, before, answer):
    """Files that a call changed, and may not."""
    after = world.state()
    own = PRODUCTS.get(answer.command[1] if answer.command[1:] else "")
    for path in sorted(before.keys() | after.keys()):
        was, now = before.get(path), after.get(path)
        if was == now or CHANGED_ANYHOW.search(str(path)):
            continue
        if not path.is_relative_to(world.folder):
            yield Fault("something is left outside", "", str(path.relative_to(world.base)))
        elif answer.started is not None or path.name == own or path.suffix in (".html", ".png"):
            continue
        elif was is not None:
            kind = "a file is overwritten" if now is not None else "a file is removed"
            yield Fault(kind, "", str(path.relative_to(world.folder)))
        elif answer.status == 2:
            what = str(path.relative_to(world.folder))
            yield Fault("a refused command leaves something", "", what)


def pages(world, before, answer):
    """Foreign text that is code on a page or in a comment."""
    for path in world.state().keys() - before.keys():
        if path.suffix == ".html":
            text = path.read_text(errors="replace")
            if "<script>alert(1)" in text or re.search(r"<img[^>]*onerror=alert", text):
                yield Fault("a script on a page", "", path.name)
            if strange := _bidirectional(html.unescape(text)):
                yield Fault("right to left on a page", "", f"{strange} in {path.name}")
        elif path.suffix == ".md":
            text = path.read_text(errors="replace")
            bare = re.sub(r"(`+).+?\1", "", text)
            for word in ("@everyone", "<!--", "![x](", "<script>", "\u202e", "\x1b", "\u2028"):
                if word in bare:
                    yield Fault("foreign text is Markdown", "", f"{word!r} in {bare[:300]!r}")
            if len(text) > MOST_OF_A_COMMENT:
                yield Fault("a comment is too long", "", f"{len(text):,} letters")


def _bidirectional(text):
    return sorted(
        {f"U+{ord(one):04X}" for one in text if one in "\u202a\u202b\u202d\u202e\u2066\u2067"}
    )


def _silent(usual, answer, example):
    """Another answer than without the damage, and no word of it."""
    if answer.status == 2 or answer.started is not None:
        return
    said = len(SAID.findall(answer.stdout + answer.stderr))
    if said > len(SAID.findall(usual.stdout + usual.stderr)):
        return
    first, second = (json.dumps(_lasting(one.record), sort_keys=True) for one in (usual, answer))
    if first != second:
        at = next((n for n, (a, b) in enumerate(zip(first, second, strict=False)) if a != b), 0)
        shown = f"{first[max(0, at - 60) : at + 60]} / {second[max(0, at - 60) : at + 60]}"
        where = f"{answer.command[0]} after {example.damage.what}"
        yield Fault("silently another answer", where, shown)


def _fair(example):
    """Whether damage may change no answer without a word."""
    done, name = example.damage, example.file
    if "--json" not in example.words:
        return False
    if name.endswith(".csv"):
        return done.what == "cell" and done.value in in_tables.NOT_A_NUMBER
    if name.endswith(("trials.jsonl", "numerics.jsonl")) and done.what in LINES_SAID:
        return True
    if done.what == "repeat" and re.fullmatch(r"/benchmarks/\d+", done.place):
        return True
    impossible = done.value in IMPOSSIBLE_DURATIONS
    place = "/" + done.place.partition(":")[2] if ":" in done.place else done.place
    return done.what == "replace" and impossible and bool(DURATIONS.search(place))


def _lasting(record):
    """A record without what another call tells otherwise."""
    if isinstance(record, dict):
        return {key: _lasting(one) for key, one in record.items() if "age" not in key}
    if isinstance(record, list):
        return [_lasting(one) for one in record]
    return record
