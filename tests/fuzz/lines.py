"""One example of the fuzzer of command lines: a line that would do, and something put into it."""

from dataclasses import dataclass
from pathlib import Path

from fuzz import left_behind
from fuzz.calls import Fault, call, faults
from fuzz.damage.values import FOREIGN, text
from hypothesis import strategies as st

from nnbench.cli import COMMANDS, GROUPS, build

GOOD = (
    *("run 6,6 --backend jax --epochs 2", "run study.toml", "compare runs/a/run runs/b/run"),
    *("compare --against HEAD --backend jax", "scale rows --backend jax", "devices"),
    *("calibrate --budget 1s --backend jax", "predict 6,6 --backend jax", "doctor --no-measure"),
    *("explain 6,6 100,100 --run runs/a/run", "report runs/a/run", "advise 64x3 --backend jax"),
    *("race 6,6 --backend jax", "show 6,6", "train 6,6 --backend jax --epochs 2", "data list"),
    *("data show data/table.csv --label label", "data show banknotes"),
    *("drift -a 4 --backend jax --epochs 2", "drift show studies/one"),
    *("drift record kept -a 4 --backend jax --epochs 2", "drift check golden"),
    *("drift compare studies/one studies/two", "history --in .asv", "history check --in .asv"),
    *("history chart told --in .asv", "history export told.csv --in .asv"),
    *("history annotate HEAD seen", "history record HEAD~2..HEAD --backend jax"),
    "history bisect HEAD~3 HEAD --backend jax",
)
"""Command lines that are answered, or begin to measure, in a project of `fuzz.world`."""

NUMBERS = {
    "zero": "0",
    "one": "1",
    "minus one": "-1",
    "a half": "0.5",
    "nan": "nan",
    "infinite": "inf",
    "1e999": "1e999",
    "a billion": "1000000000",
    "10**30": "1" + "0" * 30,
    "5,000 digits": "9" * 5000,
    "a share of nothing": "0%",
    "a share below nothing": "-5%",
    "nan %": "nan%",
    "no time": "0s",
    "time below nothing": "-1s",
    "nan seconds": "nans",
    "endless": "1e999s",
    "thousands": "1_000",
    "wide digits": "１２",
    "empty": "",
    "two": "1,2",
}
TEXTS = {
    **{name: text(name) for name in FOREIGN if name not in ("a NUL", "an absolute path")},
    "300 letters": "x" * 300,
    "a byte that is no UTF-8": "caf\udce9",
    "a dash": "-",
    "two dashes": "--",
    "a comma": ",",
    "a folder": "data",
    "below a file": "study.toml/x",
    "a device": "/dev/full",
    "a range": "HEAD~1..nowhere",
    "a home": "~nobody/x",
}
VALUES = {**NUMBERS, **TEXTS}
A_FEW = ("a closing tag", "an escape sequence", "10,000 characters", "a lone surrogate")
BY_KIND = {
    "int": [*NUMBERS, *A_FEW],
    "float": [*NUMBERS, *A_FEW],
    "bool": ["zero", "one", "nan", "empty", *A_FEW],
    # A person may name any folder that they like, also one outside.
    "Path": [name for name in TEXTS if name not in ("a path", "a home")],
}
"""What is given to options of a kind; to all others, anything."""

WHOLE = {"one", "thousands", "wide digits"}
NUMBER = {*WHOLE, "a half", "a billion", "10**30"}
CODE = {"a code's name", "a module's name"}
"""A person may name code of theirs on the command line."""

NAMES_OF_ONE_FOLDER = {*VALUES} - {"a path", "300 letters", "below a file", "a device"}
NAMES_OF_ONE_FOLDER -= {"10,000 characters", "10,000 wide characters", "5,000 digits"}
TAKEN = {
    ("launches", "blocks", "seeds", "trainings"): WHOLE,
    ("epochs", "rows", "params"): {*WHOLE, "a billion"},
    ("together",): {*WHOLE, "a billion", "10**30"},
    ("threads",): {"one"},
    ("seed",): {*WHOLE, "zero", "a billion"},
    ("batch",): {"one", "a billion", "10**30"},
    ("limit",): NUMBER,
    ("target-loss",): {*NUMBER, "zero", "minus one"},
    ("relative", "ulp"): {*NUMBER, "zero", "infinite", "1e999"},
    ("budget",): {*NUMBER, "empty"},
    ("precision",): {"a half", "empty"},
    ("margin",): {"zero", "a half", "a share of nothing"},
    ("name",): NAMES_OF_ONE_FOLDER,
    ("features",): {*WHOLE, "a billion", "empty"},
    ("model",): {*CODE, "empty"},
    ("a word",): {*CODE, "one", "two", "empty"},
    ("a", "architecture", "architectures"): {"one", "two", "empty"},
    ("data",): {*CODE, "empty"},
    ("backend", "as", "label"): {"empty"},
    ("device", "path", "optimizer", "loss", "activation", "dtype", "jit"): set(),
    ("policies", "conditions", "policy", "phase", "against", "study"): set(),
    ("run", "go-on-from"): set(),
}
"""Of each option the values with which a command may begin to measure; of others, all."""


