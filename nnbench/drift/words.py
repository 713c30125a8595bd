"""What a drift study, a check and a comparison of two studies say, in sentences."""

import math
from typing import TYPE_CHECKING, Any

from nnbench.drift import diagnosis
from nnbench.drift.analysis import Analysis, Comparison
from nnbench.drift.diagnosis import Difference, Uncontrolled
from nnbench.drift.matrix import Cell
from nnbench.drift.plan import REPLICAS
from nnbench.drift.policies import POLICIES
from nnbench.errors import first_line
from nnbench.machine.devices import VIRTUAL, are_virtual
from nnbench.show import intervals
from nnbench.show.intervals import RATIO
from nnbench.stats.estimate import Estimate

if TYPE_CHECKING:
    from nnbench.drift.golden import Bounds, Golden, Verdict

UNCONTROLLED = {
    diagnosis.INITIAL: "initial weights are drawn anew",
    diagnosis.RANDOM_LAYERS: "random layers (such as dropout) draw anew",
    diagnosis.ORDER: "the order of rows is drawn anew",
}


def ulps(count: float) -> str:
    """A number of ULPs: `3 ULP`, `2.1e+09 ULP`."""
    if not math.isfinite(count):
        return "not finite"
    return f"{count:,.0f} ULP" if count < 1e5 else f"{count:.1e} ULP"


def cell(shown: Cell) -> list[str]:
    """A cell in short lines: whether it is bitwise, and if not how far, from when on."""
    if shown.reproduced:
        return ["bitwise", f"{shown.pairs} of {shown.pairs}"]
    if not all(drift.comparable for drift in shown.drifts):
        return ["other shapes"]
    start = "from the start" if shown.first_epoch == 0 else f"from epoch {shown.first_epoch}"
    equal = [f"{shown.bitwise} of {shown.pairs} bitwise"] if shown.bitwise else []
    return [ulps(shown.max_ulp), start, f"{shown.disagreement:.1%} answers", *equal]


def difference(found: Difference) -> str:
    """Why two trainings are apart, and how far, in a few sentences."""
    if not found.sources:
        return "Equal in every bit: weights of every epoch, losses and predictions."
    far = found.drift
    if not far.comparable:
        return (
            "The networks have weights or predictions of other shapes: there is nothing to compare."
        )
    seen = f"first seen in the weights of layer {found.layer}"
    if found.forward:
        seen = f"first in the output of layer {found.layer} at the initial weights"
    causes = {
        diagnosis.INITIAL: f"Initial weights differ (first in {found.layer}): they are apart "
        "before any training.",
        diagnosis.RANDOM_LAYERS: "The random layers (such as dropout) draw from other seeds.",
        diagnosis.ORDER: "The order of rows differs.",
        diagnosis.ARITHMETIC: "Initial weights and the order of rows are equal, arithmetic "
        f"differs: {seen}, by up to {ulps(found.layer_ulp)}.",
    }
    extent = _begins(far.first_epoch, far.before_epoch)
    if far.doubling_epochs:
        extent += f", the distance doubling every {far.doubling_epochs:.2g} epochs at first"
    extent += (
        f"; at the end {ulps(far.max_ulp)} at most, {far.relative_l2:.1e} relative, losses "
        f"{far.loss_difference:.1e} apart at most, {far.disagreement:.1%} of answers differ."
    )
    return " ".join([*(causes[source] for source in found.sources), extent])


def _begins(first: int | None, before: int | None) -> str:
    if first is None:
        return "The final weights are equal all the same"
    if first == 0:
        return "Weights differ from the start"
    if before == first - 1:
        return f"Weights differ from epoch {first} on"
    return f"Weights differ from an epoch between {before} and {first} on"


def uncontrolled(found: Uncontrolled) -> str:
    """What a policy leaves to chance on a backend."""
    start = f"{found.backend}, {POLICIES[found.policy].title}: "
    if not found.sources:
        return f"{start}everything is controlled ({', '.join(found.checked)})."
    parts = [
        f"{UNCONTROLLED[source]} ({apart} of {pairs} pairs)"
        for source, (apart, pairs) in found.apart.items()
    ]
    if found.arithmetic:
        where = ", ".join(found.arithmetic)
        parts.append(f"arithmetic differs from equal weights in equal order ({where})")
    told = start + ", and ".join(parts)
    if found.equal_starts and not found.arithmetic:
        told += "; with that fixed, arithmetic repeats bit by bit"
    if found.disagreement:
        told += f". Two such trainings answer up to {found.disagreement:.1%} of rows differently"
    return f"{told}."


