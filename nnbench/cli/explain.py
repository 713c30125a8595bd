"""`nnbench explain`."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from nnbench.cli.layers import measured as layers_measured
from nnbench.cli.options import Asked, Models
from nnbench.cli.session import are_folders, indexed, measure, status
from nnbench.errors import UserError
from nnbench.show.terminal import answer, note, skipped
from nnbench.workload import networks as notation

if TYPE_CHECKING:
    from nnbench.explain.attribution import Attribution
    from nnbench.explain.by_layer import StepByLayer
    from nnbench.store.runs import Run
    from nnbench.workload.networks import Network

WITH_LAYERS = "which layers of a step the difference lies in: add --layers"


def explain(
    first: Annotated[str | None, Parameter(name="A", show_default=False)] = None,
    second: Annotated[str | None, Parameter(name="B", show_default=False)] = None,
    *,
    model: Models = (),
    layers: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    saved: Annotated[Path | None, Parameter(name="--run")] = None,
    asked: Asked = Asked(),
    unlike: bool = False,
) -> int:
    """Say why one network takes longer to train than another: which phases, which layers.

    Two networks, or two versions of your model, are timed against each other, or looked up in a
    saved run. Two folders are two runs that timed the same networks.

    Args:
        first: A network, such as 100x2, conv:32x4 or train.py:build(depth=4), or a run's folder.
        second: What it is compared with.
        layers: Take a step apart by layer, too. That takes minutes: the step of each network is
            timed cut after each of its layers.
        saved: A run that holds both; default: measure them.
        unlike: Compare runs of unlike hosts or versions.
    """
    named = [one for one in (first, second) if one is not None]
    found = explained(named, asked, model=model, saved=saved, unlike=unlike, layers=layers)
    from nnbench.explain import layer_words, tables

    told: list[Any] = []
    shown: list[Any] = []
    for one in found.contexts:
        told.append(tables.as_json(one.found, one.sentences, one.chart))
        shown += [one.sentences, tables.table(one.found), one.chart]
    for each in found.steps:
        sentences, limits = layer_words.sentences(each), layer_words.warnings(each)
        shown += [sentences, tables.layer_table(each), limits]
        of_context = next((one for one in told if one["context"] == each.first_case.context), None)
        if of_context is not None:
            of_context["layers"] = tables.layers_as_json(each, sentences, limits)
    skipped(found.left_out)
    answer(told, [*shown, found.page], as_json=asked.output.as_json)
    if found.measured and not layers:
        note(WITH_LAYERS, quiet=asked.output.quiet)
    return status(*found.measured)


@dataclass(frozen=True)
class InContext:
    """The attribution of one context (a backend, device and path), in words and as a chart."""

    found: "Attribution"
    sentences: list[str]
    chart: Path


@dataclass(frozen=True)
class Explained:
    """Why the second takes longer: by context, and layer by layer where that was asked.

    `measured` are the runs that were measured for it, `left_out` what it leaves out, and why.
    """

    contexts: list[InContext]
    steps: "list[StepByLayer]"
    page: Path
    measured: "list[Run]"
    left_out: list[str]


def explained(
    named: Sequence[str],
    asked: Asked,
    *,
    model: Sequence[str] = (),
    saved: Path | None,
    unlike: bool,
    layers: bool,
) -> Explained:
    """Measure two networks, or look them up in a saved run, or take two runs; write the page.

    Raises UserError for what cannot be compared.
    """
    are_runs = len(named) == 2 and not model and are_folders(*named)
    if are_runs and layers:
        raise UserError("layers are timed anew: name two networks with --layers instead of folders")
    if are_runs and saved:
        raise UserError("--run is to look up networks, and two folders are named: drop one")
    if saved and layers:
        raise UserError("layers are timed anew: drop --run, which looks networks up, or --layers")
    networks = [] if are_runs else _two([*named, *model])
    study = asked.study(() if are_runs else named, model)
    folders = list(map(Path, named)) if are_runs else [saved] if saved else []
    if not folders:
        study.check()
    from nnbench.explain import attribution, by_layer, charts, crossover, page, words
    from nnbench.store import runs

    measured = [] if folders else [measure(study, asked.output)]
    every = measured or [runs.read(folder) for folder in folders]
    run = every[-1]
    if are_runs:
        found = attribution.of_runs(every[0], run, unlike=unlike)
    else:
        found = attribution.of_networks(run, *networks)
    contexts, left_out = [], []
    for one in found:
        flip, unused = crossover.saved_rows_flip(asked.output.results, one)
        contexts.append(InContext(one, words.tell(one, flip), charts.write(one, run.folder)))
        left_out += unused
    of_layers = []
    if layers:
        below = replace(asked.output, results=asked.output.results / "layers")
        of_layers = [layers_measured(asked.study(named, model), below)]
    steps = [each for one in of_layers for each in by_layer.of_networks(one, *networks)]
    written = indexed(page.write(run, [(one.found, one.sentences) for one in contexts], steps))
    left_out = [*(text for one in (*every, *of_layers) for text in one.damage), *left_out]
    return Explained(
        contexts, steps, written, [*measured, *of_layers], list(dict.fromkeys(left_out))
    )


def _two(texts: list[str]) -> "list[Network]":
    networks = [notation.parse_one(text) for text in texts]
    if len(networks) != 2:
        raise UserError(
            f"explain compares two networks, and {len(networks) or 'none'} "
            f"{'is' if len(networks) < 2 else 'are'} named: A and B, or --model twice"
        )
    if networks[0] == networks[1]:
        raise UserError(f"{texts[0]} and {texts[1]} are the same network: name two")
    return networks
