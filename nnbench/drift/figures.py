"""Drift as a few plain numbers, for suites that keep numbers over commits."""

from dataclasses import replace

from nnbench.drift import metrics, policies, worker
from nnbench.drift.metrics import Drift
from nnbench.drift.trajectory import drift
from nnbench.workload import datasets
from nnbench.workload.case import Case


def drift_figures(case: Case, epochs: int) -> dict[str, float]:
    """Train `case` with `keras.utils.set_random_seed`, twice by its path, once by the other.

    `devices.start` has been called; the data are those that the case names. The figures:

    - `weights_digest`: the first 48 bits of the final weights' SHA-256;
    - `repeat_max_ulp`, `repeat_first_differing_epoch`: the second training against the first;
      0 and -1 (never: a history cannot hold nothing) where a seed guarantees it;
    - `fit_compiled_max_ulp`, `fit_compiled_relative_l2`: the other path from equal initial weights
      and in the order given, against this one;
    - `first_differing_epoch`, `loss_difference`: of the other path, too;
    - `final_loss`: the last of the first training, where the model logs one.

    Raises UserError for data that make their batches anew.
    """
    own = case.model is not None
    data = datasets.load(case.data, task=None if own else case.training.task, as_given=own)
    if data.stream is not None:
        raise worker.anew(case)
    data = data.taken_by([case.architecture])
    code = policies.POLICIES["keras"].code_for(case.backend)
    unshuffled = replace(case.training, shuffle=False)
    ordered = replace(case, training=unshuffled, cold_epochs=epochs)
    other = ordered.on_other_path
    first, second, *across = (
        worker.train(one, data.training_data, code=code, seed=1)
        for one in filter(None, (ordered, ordered, other))
    )
    repeat = drift(first, second)
    figures = {
        "weights_digest": metrics.digest_number(metrics.digest(first.at(-1))),
        "repeat_max_ulp": repeat.max_ulp,
        "repeat_first_differing_epoch": repeat.first_epoch,
        **(_across(drift(first, across[0])) if across else {}),
        **({"final_loss": first.losses[-1]} if first.losses else {}),
    }
    return {name: -1.0 if value is None else float(value) for name, value in figures.items()}


def _across(paths: Drift) -> dict[str, float | None]:
    return {
        "fit_compiled_max_ulp": paths.max_ulp,
        "fit_compiled_relative_l2": paths.relative_l2,
        "first_differing_epoch": paths.first_epoch,
        "loss_difference": paths.loss_difference,
    }
