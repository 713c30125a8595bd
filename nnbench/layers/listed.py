"""A network's layers as they were listed before a run, and the pieces of its step to be timed."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from nnbench.machine.fields import Field
from nnbench.measure.pieces import ALONE, CUT, FORWARD, UPDATE
from nnbench.workload.case import Case

UPDATED = 0
"""In `Listed.updated`: it has no weights of its own to update."""


@dataclass(frozen=True)
class Listed:
    """A call of a layer: what it is, and what it computes and holds in a step on a batch.

    `output` is the shape of a row of what it makes, such as `28x28x32`. `updated` is the number of
    the layer whose update has the same shapes, from 1; `alone` that of the layer that is the same,
    on inputs of the same shapes. `missing` is what no rule counts.
    """

    name: str
    kind: str
    output: str
    is_view: bool
    parameters: int
    forward_flops: int
    backward_flops: int
    update_flops: int
    held_bytes: int
    missing: str
    updated: int
    alone: int = 0
    """0: it is not timed by itself."""


def read(plain: Field) -> list[Listed]:
    """The layers of a run's specification. Raises UserError for what are none."""
    found = [one.record(Listed) for one in plain.entries()]
    if not found or any(
        not 0 <= at <= len(found) for one in found for at in (one.updated, one.alone)
    ):
        plain.refuse("are no layers of a network")
    return found


def stops(layers: Sequence[Listed]) -> list[int]:
    """Where the step is cut: after each layer but those that only show their input otherwise.

    Layers are counted from 1; a view that comes first goes with what follows it.
    """
    found = [number for number, one in enumerate(layers, start=1) if not one.is_view]
    return found or [len(layers)]


def pieces(whole: Case, layers: Sequence[Listed]) -> list[Case]:
    """The whole step's case, and those of all pieces of it that are timed beside it."""
    cut = [0, *stops(layers)]
    names = [f"{kind}:{number}" for kind in (CUT, FORWARD) for number in cut]
    updates = dict.fromkeys(one.updated for one in layers if one.updated != UPDATED)
    names += [f"{UPDATE}:{number}" for number in updates]
    names += [
        f"{ALONE}:{number}" for number in dict.fromkeys(one.alone for one in layers if one.alone)
    ]
    return [whole, *(replace(whole, piece=name) for name in names)]
