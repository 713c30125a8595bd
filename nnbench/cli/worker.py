"""`nnbench worker`."""

from typing import Annotated

from cyclopts import Parameter

from nnbench.cli.options import OnHosts, Quiet
from nnbench.machine import whole_file
from nnbench.show.terminal import note


def worker(
    scheduler: str,
    *,
    name: Annotated[
        str | None, Parameter(validator=lambda _, name: whole_file.check_name(name))
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Let this host measure for studies that `nnbench run --cluster` hands out.

    Start one on each host, in a folder with the files that the studies name. It goes on until it
    is ended, and comes back when its scheduler does.

    Args:
        scheduler: Address of a Dask scheduler (`dask scheduler`), such as tcp://scheduler:8786.
        name: What this host is called in results; default: its host name.
    """
    OnHosts(cluster=scheduler)
    import asyncio

    from nnbench.cluster import worker as workers

    asyncio.run(workers.run(scheduler, name, lambda text: note(text, quiet=quiet)))
