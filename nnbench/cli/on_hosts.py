"""A study on several hosts: measured under a progress bar, and told host by host."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nnbench.cli.options import OnHosts, Output, tell_backend, tell_data
from nnbench.cli.session import begin_index, indexed, resumable, status, tell_failures
from nnbench.errors import UserError
from nnbench.machine import whole_file
from nnbench.show.terminal import note, print_json, print_sentences, say, skipped
from nnbench.workload.study import Study

if TYPE_CHECKING:
    from nnbench.store.runs import Run


def measure(
    study: Study, output: Output, hosts: OnHosts, *, every_host: bool = False, **how: Any
) -> Mapping[str, "Run"]:
    """What each host measured, by its name; UserError where nothing was measured at all.

    `how` are `name`, `resume` and `fresh`, as of `nnbench run`.
    """
    hosts.check(study)
    study.check()
    data = study.load()
    from nnbench.cluster import book
    from nnbench.cluster import study as on_cluster
    from nnbench.show.progress import Bar

    whole_file.check_folder(output.results, ": name another folder with --results")
    _ = study.cases(data)
    tell_backend(study.machine, quiet=output.quiet)
    tell_data(data)
    where = on_cluster.Where(hosts.cluster, hosts.workers)
    asked = on_cluster.Asked(study, data, where, output.results, every_host=every_host, **how)
    with resumable(), Bar(0, "trials", quiet=output.quiet) as bar:
        found = on_cluster.measure(asked, note, bar.watch)
    runs = book.finished(found)
    tell_failures(*runs.values())
    if not any(len(run.good_rows()) for run in runs.values()):
        raise UserError("nothing was measured on any host")
    begin_index(output)
    return runs


def run(study: Study, output: Output, hosts: OnHosts, **how: Any) -> int:
    """Measure on hosts and tell each host's table: none mixes two."""
    found = measure(study, output, hosts, **how)
    from nnbench.report import page, tables
    from nnbench.report.run_analysis import analyse

    told = []
    for name, one in sorted(found.items()):
        analysed = analyse(one)
        written = indexed(page.write(analysed, None))
        skipped(one.damage)
        told.append({"host": name, **tables.as_json(analysed, written)})
        if not output.as_json:
            print_sentences([f"Host {name}"], "bold")
            tables.print_run(analysed)
            say(str(written))
    if output.as_json:
        print_json({"hosts": told})
    return status(*found.values())
