"""`nnbench doctor`."""

from typing import Annotated

from cyclopts import Parameter

from nnbench.cli.options import RESULTS, AsJson, Data, Effort, Machine, Quiet, Results, Training
from nnbench.cli.session import tell_backend
from nnbench.show.terminal import print_json
from nnbench.workload.study import Networks, Study

NETWORK = Networks(("100,100",))


def doctor(
    *,
    data: Data = Data(),
    training: Training = Training(),
    machine: Machine = Machine(),
    effort: Effort = Effort(),
    measure: Annotated[
        bool, Parameter(negative="--no-measure", help="Measure the noise floor.")
    ] = True,
    results: Results = RESULTS,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """What makes timings noisy here, what precision can be had, and what to change."""
    from nnbench.doctor import examination, noise_floor, tables, words
    from nnbench.show.progress import Bar

    study = Study(NETWORK, data, training, machine, effort)
    noise_floor.check(study)
    tell_backend(machine, quiet=quiet or not measure)
    findings = examination.examine(results)
    floor = None
    if measure:
        with Bar(0, "trials", quiet=quiet) as bar:
            floor = noise_floor.measure(study, bar.watch)
    told = words.tell(findings, floor)
    if as_json:
        print_json(words.as_json(told))
    else:
        tables.print_diagnosis(told)
