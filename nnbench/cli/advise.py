"""`nnbench advise`."""

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nnbench.cli.options import (
    Activation,
    AsJson,
    Batch,
    Dtype,
    Jit,
    Optimizer,
    Quiet,
    Threads,
    say,
    waiting,
)
from nnbench.cli.predict import batch_rows
from nnbench.errors import UserError

if TYPE_CHECKING:
    from nnbench.costs.context import Scene
    from nnbench.costs.verification import Checked
    from nnbench.workload.architecture import Architecture

MOST_VERIFIED = 5


def advise(
    architecture: Annotated[
        str | None, typer.Argument(help="64x3: what would be as fast, as large, as costly.")
    ] = None,
    params: Annotated[
        int | None, typer.Option(help="About so many parameters, or at most.")
    ] = None,
    budget_per_epoch: Annotated[
        str | None, typer.Option(help="The time an epoch may take, such as 1ms.")
    ] = None,
    backend: Annotated[str, typer.Option(help="tensorflow, jax or torch.")] = "tensorflow",
    device: Annotated[str, typer.Option(help="cpu, gpu or gpu:1.")] = "cpu",
    threads: Threads = None,
    path: Annotated[str, typer.Option("--path", help="fit or compiled.")] = "fit",
    rows: Annotated[int, typer.Option(help="Rows of the data.")] = 1372,
    features: Annotated[int, typer.Option(help="Columns of the data.")] = 4,
    batch: Batch = "full",
    epochs: Annotated[int, typer.Option(help="Epochs of a whole training.")] = 100,
    optimizer: Optimizer = "adam",
    activation: Activation = "relu",
    dtype: Dtype = "float32",
    jit: Jit = "auto",
    verify: Annotated[
        bool, typer.Option("--verify", help="Time the advised networks: predicted and measured.")
    ] = False,
    launches: Annotated[int, typer.Option(help="Fresh processes that --verify times in.")] = 3,
    page: Annotated[
        bool, typer.Option("--page", help="Write the cost model's page with its charts.")
    ] = False,
    results: Annotated[Path, typer.Option(help="Folder with the calibration.")] = Path("results"),
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Which network to take, from the cost model of this machine, without training any.

    For a network: the widest as fast as it, depth against width at equal parameters, FLOPs and
    time, where width stops being free, what a GPU would need. For --params and
    --budget-per-epoch: the networks that meet them, or what to change.
    """
    from nnbench.costs import calibration
    from nnbench.costs import page as pages
    from nnbench.costs.context import Scene
    from nnbench.machine import devices
    from nnbench.workload import architecture as arch
    from nnbench.workload import quantities
    from nnbench.workload.case import Training

    if architecture is None and params is None and budget_per_epoch is None and not page:
        raise UserError(
            "nothing is asked: name a network such as 64x3, or --params, or --budget-per-epoch"
        )
    if params is not None and params < 1:
        raise UserError(f"{params} parameters make no network: ask for more")
    if rows < 2 or features < 1 or epochs < 1:
        raise UserError("a training needs 2 rows, 1 column and 1 epoch at least")
    devices.check_name(device)
    size = batch_rows(batch)
    training = Training(optimizer=optimizer, activation=activation, precision=dtype, jit=jit)
    place = calibration.Place(backend, device, threads, path, training, features)
    asked = arch.parse(architecture) if architecture else None
    budget_s = quantities.parse_seconds(budget_per_epoch) if budget_per_epoch else None
    with waiting("fitting the cost model"):
        scene = Scene(calibration.load(results, place), place, rows, size, epochs)
    answers = _Answers(scene, as_json=as_json)
    named: list[Architecture] = []
    if asked is not None:
        named += _about(answers, asked, results)
    if params is not None or budget_s is not None:
        named += _meeting(answers, params, budget_s, results)
    if verify and named:
        _verified(answers, results, named[:MOST_VERIFIED], launches, quiet=quiet)
    if page:
        folder = results / calibration.FOLDER / place.folder
        answers.plain["page"] = str(pages.write(folder, scene))
    answers.end()


class _Answers:
    """Says answers as they come, or keeps them for the JSON."""

    def __init__(self, scene: "Scene", *, as_json: bool) -> None:
        from nnbench.costs import words

        self.scene = scene
        self._as_json = as_json
        self.plain: dict[str, Any] = {
            "place": words.place(scene),
            "rests_on": words.basis(scene),
            "epochs": scene.epochs,
        }
        self.say(words.place(scene))
        self.say(words.basis(scene))

    def say(self, *sentences: str) -> None:
        """A sentence each on its line, unless JSON is wanted."""
        if not self._as_json:
            for sentence in filter(None, sentences):
                say(sentence)

    def show(self, table: Any) -> None:
        """A table, unless JSON is wanted."""
        from nnbench.show import terminal

        if not self._as_json and table.rows:
            terminal.print_table(table)

    def end(self) -> None:
        """The JSON, or the page's path."""
        if self._as_json:
            say(json.dumps(self.plain, indent=1))
        elif "page" in self.plain:
            say(self.plain["page"])


def _about(answers: _Answers, asked: "Architecture", results: Path) -> list["Architecture"]:
    """Answer everything about a network; returns what is worth timing, itself first."""
    from nnbench.costs import questions, words

    scene = answers.scene
    prediction = scene.predict(asked)
    fast = questions.as_fast(scene, asked)
    size = questions.as_many_parameters(scene, asked)
    work = questions.as_many_flops(scene, asked)
    free = questions.free_width(scene)
    needed = questions.gpu(scene, asked)
    answers.say(words.asked(scene, prediction), words.outside(prediction))
    answers.show(words.alternatives(f"As fast as {asked.label}, by depth", fast, scene))
    answers.show(words.alternatives(f"As many parameters as {asked.label}", size, scene))
    answers.show(words.alternatives(f"As many FLOPs a step as {asked.label}", work, scene))
    answers.show(words.free_widths(free))
    answers.show(words.gpu_needs(needed))
    answers.say(words.gpu_sentence(needed))
    answers.plain |= {
        "asked": {"architecture": asked.label, **words.prediction_as_json(prediction)},
        "as_fast": words.alternatives_as_json(fast),
        "as_many_parameters": words.alternatives_as_json(size),
        "as_many_flops": words.alternatives_as_json(work),
        "free_width": words.free_widths_as_json(free),
        "gpu": words.gpu_as_json(needed),
    }
    if scene.place.device == "cpu":
        _ask_gpu(answers, asked, results)
    others = [one.architecture for one in fast]
    return [asked, *(one for one in others if one != asked)]


def _ask_gpu(answers: _Answers, asked: "Architecture", results: Path) -> None:
    """Say what a calibrated GPU takes, if there is one."""
    from nnbench.costs import questions, words

    here = answers.scene
    there = _scene_at(results, replace(here.place, device="gpu"), here)
    if there is not None:
        found = questions.between(here, there, asked)
        answers.say(words.gpu_measured(here, there, asked.label, found))
        answers.plain["gpu"]["calibrated_epoch_ratio"] = vars(found)


def _meeting(
    answers: _Answers, params: int | None, budget_s: float | None, results: Path
) -> list["Architecture"]:
    """Answer which networks meet; returns those worth timing."""
    from nnbench.costs import advice, words
    from nnbench.show import units
    from nnbench.workload.case import PATHS

    scene = answers.scene
    found = advice.advise(scene, params, budget_s)
    if budget_s is not None and not found.meeting:
        others = {
            path: _scene_at(results, replace(scene.place, path=path), scene)
            for path in PATHS
            if path != scene.place.path
        }
        there = {f"--path {name}": one for name, one in others.items() if one is not None}
        found = advice.advise(scene, params, budget_s, there)
    wanted = [f"about {params:,} parameters"] if params else []
    wanted += [f"at most {units.seconds(budget_s)} an epoch"] if budget_s else []
    answers.show(words.advice(found, scene, f"Networks with {', '.join(wanted)}"))
    answers.say(*words.advice_sentences(found))
    answers.plain["advice"] = words.advice_as_json(found)
    chosen = [found.widest, found.deepest, *found.candidates]
    return list(dict.fromkeys(one.architecture for one in chosen if one is not None))


def _scene_at(results: Path, place: Any, like: "Scene") -> "Scene | None":
    """The same scene at another place, None if that is not calibrated."""
    from nnbench.costs import calibration
    from nnbench.costs.context import Scene

    try:
        model = calibration.load(results, place)
    except UserError:
        return None
    return Scene(model, place, like.rows, like.batch_size, like.epochs)


def _verified(
    answers: _Answers, results: Path, named: list["Architecture"], launches: int, *, quiet: bool
) -> "list[Checked]":
    """Time the named networks and say where the predictions failed."""
    from nnbench.costs import verification, words
    from nnbench.machine import devices
    from nnbench.show.progress import Bar

    devices.check_installed(answers.scene.place.backend)
    with Bar(0, "trials", quiet=quiet) as bar:
        found = verification.verify(
            results,
            answers.scene,
            named,
            lambda state: bar.show(state.done, state.now, state.total),
            launches,
        )
    answers.show(words.checked(found))
    answers.say(*words.checked_sentences(found))
    answers.plain["verified"] = words.checked_as_json(found)
    return found
