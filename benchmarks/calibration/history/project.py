"""A small project with a history of 12 commits, of which three change something.

    3   8 % more work in every step: matrix products whose result enters the network's state
    7   one more layer: longer to trace and compile
    9   another initialiser of the output layer: other numbers in the same time

The other nine are what commits mostly are: words, names, helpers, types. Hashes depend only on
the number of extra products, which a probe of this machine finds.
"""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from extra_work import LAYER

SIZE = 32
MODEL = "tinytrain/model.py:build"
STEP, COMPILE, NUMBERS = 3, 7, 9

PLAIN = """{doc}import keras

WIDTH = {width}
{constants}

{extra}{helpers}def build(){returns}:
    {body_doc}layers = [keras.Input((4,))]
    {loop}
{layers}{work}    layers.append(keras.layers.Dense(1, activation="sigmoid"{initializer}))
    {name} = keras.Sequential(layers)
    {name}.compile(optimizer="adam", loss="binary_crossentropy")
    return {name}
"""


@dataclass(frozen=True)
class Change:
    """One commit: its message and what is different from then on."""

    subject: str
    change: dict[str, str]
    files: dict[str, str]


def changes(repeats: int) -> list[Change]:
    """The twelve commits in order."""
    work = LAYER.format(name="Smoothing", repeats=repeats, size=SIZE) + "\n\n"
    return [
        Change("Train a small network", {}, {"README.md": "A small network.\n"}),
        Change("Say what the model is", {"doc": '"""The model."""\n\n'}, {}),
        Change("Spell the readme out", {}, {"README.md": "A small network on banknotes.\n"}),
        Change(
            "Keep a smoothed state",
            {"extra": work, "work": "    layers.append(Smoothing())\n", "numpy": "yes"},
            {},
        ),
        Change("Name the model", {"name": "network"}, {}),
        Change("Write down the return type", {"returns": " -> keras.Model"}, {}),
        Change(
            "Add a helper for reports",
            {
                "helpers": 'def describe(model):\n    """Names of layers."""\n'
                "    return [layer.name for layer in model.layers]\n\n\n"
            },
            {},
        ),
        Change(
            "Go one layer deeper",
            {"layers": '    layers.append(keras.layers.Dense(8, activation="relu"))\n'},
            {},
        ),
        Change("Document build", {"body_doc": '"""A compiled network."""\n    '}, {}),
        Change(
            "Start the output smaller", {"initializer": ', kernel_initializer="he_uniform"'}, {}
        ),
        Change("Note the licence", {}, {"LICENSE": "Public domain.\n"}),
        Change("Collect constants", {"constants": "DEPTH = 2\n"}, {}),
    ]


def write(folder: Path, repeats: int) -> None:
    """Make the repository, unless it is there."""
    if (folder / ".git").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    _git(folder, 0, "init", "-q", "-b", "main")
    parts = dict.fromkeys(
        (
            "doc",
            "constants",
            "extra",
            "helpers",
            "returns",
            "body_doc",
            "layers",
            "work",
            "initializer",
            "numpy",
        ),
        "",
    ) | {"name": "model", "width": "64"}
    loop = 'for _ in range(2):\n        layers.append(keras.layers.Dense(WIDTH, activation="relu"))'
    for number, change in enumerate(changes(repeats)):
        parts |= change.change
        text = PLAIN.format(**parts, loop=loop)
        if parts["numpy"]:
            text = text.replace("import keras\n", "import keras\nimport numpy as np\n", 1)
        for name, content in {**change.files, "tinytrain/model.py": text}.items():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(content)
        (folder / "tinytrain" / "__init__.py").touch()
        _git(folder, number, "add", "-A")
        _git(folder, number, "commit", "-qm", change.subject)


def _git(folder: Path, number: int, *arguments: str) -> None:
    moment = f"2026-01-{number + 1:02d}T12:00:00+0000"
    identity = ["-c", "user.name=calibration", "-c", "user.email=calibration@example.org"]
    subprocess.run(
        ["git", *identity, *arguments],
        cwd=folder,
        check=True,
        env={**os.environ, "GIT_AUTHOR_DATE": moment, "GIT_COMMITTER_DATE": moment},
    )
