"""How a run is made again, and what to ask next."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from nnbench.errors import UserError
from nnbench.phases import STEP
from nnbench.store.folder import ASKED
from nnbench.store.runs import Run
from nnbench.workload import handed, networks

if TYPE_CHECKING:
    from nnbench.report.run_analysis import RunAnalysis
    from nnbench.workload.case import Case


def command(run: Run) -> str:
    """The command that makes a run again; of an older run, as far as its records say it."""
    asked: str = run.specification.get(ASKED, {}).get("command", "")
    return asked or _from_cases(run)


def _from_cases(run: Run) -> str:
    cases = list(run.cases.values())
    first = cases[0]
    named = list(dict.fromkeys(_called(run, case) for case in cases))
    options: dict[str, object] = {
        "data": first.data,
        "epochs": first.cold_epochs,
        "batch": first.training.batch_size,
        "backend": ",".join(dict.fromkeys(case.backend for case in cases)),
        "device": ",".join(dict.fromkeys(case.device for case in cases)),
        "path": ",".join(dict.fromkeys(case.path for case in cases)),
        "threads": first.threads,
        "launches": run.specification["launches"],
        "blocks": run.specification["blocks"],
        "seed": run.specification["seed"],
    }
    given = [part for name, value in options.items() if value is not None
             for part in (f"--{name}", str(value))]  # fmt: skip
    return shlex.join(["nnbench", "run", *named, *given])


def _called(run: Run, case: "Case") -> str:
    """What a command calls a network by: the text that was typed, not a name that Python gave."""
    name = run.name(case)
    try:
        return name if networks.parse_one(name).label == case.label else case.label
    except UserError:
        return case.label


def next_commands(found: "RunAnalysis", folder: Path | None = None) -> list[tuple[str, str]]:
    """What to ask next, and with which command; `folder` names the run, usually as `results/X`."""
    run = found.run.folder
    named = shlex.quote(str(folder or f"{run.absolute().parent.name}/{run.name}"))
    told = []
    group = found.groups[0] if found.groups else None
    if group and len(group.summaries) > 1:
        times = [one for one in group.summaries if group.whole in one.times]
        times.sort(key=lambda one: one.times[group.whole].value)
        names = [shlex.quote(_called(found.run, one.case)) for one in (times[0], times[-1])]
        told.append(
            ("Why does one take longer?", f"nnbench explain {' '.join(names)} --run {named}")
        )
    if found.trust.mend:
        told.append(("Would the figures hold?", found.trust.mend))
    can_be_varied = group and not handed.is_handed(group.first.label)
    if group and can_be_varied and any(STEP in one.times for one in group.summaries):
        name = shlex.quote(_called(found.run, group.first))
        told.append(("How does the cost grow?", f"nnbench scale depth width --network {name}"))
    told.append(("Did a change of code matter?", "nnbench compare --against HEAD~1"))
    return told