@dataclass(frozen=True, repr=False)
class Line:
    """A command line, of which the option `asked`, if any, was given the value `value`."""

    words: tuple[str, ...]
    what: str
    asked: str = ""
    value: str = ""

    def __str__(self) -> str:
        shown = (repr(word if len(word) < 60 else f"{word[:20]}…") for word in self.words)
        return f"{self.what} {self.value}: nnbench {' '.join(shown)}"

    __repr__ = __str__


@dataclass(frozen=True)
class Option:
    """One option of a command; `kind` is bool, int, float, Path or str."""

    name: str
    kind: str


def options():
    """The options of every command, as its application knows them."""
    found = {}
    for name in COMMANDS:
        app = build(name)[name]
        below = [one for one in app if not one.startswith("-")] if name in GROUPS else []
        for path in [(name,), *((name, one) for one in below)]:
            command = app[path[1]] if path[1:] else app
            if command.default_command is None:
                continue
            found[path] = [
                Option(argument.names[0], _kind(str(argument.hint)))
                for argument in command.assemble_argument_collection()
                if argument.parse and argument.names[0].startswith("--")
            ]
    return found


def _kind(hint):
    for kind in ("bool", "Path", "float", "int"):
        if kind in hint:
            return kind
    return "str"


def _path(words):
    grouped = words[0] in GROUPS and words[1:] and words[1].isalpha()
    return tuple(words[:2] if grouped else words[:1])


@st.composite
def lines(draw, known):
    """A good line and one thing that is wrong with it, or may be."""
    words = draw(st.sampled_from(GOOD)).split()
    path = _path(words)
    what = draw(st.sampled_from(["option", "option", "option", "option", "word", "end", "odd"]))
    if what == "option" and known[path]:
        option = draw(st.sampled_from(known[path]))
        name = draw(st.sampled_from(BY_KIND.get(option.kind, [*VALUES])))
        given = f"{option.name}={VALUES[name]}"
        return Line((*words, given), "option", option.name.lstrip("-"), name)
    if what == "word":
        # One of the words after the command, but no name of an option nor a file to write.
        places = range(len(path), len(words))
        free = [
            n for n in places if not words[n].startswith("-") and words[n] not in ("told", "kept")
        ]
        if free:
            at = draw(st.sampled_from(free))
            name = draw(st.sampled_from([one for one in VALUES if one != "a path"]))
            asked = words[at - 1].lstrip("-") if words[at - 1].startswith("-") else "a word"
            return Line((*words[:at], VALUES[name], *words[at + 1 :]), "word", asked, name)
    if what == "end" and known[path]:
        option = draw(st.sampled_from(known[path]))
        return Line((*words, option.name), "an option's end")
    odd = draw(st.sampled_from(list(ODD)))
    return Line(tuple(ODD[odd](words)), odd)


ODD = {
    "an unknown option": lambda words: [*words, "--nonsense"],
    "an unknown option's text": lambda words: [*words, "--[/]\x1b[31m=\u202e"],
    "a word too many": lambda words: [*words, "[/]\x1b[31m\u202e"],
    "the command alone": lambda words: words[:1],
    "half of it": lambda words: words[: len(words) // 2 + 1],
    "an unknown command": lambda words: ["\x1b[31m[/]", *words],
    "no command": lambda words: [],
    "help": lambda words: [*words, "--help"],
    "help first": lambda words: ["--help", *words],
    "all twice": lambda words: [*words, *words],
    "backwards": lambda words: [*words[:1], *reversed(words[1:])],
    "2,000 words": lambda words: [*words, *["x"] * 2000],
}


def tried(world, line):
    """The faults of the program that a line shows."""
    world.restore()
    before = world.state()
    answer = call(world.folder, *line.words, draw=False)
    found = [*faults(answer, planted="")]
    if not found:
        found += left_behind.faults(world, before, answer)
        if answer.started is not None and not acceptable(line):
            found.append(
                Fault("accepted", f"{line.asked}: {line.value}", str(answer.started)[:100])
            )
    if Path("/nowhere").exists():
        found.append(Fault("something is left outside", "", "/nowhere"))
    return found


def acceptable(line):
    """Whether a line may begin to measure."""
    if line.what not in ("option", "word"):
        return True
    return all(line.value in values for names, values in TAKEN.items() if line.asked in names)
