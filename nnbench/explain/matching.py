"""Which layers of two networks are the same ones: pairs in the order of both."""

import re
from collections.abc import Sequence

from nnbench.layers.listed import Listed

NAME, KIND, SHAPE, WEIGHTS = 8.0, 2.0, 1.0, 1.0
"""What a pair is worth whose names (a person's), kinds, outputs and parameters agree."""

Pair = tuple[int | None, int | None]


def pairs(first: Sequence[Listed], second: Sequence[Listed]) -> list[Pair]:
    """Places of layers that are matched, and by themselves of those that only one network has.

    The alignment of the greatest worth (Needleman and Wunsch, "A general method applicable to the
    search for similarities in the amino acid sequence of two proteins", J. Mol. Biol. 48, 1970):
    by name, where it is not one that Keras numbers, else by kind, shape and position. Of equal ones
    the earlier layers are matched.
    """
    rows, columns = len(first), len(second)
    # worth[i][j]: of what is left from place i of the first and j of the second on.
    worth = [[0.0] * (columns + 1) for _ in range(rows + 1)]
    for i in reversed(range(rows)):
        for j in reversed(range(columns)):
            matched = alike(first[i], second[j])
            taken = matched + worth[i + 1][j + 1] if matched else 0.0
            worth[i][j] = max(taken, worth[i + 1][j], worth[i][j + 1])
    found: list[Pair] = []
    i = j = 0
    while i < rows or j < columns:
        if i < rows and j < columns:
            matched = alike(first[i], second[j])
            if matched and worth[i][j] == matched + worth[i + 1][j + 1]:
                found.append((i, j))
                i, j = i + 1, j + 1
                continue
        if i < rows and (j == columns or worth[i][j] == worth[i + 1][j]):
            found.append((i, None))
            i += 1
        else:
            found.append((None, j))
            j += 1
    return found


def alike(one: Listed, other: Listed) -> float:
    """What it is worth to take them for the same layer; 0 where they are not."""
    same_name = one.name == other.name and not is_numbered(one)
    if not same_name and one.kind != other.kind:
        return 0.0
    return (
        NAME * same_name
        + KIND * (one.kind == other.kind)
        + SHAPE * (one.output == other.output)
        + WEIGHTS * (one.parameters == other.parameters)
    )


def is_numbered(one: Listed) -> bool:
    """Whether Keras has made the name, of the kind and the number of those before it."""
    own = one.name.rpartition("/")[2].partition(" ")[0]
    plain = one.kind.replace("_", "").lower()
    return re.sub(r"_\d+$", "", own).replace("_", "").lower() == plain
