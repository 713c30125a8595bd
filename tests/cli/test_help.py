"""`nnbench --help` answers before anything heavy is imported (`benchmarks/start.py` times it)."""

import re
import subprocess
import sys

from nnbench.cli import COMMANDS

HEAVY = {"numpy", "pandas", "matplotlib", "scipy", "keras", "tensorflow", "jax", "torch", "typer"}


def test_help_lists_every_command_and_imports_nothing_heavy(tmp_path):
    answer = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "nnbench", "--help"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    imported = set(re.findall(r"\| *([\w.]+)$", answer.stderr, re.M))
    assert "nnbench.cli" in imported
    assert not HEAVY & imported
    assert not any(name.startswith("nnbench.cli.") for name in imported)
    for command in COMMANDS:
        assert command in answer.stdout
