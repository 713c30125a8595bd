"""nnbench in Python and notebooks: what each command asks and finds, as functions and records.

Options have the names and meanings of the command line's (`as_` for `--as`, which Python keeps for
itself); they come from the same records. Numbers may stand for texts: `precision=0.05` is "5%" and
`budget=90` is "90s". Mistakes are `nnbench.errors.UserError`. What was measured is on the disk: an
interrupted call goes on where it stopped when it is made again.
"""

import ast
import functools
import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, get_args, get_origin

from nnbench.api.given import Given, given
from nnbench.cli import compare as comparing
from nnbench.cli import explain as explaining
from nnbench.cli import layers as layering
from nnbench.cli import predict as predicting
from nnbench.cli import session
from nnbench.cli import train as training
from nnbench.cli import tune as tuning
from nnbench.cli.calibrate import ShapedData
from nnbench.cli.options import Asked, Machine, Output, check_calibrated, tell_backend
from nnbench.cli.options import Training as TrainingOptions
from nnbench.errors import UserError
from nnbench.show.terminal import note
from nnbench.training.compiled.fast_fit import fast_fit
from nnbench.workload import user_code
from nnbench.workload.networks import parse_one
from nnbench.workload.study import NOTEBOOK, Networks, Study, with_options

if TYPE_CHECKING:
    from nnbench.api.answers import Answer, RunResult, Training
    from nnbench.store.runs import Run

__all__ = ["compare", "explain", "fast_fit", "layers", "load", "predict", "run", "train", "tune"]

Function = TypeVar("Function", bound=Callable[..., Any])
Parts = dict[str, Any]

NOT_IN_PYTHON = ("as_json",)


def _told_plainly(function: Function) -> Function:
    """Raise a UserError as it is, without what it came from nor where in nnbench it arose."""

    @functools.wraps(function)
    def told(*given: Any, **options: Any) -> Any:
        try:
            return function(*given, **options)
        except UserError as error:
            mistake = error
        # Where in a person's own code something was raised: a plain script shows notes.
        if not hasattr(mistake, "__notes__"):
            for line in mistake.details or user_code.told(mistake)[1:]:
                mistake.add_note(line)
        raise mistake.with_traceback(None) from None

    return told  # type: ignore[return-value]


def _check_kind(what: str, given: Any, *kinds: type) -> None:
    """Raise UserError for what is of none of these types."""
    if not isinstance(given, kinds) or isinstance(given, bool):
        wanted = " or ".join(kind.__name__ for kind in kinds if kind is not type(None))
        raise UserError(f"{what} = {given!r} is not of the right kind: {wanted} is wanted")


def _parts(asked: Any) -> Parts:
    return {one.name: getattr(asked, one.name) for one in fields(asked)}


PREDICTED: Parts = {
    "data": ShapedData(),
    "training": TrainingOptions(),
    "machine": Machine(),
    "output": Output(),
}
TRAINED: Parts = {
    "data": training.TrainData(),
    "training": training.TrainTraining(),
    "machine": training.TrainMachine(),
}


def _taking(parts: Parts) -> Callable[[Function], Function]:
    """Let `**options` be the fields of these records, in the signature and in the help.

    What is made raises a mistake as one plain exception.
    """

    def made(function: Function) -> Function:
        known = inspect.signature(function).parameters
        own = [one for one in known.values() if one.kind is not one.VAR_KEYWORD]
        lines, more = [], []
        for record in parts.values():
            told = _told(record.__class__)
            for one in fields(record):
                if one.name in known or one.name in NOT_IN_PYTHON:
                    continue
                default = getattr(record, one.name)
                kind = inspect.Parameter.KEYWORD_ONLY
                said = get_args(one.type)[0] if get_origin(one.type) is Annotated else one.type
                more.append(inspect.Parameter(one.name, kind, default=default, annotation=said))
                lines.append(f"    {one.name}: {told.get(one.name, '')}".rstrip())
        function.__signature__ = inspect.Signature([*own, *more])  # type: ignore[attr-defined]
        options = "\n".join(["Options, of the command line:", *lines])
        function.__doc__ = f"{inspect.cleandoc(function.__doc__ or '')}\n\n{options}\n"
        return _told_plainly(function)

    return made


def _told(record: type) -> dict[str, str]:
    """What is said of the fields of a record and of what it is derived from."""
    found: dict[str, str] = {}
    for base in reversed(record.__mro__[:-1]):
        try:
            (tree,) = ast.parse(inspect.cleandoc("\n" + inspect.getsource(base))).body
        except (OSError, SyntaxError, ValueError):
            continue
        assert isinstance(tree, ast.ClassDef)
        for one, after in zip(tree.body, tree.body[1:], strict=False):
            text = after.value if isinstance(after, ast.Expr) else None
            if isinstance(one, ast.AnnAssign) and isinstance(text, ast.Constant):
                found[ast.unparse(one.target)] = " ".join(str(text.value).split())
    return found


