"""Colours of all figures, on light and dark ground, and the signs that tell series without them.

A phase has its colour in every figure that shows phases, and nothing else has it there; a network
has its colour and its marker in every figure of a page. All of them differ from the ground by a
contrast of 3:1 at least (WCAG 2.2, 1.4.11). The hues are Okabe and Ito's, which all can see,
darker where theirs are too bright for white.
"""

from nnbench.phases import BUILD, COLD, COMPILE, EPOCH, FIRST_STEP, PREPARE, STEP, TRACE

COLOURS = {
    BUILD: "#858585",
    PREPARE: "#968300",
    TRACE: "#2f86b8",
    COMPILE: "#00558a",
    FIRST_STEP: "#b5548f",
    "later steps": "#d55e00",
    "epoch overhead": "#a87400",
    "rest": "#ffffff",
    COLD: "#222222",
    EPOCH: "#008f68",
    STEP: "#d55e00",
}

HATCHES = {TRACE: r"\\", "epoch overhead": "||", "rest": "///", PREPARE: "--"}
"""Phases whose neighbours in a bar are as dark as they are."""

SERIES_COLOURS = (
    *("#0072b2", "#d55e00", "#008f68", "#b5548f"),
    *("#008ba3", "#a87400", "#767676", "#222222"),
)

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
SIGNS = dict(zip(MARKERS, "●■▲◆▼✚✖★", strict=True))
"""Markers of charts, and the same as text."""

PAPER, DARK_PAPER = "#ffffff", "#17181a"

LIGHT_ON_FILLS, DARK_ON_FILLS = "#fefefe", "#111111"
"""White and black on what keeps its colour on dark ground, and so do they."""

ON_DARK = {
    "#858585": "#9d9d9d",
    "#968300": "#d6c53a",
    "#2f86b8": "#7cc4ef",
    "#00558a": "#4a8fd0",
    "#b5548f": "#e58fc4",
    "#d55e00": "#ff8442",
    "#a87400": "#f0b429",
    "#222222": "#eeeeee",
    "#008f68": "#2fc493",
    "#0072b2": "#4aa8e0",
    "#008ba3": "#4cc8e0",
    "#767676": "#a9a9a9",
    "#555555": "#a5a5a5",
    "#444444": "#c8c8c8",
    "#888888": "#8f8f8f",
    "#999999": "#8f8f8f",
    "#b0b0b0": "#4a4b4f",
    "#bbbbbb": "#55565a",
    "#cccccc": "#45464a",
    "#dddddd": "#38393c",
    PAPER: DARK_PAPER,
}
"""What each colour is on dark ground; black is the colour of the text around it."""


def sign(number: int) -> tuple[str, str]:
    """Colour and marker of the network of this number: 64 of them before any comes again."""
    colours = len(SERIES_COLOURS)
    return SERIES_COLOURS[number % colours], MARKERS[number // colours % len(MARKERS)]


def variable(colour: str) -> str:
    """The name under which a page's style holds a colour."""
    return f"--c{colour[1:]}"


def style() -> str:
    """The colours as variables of a page's style, for light and dark ground and for paper."""
    light = "".join(f"{variable(one)}:{one};" for one in ON_DARK)
    dark = "".join(f"{variable(one)}:{other};" for one, other in ON_DARK.items())
    return f":root{{{light}}}@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}"
