"""Made-up data of any size: a training's time follows the data's shape, not its meaning."""

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nnbench.errors import UserError
from nnbench.workload import quantities, tasks
from nnbench.workload.datasets import shaped
from nnbench.workload.datasets.dataset import Dataset
from nnbench.workload.datasets.shaped import ShapedRecipe

PREFIX = "synthetic"
MAX_BYTES = 16 * 2**30


@dataclass(frozen=True)
class Recipe:
    """Size, seed and task of synthetic data; the same recipe gives the same bytes."""

    rows: int = 1000
    features: int = 4
    seed: int = 0
    task: str = tasks.CLASSIFICATION

    def __post_init__(self) -> None:
        quantities.check("number of rows", self.rows, 2, quantities.MOST_ROWS)
        quantities.check("number of features", self.features, 1, quantities.MOST_FEATURES)
        quantities.check("seed", self.seed, 0, 2**63 - 1)
        if (tasks.classes(self.task) or 0) > self.rows:
            raise UserError(f"{self.name} has fewer rows than classes: take more rows")
        if tasks.kind(self.task) == tasks.ONE_HOT:
            raise UserError(f"{self.task} is not made: {tasks.of_classes(3)} has as many outputs")
        needed = 4 * self.rows * (self.features + tasks.outputs(self.task))
        if needed > MAX_BYTES:
            raise UserError(
                f"{self.name} would hold {needed / 2**30:.0f} GiB: at most "
                f"{MAX_BYTES / 2**30:.0f} GiB can be made, take fewer rows, features or outputs"
            )

    @property
    def name(self) -> str:
        """The full text that stands for this recipe."""
        size = f"rows={self.rows},features={self.features}"
        return f"{PREFIX}:{size},seed={self.seed},task={self.task}"


def parse(text: str, *, task: str | None = None) -> Recipe | ShapedRecipe:
    """Read `synthetic` or `synthetic:rows=1000,features=4,seed=0,task=regression`, any keys.

    `classes=3`, `labels=5` and `outputs=2` (numbers) say what is learned, as `task` does. Images,
    sequences and tokens are read by `shaped`: `synthetic:images=28x28x1,classes=10`.
    UserError for an unknown or repeated key, a value out of range, or another task than `task`.
    """
    given: dict[str, str] = {}
    shapes = re.findall(rf"(?:[:,]\s*)({'|'.join(shaped.KINDS)})\s*=", text)
    parts = text.removeprefix(PREFIX).removeprefix(":")
    if text != PREFIX and not parts.strip(" ,"):
        raise UserError(f"'{text}' says no size: write {PREFIX}, or {Recipe().name}")
    for part in filter(None, (part.strip() for part in parts.split(","))):
        key, equals, value = (piece.strip() for piece in part.partition("="))
        known = {*Recipe.__dataclass_fields__, *tasks.COUNTED}
        if not equals or (not shapes and key not in known):
            raise UserError(
                f"'{part}' in '{text}' is not understood: write {Recipe().name} or a part of it"
            )
        if key in given:
            raise UserError(f"'{text}' gives {key} twice: keep one")
        given[key] = value
    if len(shapes) > 1:
        raise UserError(f"'{text}' is made of {shapes[0]} and of {shapes[1]}: name one of them")
    learned = _task(text, given, task)
    if shapes:
        return shaped.parse(given, text, task=learned)
    return Recipe(
        task=learned or Recipe.task,
        **{key: _whole(text, key, value) for key, value in given.items()},
    )


def _task(text: str, given: dict[str, str], asked: str | None) -> str | None:
    """What is learned, by parts that are taken out of `given`; None where nothing says it."""
    named = given.pop("task", None)
    counted = {key: given.pop(key) for key in tasks.COUNTED if key in given}
    if len(counted) > 1:
        raise UserError(f"'{text}' gives {' and '.join(counted)}: keep one")
    for key, value in counted.items():
        count = _whole(text, key, value)
        least = 1 if key == "outputs" else 2
        quantities.check(f"number of {key}", count, least, tasks.MOST_CLASSES)
        found = tasks.of_kind(tasks.COUNTED[key], count)
        if named is not None and not tasks.agrees(named, found):
            raise UserError(f"'{text}' gives {key}={value} and task={named}: keep one")
        named = found
    if named is None:
        return asked
    if not tasks.agrees(asked, named):
        raise UserError(f"'{text}' is data for {named}, not for {asked}: change one of them")
    return named


def make(recipe: Recipe | ShapedRecipe) -> Dataset:
    """Draw standard normal features; the first four, and some noise, decide the label.

    The label is their score, of mean 0; or the class: rows sorted by score, in equal parts. Of
    several labels each has a score of its own, with other signs.
    """
    if isinstance(recipe, ShapedRecipe):
        return shaped.make(recipe)
    generator = np.random.Generator(np.random.PCG64(recipe.seed))
    features = generator.standard_normal((recipe.rows, recipe.features), dtype=np.float32)
    classes = tasks.classes(recipe.task)
    count = 1 if classes else tasks.outputs(recipe.task)
    labels = np.stack([_score(features, generator, one) for one in range(count)], axis=1)
    if parts := classes or (2 if tasks.kind(recipe.task) == tasks.MULTILABEL else 0):
        from_top = np.arange(recipe.rows) * parts // recipe.rows
        for column in labels.T:
            column[np.argsort(column, kind="stable")[::-1]] = parts - 1 - from_top
    return Dataset(
        name=recipe.name,
        task=recipe.task,
        features=features,
        labels=labels,
        feature_names=tuple(f"feature_{number}" for number in range(1, recipe.features + 1)),
        label_name="label",
        source="synthetic normal features with a noisy linear label, made by nnbench",
    )


def _score(
    features: NDArray[np.float32], generator: np.random.Generator, output: int
) -> NDArray[np.float32]:
    """Of four features and noise: the signs, and beyond 16 outputs the features, are its own."""
    score = 0.5 * generator.standard_normal(len(features), dtype=np.float32)
    width = features.shape[1]
    # Column by column, since a matrix product may round otherwise on another machine.
    for place in range(min(4, width)):
        column = features[:, (place + output // 16) % width]
        score += -column if output >> place & 1 else column
    return score


def _whole(text: str, key: str, value: str) -> int:
    if not (value.isascii() and value.isdigit() and len(value) < 20):
        raise UserError(f"{key}='{value}' in '{text}' is not understood: give a whole number")
    return int(value)
