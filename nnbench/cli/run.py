"""`nnbench run`."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from nnbench.cli.options import (
    Architectures,
    Asked,
    AsMarkdown,
    Fresh,
    Models,
    Name,
    OnHosts,
    Wide,
    check_holds,
)
from nnbench.cli.session import measure, status
from nnbench.errors import UserError
from nnbench.machine import whole_file
from nnbench.workload import study as studies
from nnbench.workload import user_model


def run(
    *architectures: Architectures,
    model: Models = (),
    study: Path | None = None,
    asked: Asked = Asked(),
    hosts: OnHosts = OnHosts(),
    name: Name = None,
    save_study: Path | None = None,
    resume: Annotated[bool, Parameter(show_default=False)] = False,
    fresh: Fresh = False,
    wide: Wide = False,
    markdown: AsMarkdown = None,
) -> int:
    """Time architectures against each other and write a report.

    What is timed is said by architectures and options, by a study file (`nnbench run study.toml`),
    or both. A command that was interrupted goes on where it stopped when it is given again.

    Args:
        study: A TOML file that says all this; options override it.
        save_study: Write what is asked into a TOML file, to run it again or elsewhere.
        resume: Go on with the unfinished run of this command, or fail.
    """
    if resume and fresh:
        raise UserError("--resume goes on and --fresh begins anew: give one of them")
    if len(architectures) == 1 and architectures[0].endswith(".toml"):
        study, architectures = Path(architectures[0]), ()
    wanted = asked.study(architectures, model)
    if study is not None:
        named, wanted = wanted, studies.read(study).overridden_by(wanted)
        asked_for = {named.data.data, *(one.label for one in named.networks.parsed())}
        read = [("--data", wanted.data.data)]
        read += [("--model", one.label) for one in wanted.networks.parsed()]
        for option, one in read:
            user_model.confirm(study, one, one if one in asked_for else None, option)
    wanted = wanted.or_networks()
    if save_study is not None:
        wanted.check()
        whole_file.write(save_study, studies.as_toml(wanted))
    if hosts.are_asked:
        from nnbench.cli import on_hosts

        how = {"name": name, "resume": resume, "fresh": fresh}
        return on_hosts.run(wanted, asked.output, hosts, **how)
    if resume:
        results = asked.output.results
        missing = f"{results} holds no unfinished run of this command on this host"
        check_holds(results, "*/run.json", missing)
    from nnbench.cli import report

    found = measure(wanted, asked.output, name=name, resume=resume, fresh=fresh)
    report.tell(found, as_json=asked.output.as_json, wide=wide, markdown=markdown)
    return status(found)
