"""`nnbench drift`, and `drift show`, `drift record`, `drift check`, `drift compare`."""

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from nnbench.cli import COMMANDS, new_app
from nnbench.cli.options import (
    MODEL,
    AsJson,
    Name,
    Output,
    Seed,
    Trained,
    check_holds,
    options,
    tell_backend,
    tell_data,
    within,
)
from nnbench.cli.session import begin_index, indexed, resumable
from nnbench.drift import plan, policies
from nnbench.errors import UserError
from nnbench.machine import whole_file
from nnbench.show.terminal import answer, note, print_json, print_table, say, skipped
from nnbench.workload.study import Networks, Study

if TYPE_CHECKING:
    from nnbench.drift import saved as studies
    from nnbench.workload.case import Case
    from nnbench.workload.datasets import Dataset

app = new_app("drift", COMMANDS["drift"])

Folder = Annotated[Path, Parameter(help="A study's folder.")]


@options()
@dataclass(frozen=True)
class Bounds:
    """What is tolerated where processors, versions or settings differ."""

    relative: Annotated[float | None, within("distance", 0, 1e9)] = None
    "Relative distance of weights tolerated elsewhere; default: 1e-4."
    ulp: Annotated[float | None, within("number of ULPs", 0, 2**33)] = None
    "ULPs tolerated elsewhere, besides; default: any."


@options()
@dataclass(frozen=True)
class Seeded(Trained):
    """The network of a study or record, and its training."""

    architecture: Annotated[str | None, Parameter(name=["--architecture", "-a"])] = None
    "6,6, conv:32x4 or train.py:build(depth=4); default: 6,6."
    model: Annotated[str | None, Parameter(help=f"{MODEL}.")] = None

    def load(self) -> "tuple[Dataset, list[Case]]":
        """The data, and a case for each backend."""
        if self.architecture and self.model:
            raise UserError("name an architecture or a model, not both")
        network = Networks.named([self.model or self.architecture or "6,6"])
        study = Study(network, self.data, self.training, self.machine)
        study.check()
        loaded = study.load()
        tell_data(loaded)
        return loaded, study.cases(loaded)


@options("Effort")
class Effort(plan.Effort):
    """Options of `drift.plan.Effort`."""


@app.default
def drift(
    *,
    asked: Seeded = Seeded(),
    effort: Effort = Effort(),
    against: str | None = None,
    cost: Annotated[bool, Parameter(negative="--no-cost")] = False,
    remedy: Annotated[bool, Parameter(negative="--no-remedy")] = True,
    output: Output = Output(),
    name: Name = None,
) -> int:
    """Train pairs under each seed policy, in each condition, and say how far apart they end.

    A command that was interrupted goes on where it stopped when it is given again.

    Args:
        against: Another environment's Python, or a commit, to train in too.
        cost: Time deterministic ops, too.
        remedy: Find and verify the shortest code.
    """
    loaded, cases = asked.load()
    from nnbench.drift import determinism_cost, execution, saved
    from nnbench.drift import remedy as remedies
    from nnbench.machine import devices, fingerprint
    from nnbench.measure import environments
    from nnbench.show.progress import Bar

    elsewhere = {}
    if against:
        other = environments.resolve(against)
        if other.side is None:
            raise UserError(f"{against} is a saved run: name a commit or a Python")
        elsewhere[other.label] = other.side
    tell_backend(asked.machine, quiet=output.quiet)
    here, cpus, label = fingerprint.take(), devices.usable_cpus(), next(iter(elsewhere), None)
    gpu = bool(here["gpus"])
    wanted = plan.specification(cases, effort, cpus=cpus, gpu=gpu, other_side=label)
    folder, unfinished = saved.FORMAT.folder_for(
        output.results, name, wanted, here, saved.read, saved.Study.is_complete
    )
    if unfinished:
        note(f"going on with the unfinished study {folder}")
    with resumable(), Bar(0, "trainings", quiet=output.quiet) as bar:

        def watch(done: int, total: int, now: str) -> None:
            bar.show(done, now, total)

        execution.execute(folder, loaded, watch, elsewhere)
        if remedy:
            remedies.find(folder, loaded, watch)
        if cost:
            determinism_cost.measure(folder, loaded, watch)
    begin_index(output)
    trainings = _tell(folder, as_json=output.as_json).trainings.values()
    trained = {one["backend"] for one in trainings if one["outcome"] == "ok"}
    return int(any(one["backend"] not in trained for one in trainings))


