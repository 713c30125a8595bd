"""Rows of an Excel workbook, by pandas and openpyxl."""

import io
import warnings
from pathlib import Path

from nnbench.errors import UserError, first_line
from nnbench.machine import npz

DAMAGE = (
    *npz.UNREADABLE,
    *(OSError, LookupError, TypeError, AttributeError, SyntaxError),
    *(ArithmeticError, AssertionError),
)


def rows(path: Path, raw: bytes) -> tuple[list[list[str]], list[str]]:
    """The cells of its first sheet as text, and notes. Raises UserError where it cannot be read."""
    import pandas as pd

    try:
        with warnings.catch_warnings(action="ignore"):
            book = pd.ExcelFile(io.BytesIO(raw), engine="openpyxl")
            sheets = [str(name) for name in book.sheet_names]
            cells = book.parse(0, header=None, dtype=str, keep_default_na=False, na_values=[])
    except ImportError:
        raise UserError(
            f"{path} is a workbook, which openpyxl reads: pip install openpyxl, or save it as CSV"
        ) from None
    except DAMAGE as failure:
        reason = first_line(failure)
        raise UserError(f"{path} is a damaged workbook ({reason}): save it as CSV") from None
    found = [list(map(str, row)) for row in cells.fillna("").itertuples(index=False)]
    return found, [f"sheet {sheets[0]} of {len(sheets)}"] if len(sheets) > 1 else []