def varied(found: Analysis) -> list[str]:
    """Why trainings part where something was varied."""
    return [f"{one.backend}, {one.condition}: {difference(why)}" for one, why in found.varied]


def _cost(backend: str, ratio: Estimate) -> str:
    took = f"{backend}: deterministic ops take {intervals.sentence(ratio, RATIO)} the time"
    if not ratio.has_interval:
        return f"{took}, from one launch."
    verdict = "" if ratio.excludes_one else "; that is not distinguishable from no cost"
    return f"{took} ({ratio.blocks} pairs, jit_compile off with and without them){verdict}."


def verified(record: dict[str, Any]) -> str:
    """How the code of a remedy was verified."""
    return (
        f"The shortest code that makes this training reproducible on {record['backend']}, verified "
        f"in two fresh processes ({record['seeds_equal']} of {record['seeds']} seeds bitwise):"
    )


def remedies(found: Analysis) -> list[str]:
    """The code that makes the training reproducible on each backend, or that none does."""
    shown = []
    for backend in found.backends:
        tried = [one for one in found.study.remedies if one["backend"] == backend]
        if record := found.remedies.get(backend):
            shown += ["", verified(record), *record["code"].split("\n")]
        elif tried:
            problem = f" ({tried[-1]['problem']})" if tried[-1]["problem"] else ""
            shown.append(
                f"None of the {len(tried)} ways tried makes this training reproducible on {backend}"
                f"{problem}: the network or its data draw from a generator that no seed reaches, "
                "or an operation does not repeat."
            )
    return shown


def study(found: Analysis) -> list[str]:
    """What a study found, but for the code that makes its training reproducible."""
    costs = [_cost(backend, ratio) for backend, ratio in found.cost.items() if ratio]
    virtual = are_virtual(found.study.case.device) or (
        REPLICAS in found.study.specification["conditions"] and found.study.case.device == "cpu"
    )
    told = [*map(uncontrolled, found.diagnosis), *varied(found), *costs]
    return [*told, *([VIRTUAL] if virtual else [])]


def not_run(found: Analysis) -> list[str]:
    """What failed or was left out."""
    told = []
    for record in found.failures:
        reason = first_line(record.get("message") or record["outcome"])
        told.append(f"Failed: {record['key']}: {reason}")
    for record in found.study.remedies:
        if record.get("problem"):
            reason = first_line(record["problem"])
            told.append(f"Failed: verifying code on {record['backend']}: {reason}")
    return told + [f"Not run: {line}" for line in found.study.skipped]


def recorded(kept: "Golden") -> str:
    """What was recorded, and what it tolerates."""
    return (
        f"Recorded {kept.case.name} on {kept.case.context}, seed {kept.seed}, in {kept.folder}: "
        f"two processes agreed in every bit. Elsewhere it must stay {bounds(kept.bounds)}."
    )


def bounds(tolerated: "Bounds") -> str:
    """What a recorded training tolerates elsewhere."""
    also = "" if tolerated.ulp is None else f" and {ulps(tolerated.ulp)}"
    return f"within {tolerated.relative:.1e} relative{also}"


def required(verdict: "Verdict") -> str:
    """What a check asked for."""
    if verdict.exact:
        return "equal in every bit, on the same machine and versions"
    return f"{bounds(verdict.bounds)}, on another machine or version"


def check(verdict: "Verdict") -> list[str]:
    """What a check found, a line each."""
    head = "The training is as recorded" if verdict.passed else "The training has drifted"
    found = [f"{head} (required: {required(verdict)})."]
    if verdict.elsewhere:
        found.append(f"Recorded elsewhere: {'; '.join(verdict.elsewhere)}.")
    if verdict.changed:
        found.append(f"Changed since: {'; '.join(verdict.changed)}.")
    if verdict.difference.sources:
        found.append(difference(verdict.difference))
    epoch = verdict.difference.drift.first_epoch
    if not verdict.passed:
        for name, (begun, ended) in verdict.weights.items():
            found.append(f"  {name}: {ulps(begun)} after epoch {epoch}, {ulps(ended)} at the end")
    return found


def comparison(found: Comparison) -> list[str]:
    """How two studies compare, a line each."""
    unlike = "; ".join(found.unlike) or "nothing, by their fingerprints"
    told = [f"Between them: {unlike}."]
    for across in found.references:
        of = f"{across.bitwise} of {len(across.seeds)}"
        apart = "" if across.bitwise == len(across.seeds) else f" {difference(across.worst)}"
        told.append(f"{across.backend}, {across.policy}: {of} seeds equal in every bit.{apart}")
    return told
