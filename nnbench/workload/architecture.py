"""What to train: hidden layer widths, and what follows from them without any framework.

The notation: `6,6` or `[6, 6]` lists the hidden layers, `6x5` is five layers of 6 units, and
`depth=1..8 width=4,16,64` is a grid of such equal-width networks.
"""

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass

from nnbench.errors import UserError

MAX_WIDTH = 1_000_000
MAX_DEPTH = 10_000
MAX_LAYERS_OF_A_GRID = 1_000_000


@dataclass(frozen=True)
class Architecture:
    """Widths of the hidden layers; the output layer is not part of it."""

    widths: tuple[int, ...]

    def __post_init__(self) -> None:
        if not self.widths:
            raise UserError("an architecture needs at least one hidden layer, such as 6,6")
        if len(self.widths) > MAX_DEPTH:
            raise UserError(f"{len(self.widths)} layers are more than the {MAX_DEPTH} allowed")
        for width in self.widths:
            if not 1 <= width <= MAX_WIDTH:
                raise UserError(
                    f"a layer of width {width} cannot be built: widths go from 1 to {MAX_WIDTH}"
                )

    @property
    def depth(self) -> int:
        """Number of hidden layers."""
        return len(self.widths)

    @property
    def label(self) -> str:
        """The shortest notation: `6x5` for equal widths, `6,100` otherwise."""
        if len(set(self.widths)) == 1:
            return f"{self.widths[0]}x{self.depth}"
        return ",".join(map(str, self.widths))

    def __str__(self) -> str:
        return self.label

    def layer_shapes(self, features: int, outputs: int = 1) -> list[tuple[int, int]]:
        """(inputs, units) of every Dense layer, the output layer included."""
        return list(itertools.pairwise((features, *self.widths, outputs)))

    def parameters(self, features: int, outputs: int = 1) -> int:
        """Trainable weights and biases of the network on `features` input columns."""
        shapes = self.layer_shapes(features, outputs)
        return sum(inputs * units + units for inputs, units in shapes)


# Of a number with more digits none can be built.
_REPEATED = re.compile(r"(\d{1,9})\s*x\s*(\d{1,9})", re.IGNORECASE | re.ASCII)
_RANGE = re.compile(r"(\d{1,9})(?:\.\.(\d{1,9}))?", re.ASCII)
_WIDTH = re.compile(r"\d{1,9}", re.ASCII)


def parse(text: str) -> Architecture:
    """Read `6,6`, `[100, 100]`, `6x5`, `100` or a mixture; UserError for anything else."""
    inner = text.strip()
    if inner.startswith("[") and inner.endswith("]"):
        inner = inner[1:-1]
    widths: list[int] = []
    for part in (part.strip() for part in inner.split(",")):
        repeated = _REPEATED.fullmatch(part)
        if repeated:
            width, depth = int(repeated[1]), int(repeated[2])
            if not 1 <= depth <= MAX_DEPTH:
                raise UserError(
                    f"'{part}' in architecture '{text}' asks for {depth} layers: "
                    f"between 1 and {MAX_DEPTH} can be built"
                )
            widths += [width] * depth
            if len(widths) > MAX_DEPTH:
                break
        elif _WIDTH.fullmatch(part):
            widths.append(int(part))
        else:
            raise UserError(
                f"architecture '{text}' is not understood at '{part}': "
                "write 6,6 or [100, 100] or 6x5 (five layers of 6)"
            )
    return Architecture(tuple(widths))


def parse_many(texts: Sequence[str]) -> list[Architecture]:
    """Read architectures and grids, in order, each architecture once; UserError for none.

    A text is one architecture (see `parse`), several separated by `;` or white space outside
    brackets, or a grid `depth=1..8 width=4,16,64`, whose parts may be neighbouring texts.
    """
    found: list[Architecture] = []
    grid: dict[str, list[int]] = {}
    for text in texts:
        for word in re.findall(r"\[[^\]]*\]|[^\s;]+", re.sub(r"\s*,\s*", ",", text)):
            if "=" not in word:
                found.append(parse(word))
                continue
            axis, values = _axis(word)
            if axis in grid:
                raise UserError(f"'{word}' names {axis} twice before its grid is complete")
            grid[axis] = values
            if len(grid) == 2:
                if sum(grid["depth"]) * len(grid["width"]) > MAX_LAYERS_OF_A_GRID:
                    count = len(grid["depth"]) * len(grid["width"])
                    raise UserError(f"a grid of {count:,} networks is too large: name fewer")
                sizes = itertools.product(grid["depth"], grid["width"])
                found += [Architecture((width,) * depth) for depth, width in sizes]
                grid = {}
    for present in grid:
        missing = "width" if present == "depth" else "depth"
        raise UserError(f"a grid needs both parts: {present}= is there, {missing}= is missing")
    if not found:
        raise UserError("no architecture was named: try 6,6 100,100 6x5")
    return list(dict.fromkeys(found))


def _axis(word: str) -> tuple[str, list[int]]:
    axis, _, text = word.partition("=")
    if axis not in ("depth", "width"):
        raise UserError(f"'{word}' is not part of a grid: write depth=1..8 width=4,16,64")
    limit = MAX_DEPTH if axis == "depth" else MAX_WIDTH
    values: list[int] = []
    for part in text.split(","):
        span = _RANGE.fullmatch(part)
        if not span:
            raise UserError(f"'{part}' in '{word}' is not a number or a range such as 1..8")
        first, last = int(span[1]), int(span[2] or span[1])
        if last < first or last - first >= MAX_DEPTH:
            raise UserError(f"the range '{part}' in '{word}' is empty or too long")
        values += range(first, last + 1)
    for value in values:
        if not 1 <= value <= limit:
            raise UserError(f"a {axis} of {value} cannot be built: it goes from 1 to {limit}")
    return axis, values
