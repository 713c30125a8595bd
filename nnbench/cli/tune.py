"""`nnbench tune`."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from nnbench.cli.options import (
    Fresh,
    Name,
    Output,
    Seed,
    Trained,
    Training,
    options,
    tell_backend,
    tell_data,
)
from nnbench.cli.session import begin_index, indexed, resumable
from nnbench.errors import UserError
from nnbench.machine import devices, whole_file
from nnbench.show.terminal import answer, note, skipped
from nnbench.workload import quantities
from nnbench.workload.study import USUAL_BATCH, Networks, Study

if TYPE_CHECKING:
    from nnbench.tune.saved import Tuning
    from nnbench.tune.space import Space
    from nnbench.workload.case import Case
    from nnbench.workload.datasets import Dataset

EPOCHS = 10


@options("Effort")
@dataclass(frozen=True)
class TuneEffort:
    """How much is timed."""

    budget: str = "5min"
    "Time for all of it, such as 5min."
    seed: Seed = 0
    "Seed of the order of measurement."
    limit: float | None = None
    "Seconds in which a setting has to be ready; default: 20, more for slow networks."

    def __post_init__(self) -> None:
        quantities.check("limit in seconds", self.limit, 0.001, quantities.MOST_SECONDS)
        _ = self.budget_s

    @property
    def budget_s(self) -> float:
        """Seconds to measure for. Raises UserError for what is no time."""
        return quantities.parse_seconds(self.budget)


@options("Training")
@dataclass(frozen=True)
class TuneTraining(Training):
    """How it is trained now."""

    epochs: int | None = None
    "Epochs after which the drift is told; default: 10."
    batch: str | None = None
    "Rows in a batch, or full; default: 32, as Keras has it."


@dataclass(frozen=True)
class TuneOutput(Output):
    """Tunings lie by themselves."""

    results: Path = Path("results/tune")


@options()
@dataclass(frozen=True)
class Tuned(Trained):
    """What is trained now, and how."""

    training: TuneTraining = TuneTraining()
    effort: TuneEffort = TuneEffort()
    output: TuneOutput = TuneOutput()


def tune(
    network: Annotated[str, Parameter(name="NETWORK")],
    *,
    keep: Annotated[str | None, Parameter(show_default=False)] = None,
    asked: Tuned = Tuned(),
    name: Name = None,
    fresh: Fresh = False,
) -> None:
    """What to change to train a network faster, without changing the network.

    Options say how it is trained now. Then the path, the backend, `steps_per_execution`,
    `jit_compile`, the batch size, precision, threads and the source of the data are changed, one at
    a time, and what wins is combined; all are timed in turn, as ratios to what is now. Ends with
    the fastest setting, what it changes numerically, its memory, and the lines to write. A command
    that was interrupted goes on where it stopped when it is given again.

    Args:
        network: 6,6, conv:32x4, train.py:build(depth=4) or model.keras.
        keep: What stays as it is, with commas: path, backend, steps, jit, batch, threads, source,
            precision. Of several backends the first is what there is now.
    """
    _tell(tuned(network, asked, keep=keep, name=name, fresh=fresh), as_json=asked.output.as_json)


def tuned(
    network: str, asked: Tuned, *, keep: str | None, name: str | None, fresh: bool
) -> "Tuning":
    """The finished tuning of a network. Raises UserError for what cannot be asked."""
    from nnbench.tune import space

    kept = keep.split(",") if keep else []
    for one in kept:
        if one not in space.FACTORS:
            raise UserError(f"unknown '{one}' in --keep: choose from {', '.join(space.FACTORS)}")
    machine = asked.machine
    machine.check_one_device("tune")
    if len(machine.devices) + len(machine.paths) > 2:
        raise UserError("one training is tuned: name one device and one path")
    training = asked.training
    epochs = EPOCHS if training.epochs is None else training.epochs
    quantities.check("number of epochs", epochs, 2, 100_000)
    now = replace(machine, backend=machine.backends[0])
    study = Study(Networks.named([network]), asked.data, replace(training, epochs=epochs), now)
    study.check()
    if len(study.networks.parsed()) > 1:
        raise UserError(f"{network} is several networks: name one")
    whole_file.check_folder(asked.output.results, ": name another folder with --results")
    data = study.load()
    (present,) = study.cases(data)
    if training.batch is None and data.stream is None:
        usual = replace(present.training, batch_size=USUAL_BATCH)
        present = replace(present, training=usual)
    tell_backend(machine, quiet=asked.output.quiet)
    tell_data(data)
    several = len(machine.backends) > 1
    return measure(
        present,
        data,
        asked,
        keep=kept,
        backends=machine.backends if several else list(devices.BACKENDS),
        name=name,
        fresh=fresh,
    )


def measure(
    present: "Case",
    data: "Dataset",
    asked: Tuned,
    *,
    keep: list[str],
    backends: list[str],
    name: str | None,
    fresh: bool,
) -> "Tuning":
    """Tune, or go on with the unfinished tuning of the same command."""
    from nnbench.machine import fingerprint
    from nnbench.show.progress import Bar
    from nnbench.tune import execution, saved
    from nnbench.tune.space import BACKEND, Space
    from nnbench.workload import user_model

    output, effort = asked.output, asked.effort
    left_out = []
    for backend in [] if BACKEND in keep else backends:
        if not devices.is_installed(backend):
            left_out.append(f"Not tried: {backend}, which is not installed here.")
    if data.stream is not None:
        made = "path, batch size and source of data stay as they are"
        left_out.append(f"{data.name} makes its own batches: {made}.")
    space = Space.around(
        present,
        backends=[one for one in backends if devices.is_installed(one)],
        keep=keep,
        cpus=devices.usable_cpus(),
        stream=data.stream is not None,
    )
    wanted = saved.specification(
        present,
        space,
        budget_s=effort.budget_s,
        limit_s=effort.limit,
        epochs=present.cold_epochs,
        seed=effort.seed,
        left_out=left_out,
        models=user_model.digests([present.model]),
    )
    folder, unfinished = saved.FORMAT.folder_for(
        output.results,
        name,
        wanted,
        fingerprint.take(),
        saved.read,
        lambda tuning: tuning.is_complete,
        fresh=fresh,
    )
    if unfinished:
        note(f"going on with the unfinished tuning {folder} (--fresh begins anew)")
    note(*plan(space, effort.budget_s, left_out), quiet=output.quiet)
    with resumable(), Bar(round(effort.budget_s), "s", quiet=output.quiet) as bar:

        def watch(spent_s: float, now: str, stage: str) -> None:
            bar.show(min(round(spent_s), round(effort.budget_s)), now, stage=stage)

        finished = execution.execute(folder, data, watch)
    begin_index(output)
    return finished


def plan(space: "Space", budget_s: float, left_out: list[str]) -> list[str]:
    """What will be tried, in lines."""
    from nnbench.show import units
    from nnbench.tune import space as spaces

    present = space.present
    varied = [name for name, values in space.values.items() if len(values) > 1]
    singles = len(space.single_changes()) - 1
    now = f"{spaces.name(present, present)}, {present.device}, batches of {present.batch_rows:,}"
    line = f"now: {now}; {singles} single changes of {', '.join(varied)}, then combinations"
    return [f"{line}, for about {units.about(budget_s)}", *left_out]


def _tell(finished: "Tuning", *, as_json: bool) -> None:
    """Write the page and print the finding, the table and the lines of code, or JSON."""
    from nnbench.tune import page, tables, words
    from nnbench.tune.finding import Finding

    found = Finding.of(finished)
    skipped(finished.damage)
    written = indexed(page.write(found))
    shown: list[object] = [words.sentences(found), tables.table(found)]
    shown += [f"Note: {one}" for one in words.warnings(found)]
    for one in found.answers:
        shown += [f"{one.setting.name}, what to write:", *_indented(one.code)]
    answer(tables.as_json(found, written), [*shown, written], as_json=as_json)


def _indented(code: str) -> list[str]:
    return [f"    {line}" if line else "" for line in code.split("\n")]
