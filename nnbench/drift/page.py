"""The page of a drift study: `drift.html` in its folder, which needs nothing else."""

from pathlib import Path

from nnbench.drift import charts, tables, words
from nnbench.drift.analysis import Analysis
from nnbench.show import html
from nnbench.show.html import Part

TABLE = (
    "Equal in every bit, for every seed, or else the largest distance of a weight, from when on, "
    "and the share of rows that the two networks answer differently: the worst of the pairs. An "
    "empty field was not asked: where both trainings are given the same start, a seed plays no "
    "part."
)
MATRIX = "Green: equal in every bit, for every seed. The darker, the farther apart."
DISTANCE = (
    "The bottom is bitwise equality; one ULP is the smallest step a number can take. A line "
    "that begins high started from other weights; one that rises from the bottom started equal "
    "and was parted by arithmetic."
)
ULPS = "What parts two trainings by arithmetic alone does not do so in all layers alike."
METHOD = (
    "{trainings} trainings in {processes} processes. Before each, every random generator is put "
    "back to how a new process has it; two trainings in the same process follow one another "
    "without that. Weights after every recorded epoch, losses and predictions are in "
    "trajectories/, plain arrays without pickles. Every metric is defined, with its source, in "
    "nnbench/drift/metrics.py."
)


def write(found: Analysis) -> Path:
    """Write the page and its charts, and return its path. Raises UserError if that fails."""
    study = found.study
    case, host, seeds = study.case, study.fingerprint, len(study.specification["seeds"])
    remedy = "What makes this training reproducible on {}"
    parts = [
        Part(remedy.format(backend), words.verified(record), code=record["code"])
        for backend, record in found.remedies.items()
    ]
    parts += [Part(table.title, TABLE, table) for table in tables.matrices(found)]
    matrix = charts.policy_matrix(found)
    drawn = [Part("Policy by condition", MATRIX, figure=matrix, name="matrix")]
    for backend in found.backends:
        distance = charts.distance_by_epoch(found, backend)
        ulps = charts.ulps_by_layer(found, backend)
        drawn += [
            Part("Weights by epoch", DISTANCE, figure=distance, name=f"distance-{backend}"),
            Part("Single weights, by layer", ULPS, figure=ulps, name=f"ulps-{backend}"),
        ]
    parts += [part for part in drawn if part.figure]
    method = METHOD.format(trainings=len(study.trainings), processes=len(study.processes))
    machine = ", ".join([f"{host['host']}: {host['cpu']}, {host['cpus']} CPUs", *host["gpus"]])
    sentences = words.study(found)
    return html.write(
        study.folder / "drift.html",
        kind="What a seed guarantees",
        title=sentences[0].rstrip(".") if sentences else "Nothing was compared",
        subtitle=f"{study.created} on {machine}. {study.name} on {case.data}, "
        f"{case.cold_epochs} epochs, {seeds} seeds.",
        sentences=sentences[1:],
        warnings=[*words.not_run(found), *study.damage],
        parts=[*parts, Part("How this was measured", method)],
    )
