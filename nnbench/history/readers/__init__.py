"""One file a tool: how its results become rows of the history."""

import math
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

BYTES = "B"


class Row(NamedTuple):
    """One measurement of one benchmark at one commit, as its tool tells it.

    `environment` names everything but the host that must be equal for values to be compared.
    `value` is in `unit` (seconds, bytes, or a tracked figure's own), `log_error` the standard
    error of its logarithm. `session` tells rows measured together, `noisy` the share of its blocks
    in which the noise watch saw something, `pace_s` the seconds that this machine took then for
    1 GFLOP of a matrix product. What is not known is NaN.
    """

    source: str
    host: str
    environment: str
    commit: str
    date: datetime
    benchmark: str = ""
    case: str = ""
    version: str = ""
    unit: str = "s"
    value: float = math.nan
    log_error: float = math.nan
    samples: int = 1
    launches: int = 1
    interleaved: bool = False
    session: str = ""
    noisy: float = math.nan
    pace_s: float = math.nan
    digest: str = ""


def reason(failure: Exception) -> str:
    """The first line of what went wrong, short."""
    return (str(failure) or type(failure).__name__).splitlines()[0][:80]


@dataclass(frozen=True)
class Skipped:
    """A file, or a part of one, that is not in the table, and why."""

    place: str
    reason: str
