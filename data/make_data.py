"""Write `bank_note.csv` and `instagram_planning_norm.csv`, the same bytes on every machine.

Run `python data/make_data.py`; `--into FOLDER` writes elsewhere. `README.md` beside this file
describes both files.
"""

import argparse
import json
import math
import random
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
SEED = 20120801
BANK_NOTE_HEADER = ("feature_1", "feature_2", "feature_3", "feature_4", "is_fake")
BANK_NOTE_DECIMALS = 4
POSTS = 400
POST_HEADER = ("posting_hour", "hashtags", "caption_words", "days_since_last_post", "likes")
POST_DECIMALS = 4
NOISE_VARIANCE = 9.0


class Draws:
    """Seeded numbers built on `random.Random.random` alone.

    It is the one generator whose sequence Python promises to keep between versions; what
    differs between mathematics libraries, the last bit of a logarithm, is rounded away.
    """

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def uniform(self) -> float:
        """A number from 0 (included) to 1 (excluded)."""
        return self._random.random()

    def whole(self, first: int, last: int) -> int:
        """A whole number from `first` to `last`, both included."""
        return first + int(self.uniform() * (last - first + 1))

    def normal(self) -> float:
        """A number from the standard normal distribution (Box-Muller, cosine half)."""
        radius = math.sqrt(-2 * math.log(1 - self.uniform()))
        return radius * math.cos(2 * math.pi * self.uniform())

    def shuffled(self, rows: Iterable[list[str]]) -> list[list[str]]:
        """The rows in random order."""
        keyed = [(self.uniform(), row) for row in rows]
        return [row for _, row in sorted(keyed)]


def cholesky(matrix: Sequence[Sequence[float]]) -> list[list[float]]:
    """The lower triangle L with L L' = matrix, which is symmetric and positive definite."""
    lower = [[0.0] * len(matrix) for _ in matrix]
    for i in range(len(matrix)):
        for j in range(i + 1):
            rest = matrix[i][j] - math.fsum(lower[i][k] * lower[j][k] for k in range(j))
            lower[i][j] = math.sqrt(rest) if i == j else rest / lower[j][j]
    return lower


def bank_notes(mixture: dict[str, Any]) -> list[list[str]]:
    """Rows of `bank_note.csv`: each class drawn from its mixture, then shuffled together."""
    draws = Draws(SEED)
    rows = []
    for label, fitted in sorted(mixture["classes"].items()):
        factors = [cholesky(covariance) for covariance in fitted["covariances"]]
        for _ in range(fitted["rows"]):
            part = _pick(fitted["weights"], draws.uniform())
            normals = [draws.normal() for _ in fitted["means"][part]]
            features = [
                mean + math.fsum(a * b for a, b in zip(row, normals, strict=True))
                for mean, row in zip(fitted["means"][part], factors[part], strict=True)
            ]
            rows.append([*_fixed(features, BANK_NOTE_DECIMALS), label])
    return draws.shuffled(rows)


def posts() -> list[list[str]]:
    """Rows of `instagram_planning_norm.csv`: simulated posts, features standardised."""
    draws = Draws(SEED)
    plans, likes = [], []
    for _ in range(POSTS):
        hour, hashtags = draws.whole(6, 23), draws.whole(0, 30)
        words, days = draws.whole(1, 40), draws.whole(1, 14)
        expected = 26 + 0.9 * min(hashtags, 11) - 0.7 * abs(hour - 19) + 0.15 * words - 0.4 * days
        plans.append([hour, hashtags, words, days])
        likes.append(round(expected + math.sqrt(NOISE_VARIANCE) * draws.normal()))
    columns = [_standardised(column) for column in zip(*plans, strict=True)]
    return [
        [*_fixed(features, POST_DECIMALS), str(count)]
        for features, count in zip(zip(*columns, strict=True), likes, strict=True)
    ]


def write(path: Path, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Write a CSV file with line feeds only."""
    lines = [",".join(cells) for cells in (header, *rows)]
    path.write_bytes(("\n".join(lines) + "\n").encode("ascii"))


def make(folder: Path) -> list[Path]:
    """Write both files into `folder` and return their paths."""
    mixture = json.loads((HERE / "banknote_mixture.json").read_text(encoding="utf-8"))
    notes = folder / "bank_note.csv"
    plans = folder / "instagram_planning_norm.csv"
    write(notes, BANK_NOTE_HEADER, bank_notes(mixture))
    write(plans, POST_HEADER, posts())
    return [notes, plans]


def _pick(weights: Sequence[float], uniform: float) -> int:
    passed = 0.0
    for part, weight in enumerate(weights):
        passed += weight
        if uniform < passed:
            return part
    return len(weights) - 1


def _standardised(column: Sequence[float]) -> list[float]:
    mean = math.fsum(column) / len(column)
    deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in column) / len(column))
    return [(value - mean) / deviation for value in column]


def _fixed(values: Iterable[float], decimals: int) -> list[str]:
    # Adding 0.0 turns a rounded -0.0 into 0.0.
    return [f"{round(value, decimals) + 0.0:.{decimals}f}" for value in values]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--into", type=Path, default=HERE, help="folder to write to")
    for written in make(parser.parse_args().into):
        print(written)
