"""Rows of an Excel workbook, by pandas and the engine that it asks for."""

import io
from pathlib import Path

from nnbench.errors import UserError
from nnbench.machine import npz

DAMAGE = (*npz.UNREADABLE, OSError, LookupError, TypeError, AttributeError, SyntaxError)


def rows(path: Path, raw: bytes) -> tuple[list[list[str]], list[str]]:
    """The cells of its first sheet as text, and notes. Raises UserError where it cannot be read."""
    import pandas as pd

    try:
        with pd.ExcelFile(io.BytesIO(raw)) as book:
            sheets = [str(name) for name in book.sheet_names]
            cells = book.parse(0, header=None, dtype=str, keep_default_na=False, na_values=[])
    except ImportError as failure:
        needed = str(getattr(failure.__cause__, "name", None) or "openpyxl").replace("_", "-")
        raise UserError(
            f"{path} is a workbook, which {needed} reads: pip install {needed}, or save it as CSV"
        ) from None
    except DAMAGE as failure:
        raise UserError(f"{path} is a damaged workbook ({failure}): save it as CSV") from None
    found = [list(map(str, row)) for row in cells.fillna("").itertuples(index=False)]
    return found, [f"sheet {sheets[0]} of {len(sheets)}"] if len(sheets) > 1 else []
