"""UCI's bank note data, downloaded on request, checked, standardised and kept in the cache."""

import hashlib
import io
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from nnbench.errors import UserError
from nnbench.machine import cache, whole_file
from nnbench.workload.datasets import file_text
from nnbench.workload.datasets.from_csv import Choice, load_csv

PAGE = "https://archive.ics.uci.edu/dataset/267/banknote+authentication"
MIRRORS = (
    "https://archive.ics.uci.edu/ml/machine-learning-databases/00267/"
    "data_banknote_authentication.txt",
    "https://archive.ics.uci.edu/static/public/267/banknote+authentication.zip",
)
SHA256 = "50573e4d341c0c211668136a8b83b592b8dda436520785c3cc3d536fe407a157"
LICENCE = "CC BY 4.0, https://creativecommons.org/licenses/by/4.0/"
CITATION = (
    "Lohweg, V. (2012). Banknote Authentication [Dataset]. "
    "UCI Machine Learning Repository. https://doi.org/10.24432/C55P57"
)
HEADER = ("feature_1", "feature_2", "feature_3", "feature_4", "is_fake")
TIMEOUT_S = 20
STILL = "the shipped data keeps working"


@dataclass(frozen=True)
class Fetched:
    """The stored file, where it came from, and what its licence asks to be shown."""

    path: Path
    origin: str
    licence: str = LICENCE
    citation: str = CITATION


def cached_path() -> Path:
    """Where the standardised original is kept; NNBENCH_CACHE moves the folder."""
    return cache.folder() / "bank_note_original.csv"


def fetch(*, from_file: str | Path | None = None, mirrors: Sequence[str] = MIRRORS) -> Fetched:
    """Get the original, check it, standardise each feature and store it for `load("banknotes")`.

    Each mirror gets `TIMEOUT_S` seconds; `from_file` is a copy (text or UCI's zip). Raises
    UserError, storing nothing, without a network, for another file and an unwritable cache.
    """
    if from_file is not None:
        path = Path(from_file).expanduser()
        return _store(_verified_file(path), str(path))
    import pooch

    failures = []
    for url in mirrors:
        host = urlsplit(url).netloc
        try:
            received = io.BytesIO()
            pooch.HTTPDownloader(timeout=TIMEOUT_S)(url, received, None)
            return _store(_verified(received.getvalue()), url)
        except OSError as error:
            failures.append(f"{host}: {_reason(error)}")
        except ValueError:
            failures.append(f"{host}: the download is damaged or not the original")
    raise UserError(
        f"the original bank notes could not be downloaded ({'; '.join(failures)}): nothing was "
        f"stored, {STILL}; with a network try again, or take the file from {PAGE}"
    )


def forget() -> bool:
    """Remove the stored original, so that the shipped data is used again; False if none was."""
    path = cached_path()
    try:
        path.unlink()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise UserError(f"{path} cannot be removed ({_reason(error)}): remove it by hand") from None
    return True


def _verified_file(path: Path) -> str:
    try:
        return _verified(file_text.contents(path))
    except ValueError:
        raise UserError(
            f"{path} is not the original bank note file (its SHA-256 differs): nothing was "
            f"stored, {STILL}; take the file from {PAGE}"
        ) from None


def _verified(content: bytes) -> str:
    """The text with line feeds only; ValueError unless its SHA-256 is the pinned one."""
    if content.startswith(b"PK"):
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                content = archive.read("data_banknote_authentication.txt")
        except (KeyError, *file_text.DAMAGE) as error:
            raise ValueError("not the original") from error
    normal = content.replace(b"\r\n", b"\n").rstrip() + b"\n"
    if hashlib.sha256(normal).hexdigest() != SHA256:
        raise ValueError("not the original")
    return normal.decode("ascii")


def _store(text: str, origin: str) -> Fetched:
    path = cached_path()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            raw = Path(folder) / "raw.csv"
            raw.write_text(text, encoding="ascii", newline="\n")
            scaled = Choice(HEADER[-1], task="classification", standardise=True)
            data = load_csv(raw, scaled, name="banknotes", source="", header=HEADER)
        lines = [",".join(HEADER)]
        for features, (label,) in zip(data.features, data.labels, strict=True):
            lines.append(",".join([*(f"{value:.6f}" for value in features), f"{label:.0f}"]))
        whole_file.write(path, "\n".join(lines) + "\n")
    except OSError as error:
        raise UserError(
            f"the original cannot be stored in {path.parent} ({_reason(error)}): set "
            f"NNBENCH_CACHE to a folder that can be written; {STILL}"
        ) from None
    return Fetched(path=path, origin=origin)


def _reason(error: OSError) -> str:
    # Pooch downloads with requests, whose errors are OSErrors that may hold the answer.
    response = getattr(error, "response", None)
    if response is not None:
        return f"answered {response.status_code}"
    return (error.strerror or "cannot be reached").lower()
