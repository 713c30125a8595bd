"""Everything that the pages show of nnbench is made by this, from real runs.

    python docs/real.py                  # all of it, in their order
    python docs/real.py layers report    # some, each with what it needs of others

Runs the commands below in `docs/_runs` (git ignores it; delete it to measure anew), and writes what
they print to `docs/real/NAME.txt`, and pictures of pages, light and dark, to
`docs/real/NAME-light.png`. `lesson` runs `examples/lesson.md`, and keeps it with its outputs. A
command that was stopped goes on. Figures are this machine's.
"""

import base64
import contextlib
import io
import os
import pty
import re
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent
RUNS, REAL = HERE / "_runs", HERE / "real"
sys.path.insert(0, str(ROOT / "tests"))

COLUMNS = 96
"""What fits on a page without scrolling."""

WIDER = {"race": 124, "drift": 124}
"""Columns of what has many."""

SAMPLE = "results/sample"
COMMANDS = {
    "show": "nnbench show 6x5 100x2",
    "explain": f"nnbench explain 100x2 6x5 --run {SAMPLE}",
    "data": "nnbench data show my.csv --label fake",
    "devices": "nnbench devices",
    "run": "nnbench run 6,6 100,100 6x5 --backend jax --name first",
    "own": "nnbench run train.py:build 'train.py:build(width=32)' --data data.py:load"
    " --backend jax --launches 3 --name own",
    "scale": "nnbench scale depth=1,2,4,8,16 --backend jax --path compiled --launches 3"
    " --name depth",
    "paths": "nnbench run 6,6 --path fit,compiled --backend jax --launches 3 --name paths",
    "layers": "nnbench layers conv:32x4 --backend jax --budget 3min --name layers",
    "train": "nnbench train 6 --task instagram --seed 1 --epochs 8000 --save results/notes",
    "race": "nnbench race 6,6 100,100 --target-loss 0.05 --backend jax --name race",
    "drift": "nnbench drift --backend jax --seeds 2 --name drift",
    "tune": "nnbench tune train.py:build --data data.py:load --backend jax --budget 2min"
    " --name tune",
    "compare": "nnbench compare --against HEAD~1 --model train.py:build --data data.py:load"
    " --backend jax",
    "calibrate": "nnbench calibrate --backend jax --families dense --budget 5min",
    "predict": "nnbench predict 64x8 --epochs 500 --rows 5000 --backend jax",
    "advise": "nnbench advise --params 10000 --budget-per-epoch 1ms --backend jax",
    "doctor": "nnbench doctor",
}
"""What is printed to whom."""

SAMPLES_PAGE = f"nnbench report {SAMPLE}"
NEEDS = {
    "predict": (COMMANDS["calibrate"], "calibration"),
    "advise": (COMMANDS["calibrate"], "calibration"),
    "report": (SAMPLES_PAGE, "sample/report.html"),
}
"""What reads or pictures what another command made: that command, and what it leaves below
`results`."""

PAGES = {
    "report": ("sample/report.html", "body", ".trust"),
    "layers": ("layers/layers/layers.html", "figure", "figure"),
    "race": ("races/race/race.html", "figure", "figure"),
}
"""Pages that are pictured, below `results`: from the top of one element to the end of another."""

WIDTH = 1100
COLOURS = 48
"""Of a picture: a page has few, and every colour costs."""

MODEL = '''"""A model with two parameters, as `nnbench` takes it."""


def build(depth=2, width=8):
    import keras

    hidden = [keras.layers.Dense(width, activation="relu") for _ in range(depth)]
    model = keras.Sequential([keras.Input((3,)), *hidden, keras.layers.Dense(1)])
    model.compile("adam", "mse")
    return model
'''
DATA = '''"""Rows and labels, as `nnbench` takes them."""

import numpy as np


def load():
    x = np.random.default_rng(0).normal(size=(1000, 3))
    return x, x.sum(axis=1, keepdims=True)
'''


def lay_out() -> None:
    """The folder that the commands run in."""
    (RUNS / "results").mkdir(parents=True, exist_ok=True)
    if not (RUNS / SAMPLE).exists():
        # Pages of it are made anew.
        made = shutil.ignore_patterns("*.html", "*.png")
        shutil.copytree(ROOT / SAMPLE, RUNS / SAMPLE, ignore=made)
    rows = "".join(f"{i % 9},{i * i % 7},{i % 2}\n" for i in range(60))
    (RUNS / "my.csv").write_text("width,height,fake\n" + rows)
    (RUNS / "train.py").write_text(MODEL)
    (RUNS / "data.py").write_text(DATA)
    commit_both(RUNS / "project")


