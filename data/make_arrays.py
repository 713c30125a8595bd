"""Write `digits.npz` and `waves.npz`, the same arrays on every machine.

Run `python data/make_arrays.py`; `--into FOLDER` writes elsewhere. `README.md` beside this file
describes both files.
"""

import argparse
import itertools
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

HERE = Path(__file__).parent
SEED = 20120801
SIDE, DIGITS = 16, 1000
STEPS, WAVES = 48, 800

# Corners of each digit's strokes, on a field of 4 x 6, from the left and from the top.
STROKES = {
    0: [[(0, 1), (1, 0), (3, 0), (4, 1), (4, 5), (3, 6), (1, 6), (0, 5), (0, 1)]],
    1: [[(1, 1), (2, 0), (2, 6)], [(1, 6), (3, 6)]],
    2: [[(0, 1), (1, 0), (3, 0), (4, 1), (4, 2), (0, 6), (4, 6)]],
    3: [[(0, 0), (4, 0), (2, 2.5), (4, 4), (4, 5), (3, 6), (1, 6), (0, 5)]],
    4: [[(3, 6), (3, 0), (0, 4), (4, 4)]],
    5: [[(4, 0), (0, 0), (0, 3), (3, 3), (4, 4), (4, 5), (3, 6), (0, 6)]],
    6: [[(4, 0), (2, 0), (0, 3), (0, 5), (1, 6), (3, 6), (4, 5), (4, 4), (3, 3), (0, 3)]],
    7: [[(0, 0), (4, 0), (1, 6)]],
    8: [[(1, 3), (0, 2), (0, 1), (1, 0), (3, 0), (4, 1), (4, 2), (3, 3), (1, 3), (0, 4), (0, 5),
         (1, 6), (3, 6), (4, 5), (4, 4), (3, 3)]],
    9: [[(4, 3), (1, 3), (0, 2), (0, 1), (1, 0), (3, 0), (4, 1), (4, 3), (2, 6), (0, 6)]],
}  # fmt: skip

SHAPES = ("sine", "square", "triangle", "sawtooth")


def digits() -> dict[str, NDArray[np.uint8]]:
    """Drawn digits: `x` (rows, 16, 16, 1), 0 to 255; `y` (rows,), the digit."""
    draw = np.random.Generator(np.random.PCG64(SEED))
    labels = draw.permutation(np.arange(DIGITS) % len(STROKES))
    images = np.zeros((DIGITS, SIDE, SIDE, 1))
    for row, label in enumerate(labels):
        tilt, slant = draw.uniform(-0.15, 0.15), draw.uniform(-0.25, 0.25)
        wide, high = draw.uniform(1.7, 2.4), draw.uniform(1.6, 2.1)
        turn = np.array([[wide, slant * high], [tilt * wide, high]])
        middle = SIDE / 2 + draw.uniform(-1.2, 1.2, 2)
        pen, dark = draw.uniform(0.6, 1.0), draw.uniform(0.7, 1.0)
        for stroke in STROKES[int(label)]:
            corners = (np.array(stroke) - (2, 3)) @ turn.T + middle
            images[row, ..., 0] = np.maximum(images[row, ..., 0], dark * _ink(corners, pen))
    noisy = 255 * images + draw.normal(0, 12, images.shape)
    return {"x": np.clip(np.rint(noisy), 0, 255).astype(np.uint8), "y": labels.astype(np.uint8)}


def _ink(corners: NDArray[np.float64], pen: float) -> NDArray[np.float64]:
    """How dark each point is, by its distance from the nearest of the lines between corners."""
    y, x = np.mgrid[0:SIDE, 0:SIDE] + 0.5
    points = np.stack([x, y], axis=-1)
    distance = np.full((SIDE, SIDE), np.inf)
    for start, end in itertools.pairwise(corners):
        along = end - start
        part = np.clip((points - start) @ along / max(along @ along, 1e-9), 0, 1)
        apart = points - start - part[..., None] * along
        distance = np.minimum(distance, np.hypot(apart[..., 0], apart[..., 1]))
    return np.clip(1.5 - distance / pen, 0, 1)


def waves() -> dict[str, NDArray[np.int8 | np.uint8]]:
    """Waveforms under noise: `x` (rows, 48, 1), -127 to 127; `y` (rows,), which of `SHAPES`."""
    draw = np.random.Generator(np.random.PCG64(SEED))
    labels = draw.permutation(np.arange(WAVES) % len(SHAPES))
    turns = draw.uniform(1.5, 4, (WAVES, 1)) * np.arange(STEPS) / STEPS + draw.random((WAVES, 1))
    part = turns % 1
    forms = (
        np.sin(2 * np.pi * part),
        np.where(part < 0.5, 1.0, -1.0),
        4 * np.abs(part - 0.5) - 1,
        2 * part - 1,
    )
    clean = np.choose(labels[:, None], forms) * draw.uniform(0.5, 1, (WAVES, 1))
    values = 80 * clean + draw.normal(0, 12, clean.shape)
    return {
        "x": np.clip(np.rint(values), -127, 127).astype(np.int8)[..., None],
        "y": labels.astype(np.uint8),
    }


def make(folder: Path) -> list[Path]:
    """Write both files into `folder` and return their paths."""
    made = {"digits.npz": digits(), "waves.npz": waves()}
    for name, arrays in made.items():
        np.savez_compressed(folder / name, **arrays)
    return [folder / name for name in made]


if __name__ == "__main__":
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--into", type=Path, default=HERE)
    for path in make(asked.parse_args().into):
        print(path)