def _asked(kind: type[Any], options: Mapping[str, Any], data: str | None = None) -> Any:
    return kind(**_with(_parts(kind()), options, data))


def _with(parts: Parts, options: Mapping[str, Any], data: str | None) -> Parts:
    for name in NOT_IN_PYTHON:
        if name in options:
            raise UserError(f"{name} is the command line's: to_dict and to_pandas have the figures")
    made = with_options(parts, {**options, **({} if data is None else {"data": data})})
    _tell_process(made["machine"])
    return made


def _tell_process(machine: Any) -> None:
    """Say where Keras runs on another backend here than in the workers."""
    keras = sys.modules.get("keras")
    here = keras.backend.backend() if keras is not None else None
    others = [one for one in machine.backends if one != here]
    if here is not None and others:
        note(f"Keras runs on {here} in this process; worker processes train on {', '.join(others)}")


@_taking(_parts(Asked()))
def run(
    networks: Any = NOTEBOOK,
    *,
    data: Any = None,
    name: str | None = None,
    fresh: bool = False,
    **options: Any,
) -> "RunResult":
    """Time networks against each other, as `nnbench run` does, or go on with an unfinished run.

    `networks` are texts (`"6,6"`, `"6x5"`, `"train.py:build"`, a grid), lists of widths, functions
    that return a Keras model, or models, in a list, or in a dictionary by the names that they are
    to have. A function or class that a notebook defines goes to worker processes of its session; of
    a model they get how it is made and compiled, and make new weights.

    `data` is a name as on the command line, arrays as (x, y) or (x, y, sample_weight), of which
    each may be a dictionary or list of arrays, or a function that returns such a pair. `name` is
    that of the run's folder; `fresh` begins anew. Raises UserError for what cannot be measured.
    """
    _check_kind("name", name, str, type(None))
    with given(networks, data) as found:
        asked = _asked(Asked, options, found.data)
        study = asked.study(found.texts).or_networks()
        measured = session.measure(study, asked.output, name=name, fresh=fresh)
    return _run(measured)


def _run(measured: "Run") -> "RunResult":
    from nnbench.api.answers import RunResult

    return RunResult.of(measured)


@_told_plainly
def load(folder: Path | str) -> "RunResult | Answer":
    """What a folder of results holds: a run, a run of layers, or a tuning. UserError for none."""
    from nnbench.store import runs
    from nnbench.tune import saved

    _check_kind("folder", folder, str, Path)
    folder = Path(folder)
    if (folder / saved.FORMAT.file).is_file() and not (folder / runs.RUN_FILE).is_file():
        return _tuned(saved.read(folder))
    held = runs.read(folder)
    if runs.CURVE in held.specification.get("kinds", ()):
        raise UserError(f"{folder} holds a race: nnbench report {folder} shows it")
    return _layers(held) if "layers" in held.specification else _run(held)


@_taking(_parts(comparing.CompareAsked()))
def compare(
    before: Any,
    after: Any = ".",
    networks: Any = NOTEBOOK,
    *,
    data: Any = None,
    phase: str | None = None,
    margin: str | float = "2%",
    no_numbers: bool = False,
    unlike: bool = False,
    **options: Any,
) -> "Answer":
    """Say of two sides whether they differ, are equivalent, or need more data.

    Sides are runs (as `run` returns them, or their folders), which are compared as they are; or
    commits, Pythons with nnbench, or `.` (the present), which train `networks` now. Differences
    within `margin` count as none, and `phase` is what is judged, such as "step"; with `no_numbers`
    nobody looks whether a seeded training computes the same on both sides that are measured now;
    `unlike` compares runs of unlike hosts or versions.
    """
    from nnbench.api.answers import Answer, Picture, figures_of

    _check_kind("phase", phase, str, type(None))
    _check_kind("margin", margin, str, float)
    names = [str(getattr(one, "folder", one)) for one in (before, after)]
    if names[0] == names[1]:
        raise UserError(f"both sides are {names[0]}: there is nothing to compare")
    with given(networks, data) as taken:
        asked = _asked(comparing.CompareAsked, options, taken.data)
        study = asked.study(taken.texts).or_networks()
        check = comparing.Check(phase=phase, margin=str(margin), no_numbers=no_numbers)
        check.check()
        found, measured = comparing.compared(names, study, asked.output, check=check, unlike=unlike)
    from nnbench.report import comparison_page, comparison_words
    from nnbench.stats import verdict

    beside = not measured
    folder = Path(names[1]) if beside else measured[-1].folder
    told = [verdict.sentence(one, found.first, found.second) for one in found.comparisons]
    finding = comparison_words.finding(found)
    return Answer(
        "compare",
        finding,
        tuple(told[:3]),
        found,
        figures_of(list(found.comparisons)),
        (comparison_page.table(found),),
        (Picture("Every comparison", comparison_page.chart(found)),),
        notes=(*(f"Unlike: {one}" for one in found.unlike), *found.damage),
        page=session.indexed(comparison_page.write(found, folder, beside=beside)),
    )


