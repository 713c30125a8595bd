"""Made-up data of any size: a training's time follows the data's shape, not its meaning."""

import re
from dataclasses import dataclass

import numpy as np

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
        needed = 4 * self.rows * self.features
        if needed > MAX_BYTES:
            raise UserError(
                f"{self.name} would hold {needed / 2**30:.0f} GiB: at most "
                f"{MAX_BYTES / 2**30:.0f} GiB can be made, take fewer rows or features"
            )

    @property
    def name(self) -> str:
        """The full text that stands for this recipe."""
        size = f"rows={self.rows},features={self.features}"
        return f"{PREFIX}:{size},seed={self.seed},task={self.task}"


def parse(text: str, *, task: str | None = None) -> Recipe | ShapedRecipe:
    """Read `synthetic` or `synthetic:rows=1000,features=4,seed=0,task=regression`, any keys.

    Images, sequences and tokens are read by `shaped`: `synthetic:images=28x28x1,classes=10`.
    UserError for an unknown or repeated key, a value out of range, or another task than `task`.
    """
    given: dict[str, str] = {}
    shapes = re.findall(rf"(?:[:,]\s*)({'|'.join(shaped.KINDS)})\s*=", text)
    parts = text.removeprefix(PREFIX).removeprefix(":")
    if text != PREFIX and not parts.strip(" ,"):
        raise UserError(f"'{text}' says no size: write {PREFIX}, or {Recipe().name}")
    for part in filter(None, (part.strip() for part in parts.split(","))):
        key, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or (not shapes and key not in Recipe.__dataclass_fields__):
            raise UserError(
                f"'{part}' in '{text}' is not understood: write {Recipe().name} or a part of it"
            )
        if key in given:
            raise UserError(f"'{text}' gives {key} twice: keep one")
        given[key] = value
    if len(shapes) > 1:
        raise UserError(f"'{text}' is made of {shapes[0]} and of {shapes[1]}: name one of them")
    if shapes:
        return shaped.parse(given, text, task=task)
    named = given.pop("task", task or Recipe.task)
    if task not in (None, named):
        raise UserError(f"'{text}' is data for {named}, not for {task}: change one of them")
    return Recipe(task=named, **{key: _whole(text, key, value) for key, value in given.items()})


def make(recipe: Recipe | ShapedRecipe) -> Dataset:
    """Draw standard normal features; the first four, and some noise, decide the label.

    The label is their score, of mean 0; or the class: rows sorted by score, in equal parts.
    """
    if isinstance(recipe, ShapedRecipe):
        return shaped.make(recipe)
    generator = np.random.Generator(np.random.PCG64(recipe.seed))
    features = generator.standard_normal((recipe.rows, recipe.features), dtype=np.float32)
    score = 0.5 * generator.standard_normal(recipe.rows, dtype=np.float32)
    # Column by column, since a matrix product may round otherwise on another machine.
    for column in features.T[:4]:
        score += column
    if classes := tasks.classes(recipe.task):
        labels = np.empty_like(score)
        from_top = np.arange(score.size) * classes // score.size
        labels[np.argsort(score, kind="stable")[::-1]] = classes - 1 - from_top
    else:
        labels = score
    return Dataset(
        name=recipe.name,
        task=recipe.task,
        features=features,
        labels=labels.reshape(-1, 1),
        feature_names=tuple(f"feature_{number}" for number in range(1, recipe.features + 1)),
        label_name="label",
        source="synthetic normal features with a noisy linear label, made by nnbench",
    )


def _whole(text: str, key: str, value: str) -> int:
    if not (value.isascii() and value.isdigit() and len(value) < 20):
        raise UserError(f"{key}='{value}' in '{text}' is not understood: give a whole number")
    return int(value)
