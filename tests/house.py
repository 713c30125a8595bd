"""The package as its imports tell it: files, rooms (what stands at its root), arrows between."""

import ast
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import nnbench


@dataclass(frozen=True)
class Import:
    """One module that a file imports; `typed` where only type checkers follow it."""

    file: str
    room: str
    module: str
    typed: bool

    @property
    def to(self) -> str | None:
        """The room that is imported; None outside the package."""
        first, _, rest = self.module.partition(".")
        return rest.partition(".")[0] if first == "nnbench" and rest else None

    def __str__(self) -> str:
        return f"{self.file} imports {self.module}"


class House:
    """All files below the package's folder; those at the root whose names have __ are no rooms."""

    def __init__(self, folder: Path = Path(nnbench.__file__).parent) -> None:
        self.folder = folder

    @cached_property
    def trees(self) -> dict[str, ast.Module]:
        """The syntax tree of each file, by its path below the package."""
        found = sorted(self.folder.rglob("*.py"))
        names = {str(file.relative_to(self.folder)): file for file in found}
        return {
            name: ast.parse(file.read_text())
            for name, file in names.items()
            if not name.startswith("__")
        }

    @cached_property
    def rooms(self) -> set[str]:
        return {_room(file) for file in self.trees}

    @cached_property
    def imports(self) -> list[Import]:
        """Every import anywhere, in functions too."""
        return [
            Import(file, _room(file), module, typed)
            for file, tree in self.trees.items()
            for module, typed in _imported(tree, typed=False)
        ]

    @cached_property
    def arrows(self) -> set[tuple[str, str]]:
        """Pairs of rooms of which the first imports the second."""
        return {
            (one.room, one.to)
            for one in self.imports
            if one.to in self.rooms and one.to != one.room
        }

    @cached_property
    def floors(self) -> int:
        """How many rooms the longest way of imports goes through; ways that meet again end."""
        below = {room: {to for one, to in self.arrows if one == room} for room in self.rooms}
        known: dict[str, int] = {}

        def height(room: str, above: tuple[str, ...]) -> int:
            if room not in known:
                lower = [height(to, (*above, room)) for to in below[room] - {room, *above}]
                known[room] = 1 + max(lower, default=0)
            return known[room]

        return max(height(room, ()) for room in self.rooms)

    @property
    def lines(self) -> int:
        return sum(len(file.read_text().splitlines()) for file in self.folder.rglob("*.py"))

    def calls(self, file: str) -> list[str]:
        """What a file calls: `open` for a function of that name, `.open` for a method."""
        found = []
        for node in ast.walk(self.trees[file]):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                found.append(node.func.id)
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                found.append(f".{node.func.attr}")
        return found

    def figures(self) -> str:
        """What a person compares two houses by."""
        return (
            f"{len(self.rooms)} rooms, {len(self.arrows)} arrows between them, "
            f"{self.floors} floors, {len(self.trees)} files, {self.lines:,} lines"
        )


def _room(file: str) -> str:
    return Path(file).parts[0].removesuffix(".py")


def _imported(node: ast.AST, *, typed: bool):
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from ((alias.name, typed) for alias in child.names)
        elif isinstance(child, ast.ImportFrom) and child.module:
            if child.module == "nnbench":
                yield from ((f"nnbench.{alias.name}", typed) for alias in child.names)
            else:
                yield child.module, typed
        elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            for part in child.body:
                yield from _imported(ast.Module([part], []), typed=True)
            for part in child.orelse:
                yield from _imported(ast.Module([part], []), typed=typed)
        else:
            yield from _imported(child, typed=typed)
