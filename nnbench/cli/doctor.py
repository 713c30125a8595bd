"""`nnbench doctor`."""

from typing import Annotated

from cyclopts import Parameter

from nnbench.cli.options import Asked, tell_backend, tell_data
from nnbench.cli.session import status, tell_failures
from nnbench.errors import UserError
from nnbench.show.terminal import print_json
from nnbench.workload.study import Study


def doctor(
    *, asked: Asked = Asked(), measure: Annotated[bool, Parameter(negative="--no-measure")] = True
) -> int:
    """What makes timings noisy here, what precision can be had, and what to change.

    Args:
        measure: Measure the noise floor.
    """
    study, output = asked.study(["100,100"]), asked.output
    check(study)
    from nnbench.doctor import examination, noise_floor, tables, words
    from nnbench.show.progress import Bar

    tell_backend(study.machine, quiet=output.quiet or not measure)
    findings = examination.examine(output.results)
    floor, measured = None, []
    if measure:
        data = study.load()
        tell_data(data)
        with Bar(0, "trials", quiet=output.quiet) as bar:
            floor, run = noise_floor.measure(study, data, bar.watch)
        measured = [run]
        tell_failures(run)
    if output.as_json:
        print_json(words.as_json(findings, floor))
    else:
        tables.print_diagnosis(findings, floor)
    return status(*measured)


def check(study: Study) -> None:
    """Raise UserError for a study of more than one case, or of too few launches or blocks."""
    study.check()
    machine, effort = study.machine, study.effort
    if max(len(machine.backends), len(machine.devices), len(machine.paths)) > 1:
        raise UserError("the noise floor is that of one backend, device and path: name one of each")
    if min(effort.launches, effort.blocks) < 2:
        raise UserError("a noise floor needs at least two launches of each side, and two blocks")
