"""How many sweeps a block of a launch of steps alone is worth: by what they cost.

A launch costs its start, a block a network made anew, a sweep a turn of its steps. At a given total
the best number of turns grows with the root of what the rest costs (Cochran, "Sampling Techniques",
1977, chapter 10, on sampling in stages; for benchmarks Kalibera and Jones, "Rigorous benchmarking
in reasonable time", ISMM 2013) and with what turns vary by, which a few launches do not tell:
numbers chosen by the variances of a run's own first rounds did worse than turns for as long as the
rest takes (`benchmarks/calibration`).
"""

from nnbench.measure.decision import seconds_spent
from nnbench.store.runs import Run

LEAST_SWEEPS = 10
"""Of the first round too, where it is not known yet what they cost."""


def sweeps(earlier: Run) -> int:
    """Sweeps of a block of the next round, of at most the specification's, given the records."""
    trials, most = earlier.trials, int(earlier.specification["sweeps"])
    least = min(LEAST_SWEEPS, most)
    turns = len(trials.groups(("round", "block", "sweep"))[0])
    blocks = len(trials.groups(("round", "block"))[0])
    if turns == blocks:
        return least
    walls_s, first = trials.column("wall_s"), trials.column("sweep") == 0
    turn_s = float(walls_s[~first].sum()) / (turns - blocks)
    rest_s = seconds_spent(earlier) / blocks - turn_s * turns / blocks
    return max(least, min(most, int(rest_s / turn_s))) if turn_s > 0 else most