@_taking(_parts(Asked()))
def explain(
    first: Any,
    second: Any,
    *,
    run: Any = None,
    data: Any = None,
    layers: bool = False,
    unlike: bool = False,
    **options: Any,
) -> "Answer":
    """Say why `second` takes longer to train than `first`: which phases, and how much each.

    Both are networks as `run` takes them, timed now, or by their names in `run` (as `run` returned
    it, or its folder) if given. Or both are runs that timed the same networks. `layers` takes a
    step of networks that are timed now apart, too, which takes minutes.
    """
    from nnbench.api.answers import Answer, Picture, chart_of, figures_of

    held = None if run is None else load(getattr(run, "folder", run))
    sides = [getattr(one, "folder", one) for one in (first, second)]
    if held is not None:
        cases = held.analysis.run.cases.values() if hasattr(held, "analysis") else ()
        labels = {held.analysis.run.network(case): case.label for case in cases}  # type: ignore[union-attr]
        sides = [labels.get(one, one) if isinstance(one, str) else one for one in sides]
    are_runs = all(isinstance(one, Path) or session.are_folders(str(one)) for one in sides)
    with given([] if are_runs else sides, data, may_be_none=are_runs) as taken:
        asked = _asked(Asked, options, taken.data)
        texts = list(map(str, sides)) if are_runs else taken.texts
        if len(texts) != 2:
            raise UserError(f"{len(texts)} networks are given: name two")
        folder = None if held is None else Path(getattr(run, "folder", run))
        found = explaining.explained(texts, asked, saved=folder, unlike=unlike, layers=layers)
    from nnbench.explain import charts, layer_words, tables

    every, steps = found.contexts, found.steps
    sentences = [text for one in every for text in one.sentences]
    sentences += [text for one in steps for text in layer_words.sentences(one)]
    limits = [text for one in steps for text in layer_words.warnings(one)]
    return Answer(
        "explain",
        next(iter(sentences), "nothing to explain"),
        tuple(sentences),
        [*(one.found for one in every), *steps],
        figures_of(
            [
                {"context": one.found.first_case.context, **part}
                for one in every
                for part in tables.as_json(one.found, one.sentences, one.chart)["parts"]
            ]
        ),
        (*(tables.table(one.found) for one in every), *map(tables.layer_table, steps)),
        tuple(
            Picture("", chart_of(charts.waterfall(one.found), one.sentences[0])) for one in every
        ),
        notes=(*limits, *found.left_out),
        page=found.page,
    )


@_taking(_parts(layering.LayersAsked()))
def layers(
    model: Any, *, data: Any = None, name: str | None = None, fresh: bool = False, **options: Any
) -> "Answer":
    """Say which layer of a network a training step spends its time on, and at what rate.

    `model` and `data` are as `run` takes them.
    """
    _check_kind("name", name, str, type(None))
    with given(_one(model), data) as found:
        asked = _asked(layering.LayersAsked, options, found.data)
        study = asked.study((_text(found),))
        study.check()
        measured = layering.measured(study, asked.output, name=name, fresh=fresh)
    return _layers(measured)


def _layers(finished: "Run") -> "Answer":
    from nnbench.api.answers import Answer, Picture, chart_of, figures_of
    from nnbench.layers import breakdown, charts, page, tables, words

    found = breakdown.of(finished)
    sentences = [text for one in found for text in words.sentences(one)]
    rows = [
        {"network": one.name, "context": one.case.context, **row}
        for one in found
        for row in tables.as_json(one)["layers"]
    ]
    pictures = [
        (f"Along the depth, {one.case.context}", charts.along_the_depth(one)) for one in found
    ]
    return Answer(
        "layers",
        next(iter(sentences), "nothing was measured to the end"),
        tuple(sentences),
        found,
        figures_of(rows),
        tuple(map(tables.table, found)),
        tuple(Picture(title, chart_of(figure, title)) for title, figure in pictures),
        notes=tuple(text for one in found for text in words.warnings(one)),
        page=session.indexed(page.write(finished, found)),
    )


