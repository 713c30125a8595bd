"""How the cost of training grows along one axis."""

AXES: dict[str, tuple[int, ...]] = {
    "rows": (10**3, 10**4, 10**5, 10**6),
    "width": (4, 16, 64, 256, 1024, 4096),
    "depth": (1, 2, 4, 8, 16, 32, 64, 128),
    "batch": (8, 32, 128, 512, 2048),
}
"""The sizes along each axis."""
