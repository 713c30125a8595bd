"""What several devices gain, each of which trains on its share of every batch.

Strong scaling leaves the batch as it is and shares it out; weak scaling gives every device a batch
as large as one device had. What a step lacks of its ideal goes to sums of gradients, to waiting for
one another and, where devices are virtual, to the cores that they share. The sums are also timed by
themselves, in turn with the steps: communication takes so much of a step at most.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from nnbench.errors import UserError
from nnbench.machine import devices
from nnbench.measure.trial import KINDS as USUAL_KINDS
from nnbench.measure.trial import SUM_KIND
from nnbench.phases import COLD, EPOCH, STEP, SUM
from nnbench.stats.blocks import Blocks
from nnbench.stats.estimate import Estimate
from nnbench.stats.interval import Interval
from nnbench.stats.summary import summarise
from nnbench.store.runs import Run
from nnbench.workload.case import Case
from nnbench.workload.datasets import Dataset
from nnbench.workload.study import Study

BATCH = "512"
"""Rows in a batch of one device, where none is asked for."""

KINDS = (*USUAL_KINDS, SUM_KIND)
"""The trials of each case."""

WIDE = 3
"""An interval whose ends differ by more than this factor is no answer."""

WIDE_SHARE = 0.5
"""Nor is that of a share which leaves out no more than this."""


@dataclass(frozen=True)
class Scaled:
    """A step on `count` devices with batches of `rows`, compared with one device.

    `speed_up` is one device's time for as many rows, divided by this one's: of strong scaling that
    of the same batch, of weak scaling `count` times that of a batch of one. `efficiency` is that
    divided by `count`, and what it lacks of 1 is `lost`. `communication` is `sum`, that of the
    gradients by itself, divided by the step: in it, sums may run beside something else. None where
    it was not measured. `host_bytes` is the peak of the process. Not `is_known` is a speed-up whose
    interval is too wide to be an answer; `is_communication_known` says it of the other.
    """

    context: str
    weak: bool
    count: int
    rows: int
    step: Estimate | None
    epoch: Estimate | None
    cold: Estimate | None
    sum: Estimate | None
    speed_up: Interval | None
    is_known: bool
    communication: Estimate | None
    host_bytes: int | None
    are_virtual: bool

    @property
    def is_communication_known(self) -> bool:
        """Whether the interval of the share is no wider than half of the whole."""
        found = self.communication
        return found is None or not found.high - found.low > WIDE_SHARE

    @property
    def efficiency(self) -> Interval | None:
        """Speed-up divided by the number of devices."""
        found, count = self.speed_up, self.count
        return found and Interval(found.value / count, found.low / count, found.high / count)

    @property
    def lost(self) -> Interval | None:
        """What the efficiency lacks of 1."""
        found = self.efficiency
        return found and Interval(1 - found.value, 1 - found.high, 1 - found.low)


def cases(counts: Sequence[int], study: Study, data: Dataset) -> dict[tuple[bool, int], list[Case]]:
    """By weak or strong and number of devices: the cases, one a backend, kind of device and path.

    Raises UserError for batches that the devices cannot share.
    """
    if study.machine.replicas is not None:
        raise UserError("along replicas their numbers are the axis: leave --replicas out")
    machine = replace(study.machine, replicas=",".join(map(str, counts)))
    batch = study.training.batch_size or int(BATCH)
    found = {}
    for weak in (False, True):
        for count in counts:
            rows = batch * count if weak else batch
            if rows > data.rows:
                raise UserError(
                    f"{count} batches of {batch:,} rows are more than {data.name} has "
                    f"({data.rows:,}): choose a smaller --batch"
                )
            training = replace(study.training, batch=str(rows))
            all_cases = replace(study, machine=machine, training=training).cases(data)
            mine = [one for one in all_cases if devices.replicas(one.device) == count]
            found[weak, count] = mine
    return found


def rows_needed(counts: Sequence[int], study: Study) -> int:
    """Rows of data that is made: two of the largest batches."""
    return 2 * max(counts) * (study.training.batch_size or int(BATCH))


def scaled(run: Run, by: dict[tuple[bool, int], list[Case]]) -> list[Scaled]:
    """What was measured of each number of devices, compared with one in the same rounds."""
    blocks = Blocks.of(run)
    peaks = {one.case.key: one.peak_host_bytes for one in summarise(run, blocks)}
    found = []
    for (weak, count), mine in by.items():
        for case, base in zip(mine, by[weak, 1], strict=True):
            times = blocks.times(case)
            ratio = blocks.between([base], [case]).get(STEP) if count > 1 else None
            more = count if weak else 1
            gained = ratio and Interval(more * ratio.value, more * ratio.low, more * ratio.high)
            found.append(
                Scaled(
                    context=base.context,
                    weak=weak,
                    count=count,
                    rows=case.batch_rows,
                    step=times.get(STEP),
                    epoch=times.get(EPOCH),
                    cold=times.get(COLD),
                    sum=times.get(SUM),
                    speed_up=gained,
                    is_known=gained is None or not gained.high > WIDE * gained.low,
                    communication=blocks.share(case, SUM, STEP),
                    host_bytes=peaks.get(case.key),
                    are_virtual=devices.are_virtual(case.device),
                )
            )
    return found
