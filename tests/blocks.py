"""The code blocks of README and docs, as they stand there."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(
    r"(?:^<!-- not run: (?P<reason>[^\n]+) -->\n)?"
    r"^```(?P<language>sh|python|toml)\n(?P<text>.*?)^```$",
    re.M | re.S,
)
MADE = ("_build", "_made", "_runs")
ELSEWHERE = (
    *("benchmarks/calibration/README.md", "benchmarks/calibration/history/README.md"),
    *("benchmarks/peers/README.md", "data/README.md", "results/README.md"),
    *("CONTRIBUTING.md", "ARCHITECTURE.md"),
    "examples/studies/README.md",
)
"""Pages that docs include from other folders."""


@dataclass(frozen=True)
class Block:
    """A block of code; `reason` says why it is not run, where it is not."""

    page: str
    language: str
    text: str
    reason: str | None

    @property
    def commands(self) -> list[str]:
        """Lines that a person types; one that ends in a backslash goes on."""
        lines = self.text.replace("\\\n", " ").splitlines()
        return [line for line in lines if line.strip() and not line.startswith(("#", ". "))]


def pages() -> list[Path]:
    """README, every page below docs that is written by hand, and those that they include."""
    written = [
        page
        for page in sorted((ROOT / "docs").rglob("*.md"))
        if not set(page.relative_to(ROOT / "docs").parts) & set(MADE)
    ]
    return [ROOT / "README.md", *written, *(ROOT / name for name in ELSEWHERE)]


def blocks() -> list[Block]:
    """All blocks of shell, Python and TOML."""
    return [
        Block(str(page.relative_to(ROOT)), found["language"], found["text"], found["reason"])
        for page in pages()
        for found in BLOCK.finditer(page.read_text())
    ]
