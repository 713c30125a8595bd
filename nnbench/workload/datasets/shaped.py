"""Made-up images, sequences and tokens, from which a network can learn.

Each class has a pattern of its own, smooth over places or steps; a row is the pattern of its class,
moved a little, under noise. Of tokens each class prefers some. For a regression there is one
pattern, and the label says how strongly a row shows it.
"""

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
        needed = 4 * self.rows * int(np.prod(self.shape, dtype=np.float64))
        if needed > MAX_BYTES:
            raise UserError(
                f"{self.name} would hold {needed / 2**30:.0f} GiB: at most "
                f"{MAX_BYTES / 2**30:.0f} GiB can be made, take fewer rows or smaller ones"
            )

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
    """Read the parts of `synthetic:images=28x28x1,classes=10,rows=2000`; `text` is the whole.

    Raises UserError for an unknown part, a value out of range, or another task than `task`.
    """
    (kind,) = (one for one in KINDS if one in given)
    example = EXAMPLES[kind]
    sizes = given.pop(kind)
    if not re.fullmatch(r"\d{1,9}" + r"x\d{1,9}" * (KINDS[kind] - 1), sizes, re.ASCII):
        raise UserError(f"{kind}={sizes} in '{text}' is not understood: write {example}")
    named = given.pop("task", task)
    if task not in (None, named):
        raise UserError(f"'{text}' is data for {named}, not for {task}: change one of them")
    values: dict[str, int] = {}
    for key, value in given.items():
        if key not in ("rows", "classes", "vocabulary", "seed") or (
            key == "vocabulary" and kind != TOKENS
        ):
            raise UserError(f"'{key}={value}' in '{text}' is not understood: write {example}")
        if not re.fullmatch(r"\d{1,19}", value, re.ASCII):
            raise UserError(f"{key}='{value}' in '{text}' is not understood: give a whole number")
        values[key] = int(value)
    if named == tasks.CLASSIFICATION:
        named = None
    if named not in (None, tasks.REGRESSION):
        raise UserError(f"task={named} in '{text}' is not understood: write {example}")
    return ShapedRecipe(kind, tuple(map(int, sizes.split("x"))), task=named, **values)


def make(recipe: ShapedRecipe) -> Dataset:
    """Draw the rows, each class as often as the others."""
    generator = np.random.Generator(np.random.PCG64(recipe.seed))
    regression = recipe.task is not None
    classes = generator.permutation(np.arange(recipe.rows) % recipe.classes)
    strength = generator.standard_normal(recipe.rows, dtype=np.float32)
    features: Any
    if recipe.kind == TOKENS:
        strength = np.abs(strength)
        shares = PREFERRED * (strength if regression else np.ones(recipe.rows))
        features = _tokens(recipe, generator, classes * (not regression), shares)
    else:
        features = _patterns(recipe, generator, classes, strength if regression else None)
    labels: NDArray[Any] = strength if regression else classes
    return Dataset(
        name=recipe.name,
        task=recipe.of_task,
        features=features,
        labels=labels.astype(np.float32).reshape(-1, 1),
        feature_names=tuple(f"x{number}" for number in range(recipe.shape[-1])),
        label_name="label",
        source=f"synthetic {recipe.kind} with a pattern for each class, made by nnbench",
        vocabulary=recipe.vocabulary if recipe.kind == TOKENS else None,
    )


def _tokens(
    recipe: ShapedRecipe,
    generator: np.random.Generator,
    classes: NDArray[np.int64],
    shares: NDArray[Any],
) -> NDArray[np.int32]:
    size = (recipe.rows, *recipe.shape)
    liked = max(1, recipe.vocabulary // (4 * recipe.classes))
    first = (classes * recipe.vocabulary // recipe.classes)[:, None]
    preferred = first + generator.integers(0, liked, size)
    usual = generator.integers(0, recipe.vocabulary, size)
    chosen = generator.random(size) < shares[:, None]
    return np.where(chosen, preferred % recipe.vocabulary, usual).astype(np.int32)


def _patterns(
    recipe: ShapedRecipe,
    generator: np.random.Generator,
    classes: NDArray[np.int64],
    strength: NDArray[np.float32] | None,
) -> NDArray[np.float32]:
    *axes, channels = recipe.shape
    count = 1 if strength is not None else recipe.classes
    patterns = generator.standard_normal((count, *(COARSE for _ in axes), channels), np.float32)
    for axis, size in enumerate(axes, start=1):
        patterns = _stretched(patterns, axis, size)
    rows = NOISE * generator.standard_normal((recipe.rows, *recipe.shape), dtype=np.float32)
    # The pattern begins up to an eighth of an axis later, and goes round at its end.
    moved = [generator.integers(0, max(1, size // 8), recipe.rows) for size in axes]
    for row in range(recipe.rows):
        pattern = patterns[0 if strength is not None else classes[row]]
        shown = np.roll(pattern, [int(each[row]) for each in moved], axis=tuple(range(len(axes))))
        rows[row] += shown if strength is None else strength[row] * shown
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