def _check_study(folder: Path) -> None:
    check_holds(folder, "study.json", f"{folder} is no drift study: there is no study.json in it")


@app.command
def show(folder: Folder, *, as_json: AsJson = False) -> None:
    """Show a saved study again, and write its page anew."""
    _tell(folder, as_json=as_json)


def _tell(folder: Path, *, as_json: bool) -> "studies.Study":
    _check_study(folder)
    from nnbench.drift import analysis, page, saved, tables, words

    found = analysis.analyse(saved.read(folder))
    written = indexed(page.write(found))
    skipped(found.study.damage)
    if as_json:
        print_json(tables.study_as_json(found, written))
        return found.study
    for table in tables.matrices(found):
        print_table(table, tables.PIPED_WIDTH)
    say(*words.study(found), *words.remedies(found), *words.not_run(found), str(written))
    return found.study


@app.command
def record(
    folder: Path,
    *,
    asked: Seeded = Seeded(),
    policy: str = "keras",
    seed: Seed = 1,
    tolerated: Bounds = Bounds(),
) -> None:
    """Record a training, for `drift check` to compare later ones with.

    Args:
        folder: Where to keep it, such as golden/small.
        policy: How seeds are set: keras or keras+det.
        seed: The seed.
    """
    policies.named(policy)
    loaded, cases = asked.load()
    from nnbench.drift import golden, words

    if len(cases) != 1:
        raise UserError("one training is recorded at a time: name one backend and one path")
    whole_file.check_folder(folder)
    tell_backend(asked.machine)
    stated = {name: value for name, value in vars(tolerated).items() if value is not None}
    data, bounds = replace(asked.data, data=loaded.name), golden.Bounds(**stated)
    kept = golden.record(folder, cases[0], data, loaded, policy=policy, seed=seed, bounds=bounds)
    say(words.recorded(kept))


@app.command
def check(
    folder: Path,
    *,
    model: str | None = None,
    data: str | None = None,
    tolerated: Bounds = Bounds(),
    as_json: AsJson = False,
) -> None:
    """Train again as recorded, and say what changed; exit status 1 if it has drifted.

    No code is run because a record names it: functions of yours are named again.

    Args:
        folder: The recorded training's folder.
        model: Your own model, as recorded: train.py:build(depth=4).
        data: Your own function of data, as recorded: data.py:load.
    """
    missing = "holds no recorded training, which nnbench drift record makes"
    check_holds(folder, "golden.json", f"{folder} {missing}: there is no golden.json in it")
    from nnbench.drift import golden, tables, words

    recorded = golden.read(folder)
    verdict = golden.check(recorded, tell_data, model=model, data=data, **vars(tolerated))
    answer(tables.verdict_as_json(verdict), words.check(verdict), as_json=as_json)
    if not verdict.passed:
        sys.exit(1)


@app.command
def compare(first: Folder, second: Path, *, as_json: AsJson = False) -> None:
    """Compare two saved studies: the same command run on two hosts.

    Args:
        second: Another's, from another host or version.
    """
    for one in (first, second):
        _check_study(one)
    from nnbench.drift import analysis, saved, tables, words

    studies = saved.read(first), saved.read(second)
    found = analysis.compare(*studies)
    skipped(damage for study in studies for damage in study.damage)
    answer(tables.comparison_as_json(found), words.comparison(found), as_json=as_json)
