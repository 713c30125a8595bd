"""Output of a notebook's cell that is drawn anew: what a terminal redraws in place."""

import io
import sys
import threading
import time
from typing import Any

from rich.console import Console, RenderableType

WIDTH, REDRAWN_S = 100, 0.5
"""Its columns, and how often it is drawn at most: each time is a message to the notebook."""

SHOWN = '<pre style="font-size: 13px; line-height: 1.3; overflow-x: auto">{code}</pre>'


class CellOutput:
    """Shows what was last drawn; nothing before, nor once it is closed."""

    def __init__(self) -> None:
        self._shown: Any = None
        self._drawn_s = 0.0
        self._lock = threading.Lock()

    def draw(self, shown: RenderableType) -> None:
        """Show this instead, unless something was shown a moment ago."""
        with self._lock:
            if time.monotonic() - self._drawn_s < REDRAWN_S:
                return
            self._drawn_s = time.monotonic()
            file = io.StringIO()
            console = Console(file=file, record=True, width=WIDTH, highlight=False, markup=False,
                              emoji=False, force_jupyter=False)  # fmt: skip
            console.print(shown)
            marked = console.export_html(inline_styles=True, code_format=SHOWN, clear=False)
            self._show(console.export_text(), marked)

    def close(self) -> None:
        """Show nothing any more."""
        if self._shown is not None:
            self._show("", "")

    def _show(self, text: str, marked: str) -> None:
        from IPython.display import display

        data = {"text/plain": text, "text/html": marked}
        if self._shown is None:
            self._shown = display(data, raw=True, display_id=True)
        else:
            self._shown.update(data, raw=True)


def cell_output() -> CellOutput | None:
    """A new one of the cell that is run; None where this process is no notebook's."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return CellOutput() if getattr(shell, "kernel", None) is not None else None
