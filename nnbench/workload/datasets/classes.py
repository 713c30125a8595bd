"""Labels as a network learns them: numbers, or classes numbered from 0. The rule stands here only.

Texts are classes. Whole numbers are classes where they are two, or at most `MOST` and on average
`ROWS_EACH` rows or more hold each; other numbers are a regression. What is asked for comes first.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nnbench.errors import UserError
from nnbench.workload import tasks
from nnbench.workload.datasets.words import listed, shown

MOST, ROWS_EACH = 20, 3


@dataclass(frozen=True)
class Labels:
    """Numbers, or numbers of classes; `note` says what was taken where that needs saying."""

    values: npt.NDArray[Any]
    task: str
    note: str = ""


def of_numbers(values: npt.NDArray[np.float64], task: str | None, where: str) -> Labels:
    """Numbers as labels of a task, None for what they look like; UserError if they cannot be."""
    _check_single(task, where)
    distinct, codes = np.unique(values, return_inverse=True)
    fractions = distinct[distinct != np.round(distinct)]
    count = distinct.size
    few = count <= 2 or (count <= MOST and ROWS_EACH * count <= values.size)
    if task == tasks.REGRESSION or (task is None and (fractions.size or not few)):
        told = f"{count} whole numbers, taken as a regression (--as classification: as classes)"
        return Labels(values, tasks.REGRESSION, "" if task or fractions.size else told)
    if fractions.size:
        raise UserError(
            f"{where} holds {fractions[0]:g}: classes are whole numbers or texts; recode it, or "
            "ask for regression"
        )
    names = [f"{value:.15g}" for value in distinct]
    return _numbered(names, codes, task, where, "; --as regression takes the numbers")


def of_texts(texts: Sequence[str], task: str | None, where: str) -> Labels:
    """Texts as classes, in their alphabetical order; UserError for a regression."""
    _check_single(task, where)
    names, codes = np.unique(np.array(texts), return_inverse=True)
    if task == tasks.REGRESSION:
        raise UserError(f"{where} holds the text '{shown(names[0])}': a regression needs numbers")
    if names.size == 1:
        raise UserError(f"{where} is '{shown(names[0])}' in every row: name another label")
    if 2 < names.size == len(texts):
        raise UserError(f"{where} holds another text in every row: name another label")
    return _numbered([shown(name) for name in names], codes, task, where, "")


def _check_single(task: str | None, where: str) -> None:
    """Raise UserError for a task of several labels a row."""
    several = task in (tasks.MULTILABEL, tasks.ONE_HOT)
    if task is not None and (several or (1,) not in tasks.label_shapes(task)):
        raise UserError(f"{where} is one label a row: {task} needs several, as in --label a,b")


def _numbered(
    names: Sequence[str], codes: npt.NDArray[np.int64], task: str | None, where: str, otherwise: str
) -> Labels:
    count = len(names)
    if task not in (None, tasks.CLASSIFICATION) and count != tasks.classes(task):
        raise UserError(f"{where} holds {count} classes, {listed(names)}, not those of {task}")
    numbered = "" if list(names) == list(map(str, range(count))) else ", numbered from 0"
    told = f"{count} classes{numbered}: {listed(names)}{otherwise}"
    usual = list(names) == ["0", "1"] or count < 2
    return Labels(codes.astype(np.float64), tasks.of_classes(max(2, count)), "" if usual else told)
