"""All that is looked at, in order."""

import os
from pathlib import Path

from nnbench.doctor import clocks, sharing, space
from nnbench.doctor.finding import Finding
from nnbench.machine.devices import usable_cpus


def examine(folder: Path, root: Path = Path("/")) -> list[Finding]:
    """Look at what makes timings noisy here, and where results go; takes about a second."""
    cpus = usable_cpus()
    found = [clocks.governor(root), clocks.turbo(root), clocks.hyperthreads(root)]
    found += [clocks.temperature(root), clocks.power(root), clocks.clock(root)]
    found += [sharing.quota(root, cpus), sharing.virtual(root), sharing.stolen(root)]
    found += [sharing.threads(os.environ, cpus), sharing.load(sharing.busy_processes())]
    found += [space.swap(root), space.memory(root), space.huge_pages(root), space.disk(folder)]
    return [finding for finding in found if finding is not None]