@_taking(PREDICTED)
def predict(
    networks: Any, *, data: Any = None, rows: int | None = None, **options: Any
) -> "Answer":
    """How long networks would train, by the cost model that `nnbench calibrate` made here.

    Networks and `data` are as `run` takes them; `rows` are the rows to train on, all by default.
    They are built and their work is counted; nothing is trained.
    """
    _check_kind("rows", rows, int, type(None))
    with given(networks, data) as found:
        parts = _with(PREDICTED, options, found.data)
        machine, results = parts["machine"], parts["output"].results
        wanted = Networks.named(found.texts)
        check_calibrated(results, machine)
        study = Study(wanted, parts["data"], parts["training"], machine)
        cases, load = predicting.cases_of(study, rows)
        from nnbench.costs import answers, tables, words

        every = answers.predictions(results, cases, parts["training"].epoch_count, load)
    from nnbench.api.answers import Answer, figures_of

    tell_backend(machine, quiet=parts["output"].quiet)
    sentences = [text for one in every for text in words.predicted(one)]
    notes = dict.fromkeys(text for one in every for text in one.skipped)
    return Answer(
        "predict",
        sentences[0],
        tuple(sentences),
        every,
        figures_of([tables.predicted_as_json(one) for one in every]),
        tuple(map(tables.prediction, every)),
        notes=tuple(notes),
    )


@_taking(_parts(tuning.Tuned()))
def tune(
    model: Any,
    x: Any = None,
    y: Any = None,
    *,
    data: Any = None,
    keep: str | Sequence[str] | None = None,
    name: str | None = None,
    fresh: bool = False,
    **options: Any,
) -> "Answer":
    """What to change to train a network faster, without changing the network.

    `model` is as `run` takes it, on arrays `x` and `y`, or on `data`. `keep` names what stays as it
    is, with commas or as a list: path, backend, steps, jit, batch, threads, source, precision.
    """
    _check_kind("keep", keep, str, list, tuple, type(None))
    kept = keep if isinstance(keep, str | None) else ",".join(map(str, keep))
    if x is not None and data is not None:
        raise UserError("x and data are both given: give one of them")
    _check_kind("name", name, str, type(None))
    with given(_one(model), data if x is None else (x, y)) as found:
        asked = _asked(tuning.Tuned, options, found.data)
        finished = tuning.tuned(_text(found), asked, keep=kept, name=name, fresh=fresh)
    return _tuned(finished)


def _tuned(finished: Any) -> "Answer":
    from nnbench.api.answers import Answer, Picture, chart_of, figures_of
    from nnbench.tune import charts, page, tables, words
    from nnbench.tune.finding import Finding

    found = Finding.of(finished)
    told = words.sentences(found)
    return Answer(
        "tune",
        told[0],
        tuple(told),
        found,
        figures_of(tables.as_json(found, Path())["settings"]),
        (tables.table(found),),
        (Picture("Every setting that was timed", chart_of(charts.ratios(found), told[0])),),
        tuple((f"{one.setting.name}, what to write:", one.code) for one in found.answers),
        tuple(words.warnings(found)),
        session.indexed(page.write(found)),
    )


@_taking(TRAINED)
def train(
    network: Any = None,
    *,
    data: Any = None,
    seed: int | None = None,
    save: Path | str | None = None,
    go_on_from: Path | str | None = None,
    quiet: bool = False,
    **options: Any,
) -> "Training":
    """Train one network in this process, watch its loss, and be told whether it has converged.

    `network` and `data` are as `run` takes them; a model that was built is trained from new weights
    (`fast_fit` goes on with those it has). Without a network it is 6,6, or 6 for a regression. What
    is returned holds the trained model. Raises UserError where Keras runs on another backend here.
    """
    _check_kind("seed", seed, int, type(None))
    for what, folder in (("save", save), ("go_on_from", go_on_from)):
        _check_kind(what, folder, str, Path, type(None))
    some = [] if network is None else _one(network)
    with given(some, data, may_be_none=network is None) as found:
        parts = _with(TRAINED, options, found.data)
        done = training.trained(
            None if network is None else _text(found),
            *parts.values(),
            seed=seed,
            save=None if save is None else Path(save),
            go_on_from=None if go_on_from is None else Path(go_on_from),
            quiet=quiet,
            told=False,
            alone=False,
        )
    from nnbench.api.answers import Training

    called = found.names.get(done.case.label, done.case.label)
    return Training(done, f"{called}: {done.verdict.text}", (f"Saved in {done.folder}.",))


def _one(network: Any) -> Any:
    """A network that is asked about alone."""
    if isinstance(network, Mapping) and len(network) != 1:
        raise UserError(f"{len(network)} networks are given: name one")
    return network


def _text(found: Given) -> str:
    if len(found.texts) != 1:
        raise UserError(f"{len(found.texts)} networks are given: name one")
    parse_one(found.texts[0])
    return found.texts[0]