def print_of(command: str, folder: Path, columns: int) -> str:
    """What a command prints in a terminal, without what names this machine's folders.

    Raises SystemExit where it fails.
    """
    environment = {**os.environ, "COLUMNS": str(columns), "NNBENCH_CACHE": str(RUNS / "cache")}
    environment |= {"TERM": "dumb", "NO_COLOR": "1"}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    ours, theirs = pty.openpty()
    with (RUNS / "errors.txt").open("w") as errors:
        process = subprocess.Popen(
            command, shell=True, cwd=folder, env=environment, stdout=theirs, stderr=errors
        )
    os.close(theirs)
    told = b""
    with contextlib.suppress(OSError):  # Linux's answer once the other end is closed.
        while some := os.read(ours, 65536):
            told += some
    os.close(ours)
    if process.wait() not in (0, 1):
        raise SystemExit(f"{command}\n{(RUNS / 'errors.txt').read_text()}")
    return told.decode().replace("\r\n", "\n").replace(f"{RUNS}/", "")


def commit_both(folder: Path) -> None:
    """A repository whose last commit gives the model a third layer."""
    if (folder / ".git").exists():
        return
    folder.mkdir()
    git = ("git", "-c", "user.name=reader", "-c", "user.email=reader@example.org")
    subprocess.run([*git, "init", "-q"], cwd=folder, check=True)
    (folder / "data.py").write_text(DATA)
    for depth in (2, 3):
        (folder / "train.py").write_text(MODEL.replace("depth=2", f"depth={depth}"))
        subprocess.run([*git, "add", "-A"], cwd=folder, check=True)
        message = f"The model has {depth} layers"
        subprocess.run([*git, "commit", "-qm", message], cwd=folder, check=True)


def prepare(name: str) -> None:
    """Run what something needs, where that was not run yet."""
    command, made = NEEDS.get(name, ("", "."))
    if not (RUNS / "results" / made).exists():
        print(f"for {name}: {command}", flush=True)
        print_of(command, RUNS, COLUMNS)


def keep(name: str) -> None:
    """Run a command and keep what it printed."""
    command = COMMANDS[name]
    print(f"{name}: {command}", flush=True)
    folder = RUNS / "project" if name == "compare" else RUNS
    told = print_of(command, folder, WIDER.get(name, COLUMNS))
    shown = re.sub(r" --name \S+", "", command)
    lines = [line.rstrip() for line in f"$ {shown}\n{told}".rstrip().splitlines()]
    (REAL / f"{name}.txt").write_text("\n".join(lines) + "\n")


def picture(name: str) -> None:
    """Keep the top of a page, light and dark."""
    from browsers import open_browser
    from PIL import Image

    page, first, last = PAGES[name]
    print(f"picture of {page}", flush=True)
    size = {"width": WIDTH, "height": WIDTH, "deviceScaleFactor": 1, "mobile": False}
    where = """const [from, to] = [...arguments].map(
        (name) => document.querySelector(name).getBoundingClientRect());
    return {x: from.left - 12, y: Math.max(0, from.top - 8), width: from.width + 24,
            height: to.bottom - Math.max(0, from.top - 8) + 12, scale: 1};"""
    with open_browser() as browser:
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        browser.execute_cdp_cmd("Emulation.setScrollbarsHidden", {"hidden": True})
        for theme in ("light", "dark"):
            feature = {"name": "prefers-color-scheme", "value": theme}
            browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
            browser.get((RUNS / "results" / page).as_uri())
            wanted = {"clip": browser.execute_script(where, first, last)}
            wanted["clip"]["x"] = max(0, wanted["clip"]["x"])
            shot = browser.execute_cdp_cmd(
                "Page.captureScreenshot", wanted | {"captureBeyondViewport": True}
            )
            with Image.open(io.BytesIO(base64.b64decode(shot["data"]))) as image:
                few = image.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
                few.save(REAL / f"{name}-{theme}.png", optimize=True)


def lesson() -> None:
    """Run the text notebook, and keep it with its outputs as a notebook."""
    import jupytext
    import nbclient
    import nbformat

    print("lesson", flush=True)
    book = jupytext.read(ROOT / "examples" / "lesson.md")
    nbclient.NotebookClient(book, timeout=900, resources={"metadata": {"path": RUNS}}).execute()
    for cell in book.cells:
        cell.metadata.pop("execution", None)
        # What backends say when they are imported is no part of the lesson.
        heard = [one for one in cell.get("outputs", ()) if one.get("name") != "stderr"]
        if cell.cell_type == "code":
            cell.outputs = heard
    book.metadata.pop("language_info", None)
    told = nbformat.writes(book).replace(f"{RUNS}/", "").replace(f"{ROOT}/", "")
    (ROOT / "examples" / "lesson.ipynb").write_text(told)


def main() -> None:
    """Make what is named, or all of it."""
    lay_out()
    REAL.mkdir(exist_ok=True)
    known = list(dict.fromkeys([*COMMANDS, *PAGES, "lesson"]))
    if unknown := sorted(set(sys.argv[1:]).difference(known)):
        raise SystemExit(f"{', '.join(unknown)}: there is {', '.join(known)}")
    for name in sys.argv[1:] or known:
        prepare(name)
        if name in COMMANDS:
            keep(name)
        if name in PAGES:
            picture(name)
        if name == "lesson":
            lesson()


if __name__ == "__main__":
    main()
