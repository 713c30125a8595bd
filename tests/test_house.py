"""The rooms of ARCHITECTURE.md: nothing imports from a room to its right."""

import ast
from pathlib import Path

import nnbench

HOUSE = Path(nnbench.__file__).parent
ROOMS = [
    "errors",
    "phases",
    "machine",
    "workload",
    "show",
    "training",
    "store",
    "stats",
    "measure",
    "scale",
    "costs",
    "explain",
    "race",
    "drift",
    "doctor",
    "history",
    "report",
    "suites",
    "cli",
]
READS_WITHOUT_A_FRAMEWORK = {"stats", "store", "show", "report", "history", "costs", "explain"}
FRAMEWORKS = {"keras", "tensorflow", "jax", "torch"}


def files():
    for file in sorted(HOUSE.rglob("*.py")):
        room = file.relative_to(HOUSE).parts[0].removesuffix(".py")
        if not room.startswith("__"):
            yield room, file


def imported(file):
    """Names of the modules that a file imports anywhere, in functions too."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            if node.module == "nnbench":
                yield from (f"nnbench.{alias.name}" for alias in node.names)
            else:
                yield node.module


def test_every_file_stands_in_a_room_that_is_named():
    assert {room for room, _ in files()} == set(ROOMS)


def test_nothing_imports_from_a_room_to_its_right():
    upwards = [
        f"{file.relative_to(HOUSE)} imports {module}"
        for room, file in files()
        for module in imported(file)
        if module.startswith("nnbench.")
        and module.split(".")[1] in ROOMS
        and ROOMS.index(module.split(".")[1]) > ROOMS.index(room)
    ]
    assert upwards == []


def test_what_only_reads_imports_no_framework():
    found = [
        f"{file.relative_to(HOUSE)} imports {module}"
        for room, file in files()
        if room in READS_WITHOUT_A_FRAMEWORK
        for module in imported(file)
        if module.split(".")[0] in FRAMEWORKS
    ]
    assert found == []
