"""The accuracy ledger: a page made of result files alone, so that no figure is typed by hand."""

import json
from typing import Any

from benchmarks.ledger import FOLDER, MAKERS

HEAD = """# Accuracy ledger

How far can nnbench's answers be trusted? Each section is a question, the figures that answer it,
and the command that makes them again. Every figure comes from a result file in `docs/ledger/`,
which the command wrote; none is typed. `make ledger` measures what takes minutes. Each section
says when and where it was measured. Another machine has other figures.

"""


def page() -> str:
    """The page, as Markdown."""
    files = {name: FOLDER / f"{name}.json" for name in MAKERS}
    entries = [json.loads(file.read_text()) for file in files.values() if file.exists()]
    lines = ["| question | answer |", "| --- | --- |"]
    for entry in entries:
        anchor = _anchor(entry["question"])
        lines.append(f"| [{entry['question']}](#{anchor}) | {entry['answer']} |")
    missing = [MAKERS[name] for name, file in files.items() if not file.exists()]
    if missing:
        lines += ["", "No result file is kept yet of:", "", *(f"- `{one}`" for one in missing)]
    return HEAD + "\n".join(lines) + "\n\n" + "\n".join(map(_section, entries))


def _anchor(text: str) -> str:
    kept = "".join(one for one in text.lower() if one.isalnum() or one in " -")
    return kept.replace(" ", "-")


def _section(entry: dict[str, Any]) -> str:
    machine = ", ".join(f"{name} {version}" for name, version in entry["versions"].items())
    parts = [f"## {entry['question']}", "", f"{entry['answer']}", ""]
    parts += [f"{line}\n" for line in entry["notes"]]
    for table in entry["tables"]:
        parts += (
            [f"**{table['title']}**", "", _row(table["columns"])]
            if table["title"]
            else [_row(table["columns"])]
        )
        parts.append(_row(["---"] + ["---:"] * (len(table["columns"]) - 1)))
        parts += [_row(row) for row in table["rows"]]
        parts.append("")
    parts += [
        "<!-- not run: takes minutes -->",
        "```sh",
        entry["command"],
        "```",
        "",
        f"{entry['date']}; {entry['machine']}; {machine}.",
        "",
    ]
    return "\n".join(parts)


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") or " " for cell in cells) + " |"
