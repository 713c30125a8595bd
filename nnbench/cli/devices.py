"""`nnbench devices`."""

from nnbench.cli.options import AsJson
from nnbench.machine.devices import survey
from nnbench.show.table import text_table
from nnbench.show.terminal import answer, waiting


def devices(as_json: AsJson = False) -> None:
    """What each backend can train on here."""
    with waiting("asking every backend for its devices"):
        found = survey()
    rows = [
        (one.backend, one.version or "-", name, description)
        for one in found
        for name, description in (
            [("-", one.problem)] if one.problem else [(d.name, d.description) for d in one.devices]
        )
    ]
    columns = ("backend", "version", "device", "what it is")
    answer(found, [text_table("", columns, rows)], as_json=as_json)
