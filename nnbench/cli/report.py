"""`nnbench report`, and what every command that measured a run ends with."""

from pathlib import Path
from typing import TYPE_CHECKING

from nnbench.cli.options import AsJson
from nnbench.show.terminal import print_json, say
from nnbench.store import runs

if TYPE_CHECKING:
    from nnbench.history.check import Check
    from nnbench.store.runs import Run


def report(run_folder: Path, *, history: tuple[Path, ...] = (), as_json: AsJson = False) -> None:
    """Write the report of a run again, and print its table.

    Args:
        run_folder: Folder of a run, such as results/NAME.
        history: Also show its networks over commits, from results there (.asv, .benchmarks,
            results); again for more than one.
    """
    run = runs.read(run_folder)
    if "curve" in run.specification.get("kinds", ()):
        from nnbench.cli.race import tell_race

        tell_race(run, None, as_json=as_json)
        return
    # A run over commits has a history of its own, once there is something in it.
    own = (run_folder,) if run.specification.get("commits") and run.good_trials() else ()
    checked = None
    if history or own:
        from nnbench.history import check

        checked = check.of_run(run, list(history or own))
    tell(run, as_json=as_json, check=checked)


def tell(finished: "Run", *, as_json: bool, check: "Check | None" = None) -> None:
    """Write the report of a run, with its networks' history if given; print its table, or JSON."""
    from nnbench.report import page, tables
    from nnbench.report.run_analysis import analyse

    found = analyse(finished)
    written = page.write(found, check)
    if as_json:
        print_json(tables.as_json(found, written))
        return
    tables.print_run(found)
    say(str(written))
