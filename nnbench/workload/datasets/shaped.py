"""Made-up images, sequences and tokens, from which a network can learn.

Each class has a pattern of its own, smooth over places or steps; a row is the pattern of its class,
moved a little, under noise. Of tokens each class prefers some. For a regression there is a pattern
for each number, which says how strongly a row shows it; of several labels a row shows those it has.
"""

import math
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnbench.errors import UserError
from nnbench.workload import tasks
from nnbench.workload.datasets.dataset import Dataset
from nnbench.workload.families import IMAGES, SEQUENCES, TOKENS

MAX_BYTES = 16 * 2**30
KINDS = {IMAGES: 3, SEQUENCES: 2, TOKENS: 1}
"""Sizes of a row of each kind."""

EXAMPLES = {
    IMAGES: "synthetic:images=28x28x1,classes=10,rows=2000",
    SEQUENCES: "synthetic:sequences=64x8,classes=4,rows=1000",
    TOKENS: "synthetic:tokens=64,vocabulary=1000,classes=2,rows=1000",
}

COARSE = 4
"""Values along an axis that a pattern is drawn through."""

NOISE = 0.5
PREFERRED = 0.2
"""Share of tokens that are drawn from those that the class prefers."""


@dataclass(frozen=True)
class ShapedRecipe:
    """Kind, sizes, seed and task of made-up data; the same recipe gives the same bytes."""

    kind: str
    shape: tuple[int, ...]
    rows: int = 1000
    classes: int = 2
    vocabulary: int = 1000
    seed: int = 0
    task: str | None = None

    def __post_init__(self) -> None:
        for size in self.shape:
            _within(self.kind, size, 1, 100_000)
        _within("rows", self.rows, 2, 10**9)
        _within("classes", self.classes, 2, min(self.rows, 100_000))
        _within("vocabulary", self.vocabulary, 2, 10**7)
        _within("seed", self.seed, 0, 2**63 - 1)
        if self.task and tasks.kind(self.task) == tasks.ONE_HOT:
            raise UserError(f"{self.task} is not made: {tasks.of_classes(3)} has as many outputs")
        needed = 4 * self.rows * (self.values + tasks.outputs(self.of_task))
        if needed > MAX_BYTES:
            raise UserError(
                f"{self.name} would hold {needed / 2**30:.0f} GiB: at most "
                f"{MAX_BYTES / 2**30:.0f} GiB can be made, take fewer rows or smaller ones"
            )

    @property
    def values(self) -> int:
        """In a row."""
        return math.prod(self.shape)

    @property
    def patterns(self) -> int:
        """One for each class, label or number."""
        return self.classes if self.task is None else tasks.outputs(self.task)

    @property
    def of_task(self) -> str:
        """What is learned from it."""
        return self.task or tasks.of_classes(self.classes)

    @property
    def name(self) -> str:
        """The full text that stands for this recipe."""
        sizes = "x".join(map(str, self.shape))
        words = f",vocabulary={self.vocabulary}" if self.kind == TOKENS else ""
        learned = f"classes={self.classes}" if self.task is None else f"task={self.task}"
        return f"synthetic:{self.kind}={sizes}{words},{learned},rows={self.rows},seed={self.seed}"


def parse(given: dict[str, str], text: str, *, task: str | None = None) -> ShapedRecipe:
    """Read the parts of `synthetic:images=28x28x1,rows=2000`; `text` is the whole.

    Raises UserError for an unknown part or a value out of range.
    """
    (kind,) = (one for one in KINDS if one in given)
    example = EXAMPLES[kind]
    sizes = given.pop(kind)
    if not re.fullmatch(r"\d{1,9}" + r"x\d{1,9}" * (KINDS[kind] - 1), sizes, re.ASCII):
        raise UserError(f"{kind}={sizes} in '{text}' is not understood: write {example}")
    values: dict[str, int] = {}
    for key, value in given.items():
        if key not in ("rows", "vocabulary", "seed") or (key == "vocabulary" and kind != TOKENS):
            raise UserError(f"'{key}={value}' in '{text}' is not understood: write {example}")
        if not re.fullmatch(r"\d{1,19}", value, re.ASCII):
            raise UserError(f"{key}='{value}' in '{text}' is not understood: give a whole number")
        values[key] = int(value)
    if task is not None and tasks.kind(task) == tasks.CLASSIFICATION:
        values["classes"], task = tasks.classes(task) or 2, None
    return ShapedRecipe(kind, tuple(map(int, sizes.split("x"))), task=task, **values)


