"""The rooms of ARCHITECTURE.md: nothing imports from a room further down this list.

`python tests/test_house.py [FOLDER]` counts rooms, arrows and floors, of another copy's package
if a folder is given.
"""

import sys
from pathlib import Path

from house import House

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
    "layers",
    "race",
    "drift",
    "tune",
    "doctor",
    "history",
    "report",
    "suites",
    "cli",
    "api",
]
READS_WITHOUT_A_FRAMEWORK = {"stats", "store", "show", "report", "history", "costs", "explain"}
FRAMEWORKS = {"keras", "tensorflow", "jax", "torch"}
HOUSE = House()


def test_every_file_stands_in_a_room_that_is_named():
    assert HOUSE.rooms == set(ROOMS)


def test_nothing_imports_from_a_room_to_its_right():
    upwards = [
        str(one)
        for one in HOUSE.imports
        if one.to in ROOMS and ROOMS.index(one.to) > ROOMS.index(one.room)
    ]
    assert upwards == []


def test_what_only_reads_imports_no_framework():
    found = [
        str(one)
        for one in HOUSE.imports
        if one.room in READS_WITHOUT_A_FRAMEWORK and one.module.split(".")[0] in FRAMEWORKS
    ]
    assert found == []


def test_the_house_is_counted():
    print(f"\n{HOUSE.figures()}")  # noqa: T201 (seen with pytest -s)
    assert len(HOUSE.rooms) <= 24
    # Two doors, the command line and Python, lead to all the questions.
    assert len(HOUSE.arrows) <= 145
    assert HOUSE.floors <= 13


if __name__ == "__main__":
    print(House(*map(Path, sys.argv[1:])).figures())  # noqa: T201
