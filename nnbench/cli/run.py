"""`nnbench run`."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from nnbench.cli import report
from nnbench.cli.options import (
    RESULTS,
    Architectures,
    AsJson,
    Data,
    Effort,
    Fresh,
    Machine,
    Models,
    Name,
    Quiet,
    Results,
    StudyFile,
    Training,
)
from nnbench.cli.session import execute, run_folder, tell_backend
from nnbench.measure import run as measuring
from nnbench.workload import study as studies
from nnbench.workload.study import Networks, Study


def run(
    *architectures: Architectures,
    model: Models = (),
    study: StudyFile = None,
    data: Data = Data(),
    training: Training = Training(),
    machine: Machine = Machine(),
    effort: Effort = Effort(),
    results: Results = RESULTS,
    name: Name = None,
    resume: Annotated[
        bool, Parameter(help="Go on with the unfinished run of this command, or fail.")
    ] = False,
    fresh: Fresh = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Time architectures against each other and write a report.

    What is timed is said by architectures and options, by a study file (`nnbench run study.toml`),
    or both. A command that was interrupted goes on where it stopped when it is given again.
    """
    if len(architectures) == 1 and architectures[0].endswith(".toml"):
        study, architectures = Path(architectures[0]), ()
    asked = Study(Networks(architectures, model), data, training, machine, effort)
    if study is not None:
        asked = studies.read(study).overridden_by(asked)
    asked = asked.or_networks()
    loaded = asked.data.load()
    wanted = measuring.of_study(asked, asked.cases(loaded))
    folder = run_folder(results, name, wanted, resume=resume, fresh=fresh)
    tell_backend(asked.machine, quiet=quiet)
    report.tell(execute(folder, loaded, quiet=quiet), as_json=as_json)
