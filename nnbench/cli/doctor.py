"""`nnbench doctor`."""

from typing import Annotated

from cyclopts import Parameter

from nnbench.cli.options import Asked, tell_backend
from nnbench.doctor import examination, noise_floor, tables, words
from nnbench.show.progress import Bar
from nnbench.show.terminal import print_json


def doctor(
    *, asked: Asked = Asked(), measure: Annotated[bool, Parameter(negative="--no-measure")] = True
) -> None:
    """What makes timings noisy here, what precision can be had, and what to change.

    Args:
        measure: Measure the noise floor.
    """
    study, output = asked.study(["100,100"]), asked.output
    noise_floor.check(study)
    tell_backend(study.machine, quiet=output.quiet or not measure)
    findings = examination.examine(output.results)
    floor = None
    if measure:
        with Bar(0, "trials", quiet=output.quiet) as bar:
            floor = noise_floor.measure(study, bar.watch)
    if output.as_json:
        print_json(words.as_json(findings, floor))
    else:
        tables.print_diagnosis(findings, floor)
