"""Measuring what a study asks for, with its progress; a run goes on where it stopped."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnbench.errors import UserError
from nnbench.show.terminal import note
from nnbench.workload.study import Machine

if TYPE_CHECKING:
    from nnbench.measure.protocol import Environment
    from nnbench.store.runs import Run
    from nnbench.workload.datasets import Dataset


def tell_backend(machine: Machine, *, quiet: bool = False) -> None:
    """Say which backend is used and why, where none was asked for."""
    chosen = machine.chosen
    if chosen is not None:
        note(f"backend {chosen.name} ({chosen.reason}); --backend takes another", quiet=quiet)


def execute(
    folder: Path, data: "Dataset", sides: "Mapping[str, Environment] | None" = None, *, quiet: bool
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
    results: Path,
    name: str | None,
    wanted: dict[str, Any],
    *,
    resume: bool = False,
    fresh: bool = False,
) -> Path:
    """The folder to measure in: a new one, or that of the unfinished run of the same command.

    Raises UserError where the name is taken by another run, or `resume` finds nothing.
    """
    from nnbench.machine import fingerprint
    from nnbench.measure import run as measuring
    from nnbench.store import runs

    here = fingerprint.take()
    if name and (results / name).exists() and not fresh:
        saved = runs.read(results / name)
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
        note(f"going on with the unfinished run {found} (--fresh begins anew)")
        return found
    if resume:
        raise UserError(f"{results} holds no unfinished run of this command on this host")
    return runs.create(results, name, wanted, here)
