"""Running what a command measures, with its progress, and telling what came of it."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnbench.cli.options import say
from nnbench.errors import UserError

if TYPE_CHECKING:
    from nnbench.history.check import Check
    from nnbench.measure.run import Side
    from nnbench.store.runs import Run
    from nnbench.workload.datasets import Dataset


def execute(
    folder: Path, data: "Dataset", sides: "dict[str, Side] | None", *, quiet: bool
) -> "Run":
    """Measure what is missing in a run's folder, under a progress bar; return the whole."""
    from nnbench.measure import run as measuring
    from nnbench.show.progress import Bar

    with Bar(0, "trials", quiet=quiet) as bar:

        def show(state: measuring.Progress) -> None:
            widest = "" if state.widest is None else f"widest interval ±{state.widest:.1%}, "
            bar.show(state.done, widest + state.now, state.total)

        return measuring.execute(folder, data, show, sides)


def run_folder(
    results: Path, name: str | None, wanted: dict[str, Any], *, resume: bool, fresh: bool
) -> Path:
    """The folder to measure in: a new one, or that of the unfinished run of the same command.

    Raises UserError where the name is taken by another run, or `resume` finds nothing.
    """
    from nnbench.machine import fingerprint
    from nnbench.measure import run as measuring
    from nnbench.store import runs as storage

    here = fingerprint.take()
    if name and (results / name).exists() and not fresh:
        saved = storage.read(results / name)
        unlike = fingerprint.differences(saved.fingerprint, here)
        if saved.specification != wanted:
            raise UserError(f"{results / name} holds another run: choose another --name")
        if unlike:
            raise UserError(
                f"{results / name} was measured elsewhere ({'; '.join(unlike)}): "
                "choose another --name"
            )
        return results / name
    found = None if fresh or name else measuring.unfinished(results, wanted, here)
    if found:
        sys.stderr.write(f"going on with the unfinished run {found} (--fresh begins anew)\n")
        return found
    if resume:
        raise UserError(f"{results} holds no unfinished run of this command on this host")
    return storage.create(results, name, wanted, here)


def tell_run(finished: "Run", *, as_json: bool, check: "Check | None" = None) -> None:
    """Write the report of a run, with its networks' history if given; print its table, or JSON."""
    from nnbench.report import page
    from nnbench.report.tables import print_run, run_as_json

    written = page.write(finished, check)
    if as_json:
        say(json.dumps(run_as_json(finished, written), indent=1))
        return
    print_run(finished)
    say(str(written))
