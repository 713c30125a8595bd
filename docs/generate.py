"""Pages that are made and never written: the command line, the ledger, the lesson."""

import re
from pathlib import Path
from unittest import mock

import ledger

from nnbench import cli
from nnbench.phases import DEFINITIONS

ROOT = Path(__file__).parents[1]


def write(folder: Path) -> None:
    """Write all of them below a folder."""
    folder.mkdir(exist_ok=True)
    (folder / "ledger.md").write_text(ledger.page())
    (folder / "phases.md").write_text(phases())
    (folder / "cli.md").write_text(command_line())
    lesson = (ROOT / "examples" / "lesson.ipynb").read_text()
    (folder / "lesson.ipynb").write_text(lesson.replace("../docs/", "../"))


def phases() -> str:
    """The phases' bounds, as the package defines them."""
    lines = [f"| `{one.name}` | {one.start} | {one.end} | {one.what} |" for one in DEFINITIONS]
    return "\n".join(["| phase | from | to | what |", "| --- | --- | --- | --- |", *lines, ""])


def command_line() -> str:
    """Every command with its options."""
    # Any command may be the one that is called, so that all tell their whole help.
    told = cli.build(mock.ANY).generate_docs(output_format="markdown")
    text = told[told.index("\n## nnbench run\n") :].partition("\n## nnbench --install")[0]
    text = re.sub(r"^[#]+ Table of Contents\n\n(?:[ ]*- .*\n)+\n", "", text, flags=re.M)
    # Links to commands that are not shown so deep lead nowhere.
    return re.sub(r"\[(`[^`]*`)\]\(#[^)]*\)", r"\1", text)
