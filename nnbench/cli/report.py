"""`nnbench report`, and what every command that measured a run ends with."""

from pathlib import Path
from typing import TYPE_CHECKING

from nnbench.cli.layers import tell as tell_layers
from nnbench.cli.options import AsJson, AsMarkdown, Wide
from nnbench.cli.race import tell_race
from nnbench.cli.session import indexed
from nnbench.errors import UserError
from nnbench.machine import whole_file
from nnbench.show.terminal import print_json, say, skipped

if TYPE_CHECKING:
    from nnbench.history.check import Check
    from nnbench.store.runs import Run


def report(
    run_folder: Path,
    *,
    history: tuple[Path, ...] = (),
    wide: Wide = False,
    markdown: AsMarkdown = None,
    as_json: AsJson = False,
) -> None:
    """Write the report of a run again, and print its table.

    Args:
        run_folder: Folder of a run, such as results/NAME.
        history: Also show its networks over commits, from results there (.asv, .benchmarks,
            results); again for more than one.
    """
    from nnbench.store import runs

    run = runs.read(run_folder)
    is_race = runs.CURVE in run.specification.get("kinds", ())
    if (is_race or "layers" in run.specification) and (history or markdown is not None):
        what = "a race" if is_race else "a network's layers"
        raise UserError(f"{run_folder} holds {what}: --history and --markdown are for other runs")
    if is_race:
        tell_race(run, None, as_json=as_json)
        return
    if "layers" in run.specification:
        tell_layers(run, as_json=as_json)
        return
    # A run over commits has a history of its own, once there is something in it.
    own = (run_folder,) if run.specification.get("commits") and len(run.good_rows()) else ()
    check = None
    if history or own:
        from nnbench.history import check as checking

        check = checking.of_run(run, history or own)
    tell(run, as_json=as_json, check=check, wide=wide, markdown=markdown)


def tell(
    run: "Run",
    *,
    as_json: bool,
    check: "Check | None" = None,
    wide: bool = False,
    markdown: Path | None = None,
) -> None:
    """Write the report of a run, with its networks' history if given; print its answer, or JSON.

    `wide` is `report.tables.print_run`'s; `markdown` a file for a summary in Markdown.
    """
    from nnbench.report import page, tables
    from nnbench.report.run_analysis import analyse

    found = analyse(run)
    written = indexed(page.write(found, check))
    if markdown is not None:
        whole_file.write(markdown, tables.as_markdown(found))
    skipped(run.damage)
    if as_json:
        print_json(tables.as_json(found, written))
    else:
        tables.print_run(found, wide=wide)
        say(str(written))
