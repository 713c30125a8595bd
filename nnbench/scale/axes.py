"""The axes that a cost can grow along: rows, width, depth, batch, a family's settings, parameters.

`depth` has sizes that are usual, `depth=1..8` those that are named. Along rows and batch the data
changes, along all others the network: an architecture's widths and settings, or the parameters of a
person's function.
"""

import re
from dataclasses import dataclass, replace

from nnbench.errors import UserError
from nnbench.machine import devices
from nnbench.workload import networks, quantities, user_model
from nnbench.workload.architecture import Architecture
from nnbench.workload.case import Case
from nnbench.workload.networks import Network
from nnbench.workload.study import Networks
from nnbench.workload.user_model import UserModel

AXES: dict[str, tuple[int, ...]] = {
    "rows": (10**3, 10**4, 10**5, 10**6),
    "width": (4, 16, 64, 256, 1024, 4096),
    "depth": (1, 2, 4, 8, 16, 32, 64, 128),
    "batch": (8, 32, 128, 512, 2048),
}
"""The usual sizes along each axis for Dense networks."""

OF_OTHERS: dict[str, tuple[int, ...]] = {
    "rows": (128, 512, 2048, 8192),
    "width": (8, 16, 32, 64, 128),
    "depth": (1, 2, 4, 8),
    "batch": (8, 32, 128, 512),
}
"""Those for other families, whose steps take longer."""

OF_DATA = ("rows", "batch")
OF_WIDTHS = ("width", "depth")

REPLICAS = "replicas"
USUAL_REPLICAS = (1, 2)
"""How many devices train one network together: an axis by itself, see `scale.replicas`."""

BASE = "6x2"
"""The network where none is named: it has these sizes on the axes that are not varied."""


@dataclass(frozen=True)
class Axis:
    """What is varied, through which sizes; `words` is that on a chart."""

    name: str
    sizes: tuple[float, ...]
    network: Network
    words: str

    def at(self, size: float) -> Network:
        """The network of this size."""
        return self.network if self.name in OF_DATA else _changed(self.network, self.name, size)


def base(asked: Networks) -> Network:
    """The network that is varied. Raises UserError for more than one."""
    found = asked.parsed() or networks.parse([BASE])
    if len(found) > 1:
        raise UserError(f"an axis varies one network: name one, not {len(found)}")
    return found[0]


def read(text: str, network: Network) -> Axis:
    """Read `depth` or `depth=1..8` for a network. Raises UserError for what cannot be varied."""
    name, equals, values = (part.strip() for part in text.partition("="))
    known = [*OF_DATA, *_varied(network)]
    if name not in known:
        if user_model.is_model(name) or ":" in name or name[:1].isdigit():
            raise UserError(f"{text} is no axis: name the network with --network {name}")
        raise UserError(
            f"unknown axis '{name}': choose from {', '.join(sorted(known, key=_order))}"
        )
    if equals:
        sizes = tuple(sorted({_number(name, one) for one in networks.values(name, values)}))
    else:
        usual = AXES if isinstance(network, UserModel) or network.family == "dense" else OF_OTHERS
        if name not in (OF_DATA if isinstance(network, UserModel) else usual):
            raise UserError(f"there are no usual sizes of {name}: write {name}=2,4,8")
        sizes = usual[name]
    if len(sizes) < 2:
        raise UserError(f"{text} is one size: along an axis there are two at least")
    if name in OF_DATA:
        least = 2 if name == "rows" else 1
        for size in sizes:
            quantities.check(f"number of {name}", size, least, quantities.MOST_ROWS)
    axis = Axis(name, sizes, network, _words(network, name))
    for size in sizes:
        axis.at(size)
    return axis


def is_replicas(text: str) -> bool:
    """Whether `replicas` or `replicas=1,2` was written."""
    return text.partition("=")[0].strip() == REPLICAS


def replicas(text: str) -> tuple[int, ...]:
    """The numbers of devices, one always among them. Raises UserError for what is none."""
    _, equals, values = (part.strip() for part in text.partition("="))
    if not equals:
        return USUAL_REPLICAS
    texts = networks.values(REPLICAS, values)
    for one in texts:
        if not re.fullmatch(f"1|{devices.REPLICAS}", one, re.ASCII):
            raise UserError(f"{REPLICAS}={one} is no number of devices: write {REPLICAS}=1,2")
    found = [int(one) for one in texts]
    if set(found) == {1}:
        raise UserError(f"{text} is one device: write replicas=1,2")
    return tuple(sorted({1, *found}))


def size_of(case: Case, name: str) -> float:
    """Where a case lies on an axis."""
    if name in OF_DATA:
        return case.rows if name == "rows" else case.batch_rows
    if case.architecture is None:
        found = dict(user_model.parse(str(case.model)).arguments)[name]
    elif name in OF_WIDTHS:
        widths = case.architecture.widths
        return max(widths) if name == "width" else len(widths)
    else:
        found = case.architecture.knobs[name]
    assert isinstance(found, int | float)
    return found


def _varied(network: Network) -> list[str]:
    """What of a network is a number."""
    if isinstance(network, Architecture):
        knobs = network.knobs.items()
        return [*OF_WIDTHS, *(name for name, value in knobs if _is_number(value))]
    known = {} if network.is_saved else user_model.parameters_of(network.reference)
    if known is None:
        # A function of a module tells its parameters only when it is called.
        return [name for name, value in network.arguments if _is_number(value)]
    return [name for name, one in known.items() if one.kind in (int, float, None)]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _order(name: str) -> int:
    usual = list(AXES)
    return usual.index(name) if name in usual else len(usual)


def _number(name: str, text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        raise UserError(f"'{text}' in {name}= is no number, nor a range such as 1..8") from None
    if not 0 < found <= quantities.MOST_ROWS:
        raise UserError(f"{name}={text} has no place on an axis: sizes are above 0")
    return int(found) if found.is_integer() else found


def _changed(network: Network, name: str, size: float) -> Network:
    if isinstance(network, UserModel):
        given = {one: str(value) for one, value in network.arguments}
        return user_model.with_arguments(network.reference, {**given, name: str(size)})
    if name not in OF_WIDTHS:
        given = {one: str(value) for one, value in network.settings}
        settings = network.kind.settings({**given, name: str(size)})
        return replace(network, settings=settings)
    if not isinstance(size, int):
        raise UserError(f"a {name} of {size} cannot be built: it is a whole number")
    if name == "width":
        return replace(network, widths=(size,) * network.depth)
    if len(set(network.widths)) > 1:
        raise UserError(f"along depth layers are equally wide: {network} has others, try {BASE}")
    return replace(network, widths=network.widths[:1] * size)


def _words(network: Network, name: str) -> str:
    if name == "batch":
        return "rows in a batch"
    if name == "rows":
        return "rows of data"
    if isinstance(network, UserModel):
        return f"{name} of {network.name}"
    layers = f"{network.kind.layer}s"
    if name == "width":
        return f"width of each of {network.depth} {layers}"
    if name == "depth":
        return f"depth, {layers} of {network.widths[0]}"
    return f"{name} of {network.name}: {network.kind.knobs[name].meaning}"
