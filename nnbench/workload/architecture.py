"""What to train: a family of networks, the widths of its hidden layers and its settings.

The notation: `6,6` or `[6, 6]` lists the hidden layers of a Dense network, `6x5` is five layers of
6 units; another family's name comes before and its settings after: `conv:32x4(kernel=5)`.
"""

import itertools
import re
from dataclasses import dataclass, field, replace

from nnbench.errors import UserError
from nnbench.workload.families import FAMILIES, Family, Value

MAX_WIDTH = 1_000_000
MAX_DEPTH = 10_000
MAX_LAYERS_OF_A_GRID = 1_000_000


@dataclass(frozen=True)
class Architecture:
    """Widths of the hidden layers; the output layer is not part of it.

    `settings` are those knobs of the family that are not at their default, by name.
    """

    widths: tuple[int, ...]
    family: str = "dense"
    settings: tuple[tuple[str, Value], ...] = ()
    typed: str = field(default="", compare=False, repr=False)
    """What was typed for it, if anything: no part of what it is."""

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
        problem = self.kind.check(self.widths, self.knobs)
        if problem:
            raise UserError(f"{self.label} cannot be built: {problem}")

    @property
    def kind(self) -> Family:
        """The family."""
        return FAMILIES[self.family]

    @property
    def knobs(self) -> dict[str, Value]:
        """All settings of the family, by name."""
        return self.kind.knobs_with(self.settings)

    @property
    def depth(self) -> int:
        """Number of hidden layers."""
        return len(self.widths)

    @property
    def label(self) -> str:
        """The shortest notation: `6x5` for equal widths, `6,100` otherwise, `lstm:8x2`."""
        equal = len(set(self.widths)) == 1
        widths = f"{self.widths[0]}x{self.depth}" if equal else ",".join(map(str, self.widths))
        family = "" if self.family == "dense" else f"{self.family}:"
        settings = ", ".join(f"{name}={_written(value)}" for name, value in self.settings)
        return f"{family}{widths}({settings})" if settings else f"{family}{widths}"

    @property
    def name(self) -> str:
        """What it is called by who asked: `100,100` if that was typed, else its label."""
        return self.typed or self.label

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
_WIDTH = re.compile(r"\d{1,9}", re.ASCII)


def _written(value: Value) -> str:
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value)


def parse(text: str) -> Architecture:
    """Read `6,6`, `[100, 100]`, `6x5`, `conv:32x4(kernel=5)`; UserError for anything else."""
    inner, given = text.strip(), {}
    if inner.endswith(")"):
        inner, _, settings = inner[:-1].partition("(")
        given = _settings(text, settings)
    name, colon, widths = inner.rpartition(":")
    family = _family(name.strip() if colon else "dense", text)
    found = Architecture(_widths(text, widths.strip(), family), family.name, family.settings(given))
    return replace(found, typed=text.strip())


def _family(name: str, text: str) -> Family:
    if name not in FAMILIES:
        raise UserError(
            f"architecture '{text}' is not understood at '{name}': "
            f"the families are {', '.join(FAMILIES)}"
        )
    return FAMILIES[name]


def _settings(text: str, inner: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in inner.split(","):
        name, equals, value = (one.strip() for one in part.partition("="))
        if not (name and equals and value) or name in found:
            raise UserError(
                f"'{text}' is not understood at '{part}': write settings as (name=value, ...)"
            )
        found[name] = value
    return found


def _widths(text: str, inner: str, family: Family) -> tuple[int, ...]:
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
            example = "6,6 or [100, 100] or 6x5 (five layers of 6)"
            if family.name != "dense":
                example = f"{family.name}:8,8 or {family.name}:8x5 (five {family.layer}s of 8)"
            raise UserError(f"architecture '{text}' is not understood at '{part}': write {example}")
    return tuple(widths)
