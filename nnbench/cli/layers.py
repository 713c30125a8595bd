"""`nnbench layers`."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from nnbench.cli.options import Asked, Fresh, Name, Output
from nnbench.cli.session import indexed, measure, resumable, status
from nnbench.show.terminal import answer, note, skipped
from nnbench.show.units import about
from nnbench.workload import networks as notation
from nnbench.workload.study import Study

if TYPE_CHECKING:
    from nnbench.store.runs import Run


@dataclass(frozen=True)
class LayersOutput(Output):
    """Runs of pieces lie by themselves."""

    results: Path = Path("results/layers")


@dataclass(frozen=True)
class LayersAsked(Asked):
    """Steps alone are timed: the epochs of a training play no part."""

    output: LayersOutput = LayersOutput()


def layers(
    network: Annotated[str, Parameter(name="NETWORK")],
    *,
    asked: LayersAsked = LayersAsked(),
    name: Name = None,
    fresh: Fresh = False,
) -> int:
    """Say which layer of a network a training step spends its time on, and at what rate.

    Each layer's forward pass, backward pass and update are measured, by timing the step cut after
    every layer beside the whole. A command that was interrupted goes on where it stopped.

    Args:
        network: A network, such as 100x2, conv:32x4, train.py:build(depth=4) or model.keras.
    """
    notation.parse_one(network)
    study = asked.study((network,))
    study.check()
    run = measured(study, asked.output, name=name, fresh=fresh)
    tell(run, as_json=asked.output.as_json)
    return status(run)


def measured(
    study: Study, output: Output, *, name: str | None = None, fresh: bool = False
) -> "Run":
    """Time the steps of a study's networks, and all their pieces, or go on with that."""
    from nnbench.layers import plan
    from nnbench.measure import effort

    data = study.load()
    cases = study.cases(data)
    data = plan.few(data, max(case.batch_rows for case in cases))
    cases = [replace(case, cold_epochs=2) for case in study.cases(data)]
    folders = [] if fresh else effort.folders(output.results, name)
    quiet, labels = output.quiet, list(dict.fromkeys(case.name for case in cases))
    whose = "its" if len(labels) == 1 else "their"
    note(
        f"a first look at {notation.listed(labels, ' and ')}: what are {whose} layers?", quiet=quiet
    )
    with resumable():
        made = plan.make(study, data, cases, folders)
    pieces = f"{len(made.cases)} pieces of {whose} step{'' if len(labels) == 1 else 's'}"
    note(f"{pieces}, for about {about(made.total_s)}", quiet=quiet)
    note(*filter(None, [made.reason]), quiet=quiet)
    trials: dict[str, Any] = {"kinds": (), "sweeps": made.sweeps, "looked": made.looked}
    more: dict[str, Any] = {"cases": made.cases, "name": name, "fresh": fresh, **trials}
    return measure(made.study, output, data, **more)


def tell(finished: "Run", *, as_json: bool) -> None:
    """Write the page of a run's layers and print its findings and tables, or JSON."""
    from nnbench.layers import breakdown, page, tables, words

    found = breakdown.of(finished)
    skipped(finished.damage)
    written = indexed(page.write(finished, found))
    shown: list[Any] = []
    for one in found:
        shown += [words.sentences(one), tables.table(one), words.warnings(one)]
    record = {"run": finished.folder, "page": written, "found": list(map(tables.as_json, found))}
    answer(record, [*shown, written], as_json=as_json)