def make(recipe: ShapedRecipe) -> Dataset:
    """Draw the rows, each class as often as the others."""
    generator = np.random.Generator(np.random.PCG64(recipe.seed))
    classes = generator.permutation(np.arange(recipe.rows) % recipe.classes)
    outputs = 1 if recipe.task is None else recipe.patterns
    strength = generator.standard_normal((recipe.rows, outputs), dtype=np.float32)
    which = np.broadcast_to(np.arange(outputs), strength.shape)
    if recipe.task is None:
        which, strength = classes[:, None], np.ones_like(strength)
    elif tasks.kind(recipe.task) == tasks.MULTILABEL:
        strength = (strength > 0).astype(np.float32)
    elif recipe.kind == TOKENS:
        strength = np.abs(strength)
    made: Any = _tokens if recipe.kind == TOKENS else _patterns
    features = made(recipe, generator, which, strength)
    labels: NDArray[Any] = classes[:, None] if recipe.task is None else strength
    return Dataset(
        name=recipe.name,
        task=recipe.of_task,
        features=features,
        labels=labels.astype(np.float32),
        feature_names=tuple(f"x{number}" for number in range(recipe.shape[-1])),
        label_name="label",
        source=f"synthetic {recipe.kind} with a pattern for each class, made by nnbench",
        vocabulary=recipe.vocabulary if recipe.kind == TOKENS else None,
    )


def _tokens(
    recipe: ShapedRecipe,
    generator: np.random.Generator,
    which: NDArray[np.int64],
    strength: NDArray[np.float32],
) -> NDArray[np.int32]:
    """Rows of tokens, a share of them from those that `which` (rows, n) prefer."""
    size, count = (recipe.rows, *recipe.shape), recipe.patterns
    liked = max(1, recipe.vocabulary // (4 * max(count, 2)))
    made: Any = None
    for one, shares in zip(which.T, np.float64(PREFERRED) * strength.T, strict=True):
        first = one[:, None] * recipe.vocabulary // count
        preferred = first + generator.integers(0, liked, size)
        made = generator.integers(0, recipe.vocabulary, size) if made is None else made
        chosen = generator.random(size) < shares[:, None]
        made = np.where(chosen, preferred % recipe.vocabulary, made)
    return np.asarray(made, dtype=np.int32)


def _patterns(
    recipe: ShapedRecipe,
    generator: np.random.Generator,
    which: NDArray[np.int64],
    strength: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Rows that show the patterns `which` (rows, n), each as strongly as `strength` says."""
    *axes, channels = recipe.shape
    drawn = (recipe.patterns, *(COARSE for _ in axes), channels)
    patterns = generator.standard_normal(drawn, np.float32)
    for axis, size in enumerate(axes, start=1):
        patterns = _stretched(patterns, axis, size)
    rows = NOISE * generator.standard_normal((recipe.rows, *recipe.shape), dtype=np.float32)
    # The pattern begins up to an eighth of an axis later, and goes round at its end.
    moved = [generator.integers(0, max(1, size // 8), recipe.rows) for size in axes]
    for row, shares in enumerate(strength):
        by = [int(each[row]) for each in moved]
        for one in np.flatnonzero(shares):
            shown = np.roll(patterns[which[row, one]], by, axis=tuple(range(len(axes))))
            rows[row] += shares[one] * shown
    return rows


def _stretched(values: NDArray[np.float32], axis: int, size: int) -> NDArray[np.float32]:
    """Linear between so few values along an axis: sums and products alone, alike on any machine."""
    places = np.arange(size, dtype=np.float32) * np.float32((COARSE - 1) / max(1, size - 1))
    below = np.minimum(places.astype(np.int64), COARSE - 2)
    part = (places - below).astype(np.float32)
    part = part.reshape([-1 if one == axis else 1 for one in range(values.ndim)])
    lower, upper = np.take(values, below, axis), np.take(values, below + 1, axis)
    return lower * (1 - part) + upper * part


def _within(key: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise UserError(f"{key}={value} cannot be made: {key} goes from {least} to {most}")
