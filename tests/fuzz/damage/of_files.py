"""Damage that makes sense for a file, by how its name ends."""

from fuzz.damage import in_archives, in_bytes, in_json, in_lines, in_settings, in_tables, of_commits
from hypothesis import strategies as st

BY_ENDING = {
    "json": in_json,
    "jsonl": in_lines,
    "toml": in_settings,
    "txt": in_settings,
    "csv": in_tables,
    "npz": in_archives,
}


def _ending(name):
    return name.rpartition(".")[2]


def damages(name, content):
    """Damage to a file of this name that holds `content`."""
    if _ending(name) == "git":
        return of_commits.damages()
    if _ending(name) not in BY_ENDING:
        return in_bytes.damages()
    inside = BY_ENDING[_ending(name)].damages(content)
    return st.one_of(inside, inside, inside, in_bytes.damages())


def applied(name, content, damage):
    """The bytes of a file after damage to them."""
    if damage.what in (*in_bytes.BYTES, *in_bytes.AT):
        return in_bytes.applied(content, damage)
    return BY_ENDING[_ending(name)].applied(content, damage)
