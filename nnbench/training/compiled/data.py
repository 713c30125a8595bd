"""A compiled training's data and state: whole arrays, cut into batches just as `Model.fit` does.

Conversion (data types, class weights, checks of row counts, the validation split) is left to the
same adapters that `fit` uses, so that a batch here holds the very numbers of a batch there.
"""

from dataclasses import dataclass, replace
from typing import Any

from nnbench.errors import UserError
from nnbench.workload.datasets import streams

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

    @property
    def shapes(self) -> Any:
        """Shape and type of each array, in their structure."""
        import keras

        return keras.tree.map_structure(
            lambda a: (a.shape, str(a.dtype)), self.data, none_is_leaf=False
        )

    def first(self, steps: int | None) -> "Batches":
        """The first batches; None (or 0, as in `fit`) is all of them."""
        import keras

        if not steps or steps >= self.steps:
            return self
        rows = steps * self.batch_size
        head = keras.tree.map_structure(lambda a: a[:rows], self.data, none_is_leaf=False)
        return Batches(head, rows, self.batch_size)


@dataclass(frozen=True)
class Task:
    """What to train on, in which order, and what to validate on.

    Where it `shuffles`, another order of the rows is drawn for every epoch from `seed`. A
    validation follows every n-th epoch, or those listed in `validate_on`, counted from 1. `jit`:
    compile with XLA on TensorFlow ("auto": where that is faster), with Inductor on Torch. `epochs`:
    how many are to be trained, if that is known.
    """

    training: Batches
    shuffles: bool
    seed: int
    validation: Batches | None
    validate_on: int | list[int]
    built_now: bool
    jit: bool | str
    epochs: int | None = None

    def without_data(self) -> "Task":
        """The same, as far as a program that is kept has to know it."""
        tested = self.validation and replace(self.validation, data=None)
        return replace(self, training=replace(self.training, data=None), validation=tested)

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


def batches(
    x: Any,
    y: Any = None,
    sample_weight: Any = None,
    batch_size: int | None = None,
    steps: int | None = None,
    class_weight: dict[int, float] | None = None,
) -> Batches:
    """Convert arrays as `fit` does; UserError if they are not in memory or rows do not match.

    Where no `batch_size` is given, `steps` decides it.
    """
    from keras.src.trainers.data_adapters import array_data_adapter

    if not array_data_adapter.can_convert_arrays((x, y, sample_weight)):
        raise UserError(
            "the compiled path trains on arrays held in memory, not on a "
            f"{streams.kind_of(x) or type(x).__name__}: train it with model.fit"
        )
    if batch_size is not None and batch_size < 1:
        raise UserError(f"a batch size of {batch_size} cannot be trained: use 1 or more")
    if steps is not None and steps < 0:
        raise UserError(f"{steps} steps cannot be taken: use 1 or more")
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
    of_steps = -(-rows // steps) if steps else KERAS_BATCH_SIZE
    return Batches(data, rows, min(batch_size or of_steps, rows))


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
