"""A compiled training's data and state: whole arrays, cut into batches just as `Model.fit` does.

Conversion (data types, class weights, checks of row counts, the validation split) is left to the
same adapters that `fit` uses, so that a batch here holds the very numbers of a batch there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from nnbench.errors import UserError

KERAS_BATCH_SIZE = 32

LONGEST_RUN = 1024
"""Epochs that a program runs at a time: the device holds the logs of so many."""


@dataclass(frozen=True)
class Batches:
    """Rows to pass over: `data` is `x`, `(x, y)` or `(x, y, sample_weight)`, NumPy arrays."""

    data: Any
    rows: int
    batch_size: int

    @property
    def steps(self) -> int:
        """Batches in one pass, the last one possibly smaller."""
        return -(-self.rows // self.batch_size)

    @property
    def rows_before_last(self) -> int:
        """Rows in all batches but the last."""
        return (self.steps - 1) * self.batch_size


@dataclass(frozen=True)
class Task:
    """What to train on, in which order, and what to validate on.

    `shuffle` draws another order of the rows for every epoch from `seed`. A validation follows
    every n-th epoch, or those listed in `validate_on`, counted from 1.
    """

    training: Batches
    shuffle: bool
    seed: int
    validation: Batches | None
    validate_on: int | Sequence[int]
    built_now: bool

    def validates(self, epoch: int) -> bool:
        """Whether epoch `epoch` (counted from 0) ends with a validation."""
        if self.validation is None:
            return False
        if isinstance(self.validate_on, int):
            return (epoch + 1) % self.validate_on == 0
        return epoch + 1 in self.validate_on

    @property
    def validates_always(self) -> bool:
        """Whether every epoch ends with a validation."""
        return self.validation is not None and self.validate_on == 1

    @property
    def shuffles(self) -> bool:
        """Whether the order of rows matters: in one full batch it does not."""
        return self.shuffle and self.training.steps > 1


def batches(
    x: Any,
    y: Any = None,
    sample_weight: Any = None,
    *,
    batch_size: int | None = None,
    class_weight: dict[int, float] | None = None,
) -> Batches:
    """Convert arrays as `fit` does; UserError if they are not in memory or rows do not match."""
    from keras.src.trainers.data_adapters import array_data_adapter

    if not array_data_adapter.can_convert_arrays((x, y, sample_weight)):
        raise UserError(
            f"the compiled path trains on arrays held in memory, not on {type(x).__name__}: "
            "train it with model.fit"
        )
    if batch_size is not None and batch_size < 1:
        raise UserError(f"a batch size of {batch_size} cannot be trained: use 1 or more")
    try:
        whole = array_data_adapter.ArrayDataAdapter(
            x, y, sample_weight=sample_weight, class_weight=class_weight, batch_size=2**31
        )
        data = next(iter(whole.get_numpy_iterator()))
    except StopIteration:
        raise UserError("there are no rows to train on") from None
    except ValueError as failure:
        raise UserError(str(failure)) from failure
    rows = whole.partial_batch_size
    return Batches(data, rows, min(batch_size or KERAS_BATCH_SIZE, rows))


def state_variables(model: Any) -> tuple[list[Any], ...]:
    """All that a step may change, in Keras' order; seeds are among the non-trainable."""
    return (
        model.trainable_variables,
        model.non_trainable_variables,
        model.optimizer.variables,
        model.metrics_variables,
    )


def split(
    x: Any, y: Any, sample_weight: Any, validation_split: float
) -> tuple[tuple[Any, Any, Any], tuple[Any, Any, Any]]:
    """The first rows, and the last `validation_split` (0 to 1); UserError if one has none."""
    from keras.src.trainers.data_adapters import array_slicing

    try:
        return array_slicing.train_validation_split(  # type: ignore[no-any-return]
            (x, y, sample_weight), validation_split=validation_split
        )
    except ValueError as failure:
        raise UserError(str(failure)) from failure
