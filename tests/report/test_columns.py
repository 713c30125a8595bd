"""What the table of a run shows where a terminal is narrow."""

import pytest
from runs import TIMES_S, make_run

from nnbench.report import tables
from nnbench.report.run_analysis import analyse
from nnbench.show import terminal


def test_a_narrow_terminal_keeps_names_and_throughput(tmp_path, capsys):
    networks = {"6,6": TIMES_S, "residual:64x8": {**TIMES_S, "step": 0.004}}
    found = analyse(make_run(tmp_path, networks))
    (group,) = found.groups
    terminal.print_table(tables.cases(group), 80)
    narrow = capsys.readouterr().out
    assert max(map(len, narrow.splitlines())) <= 80
    told = " ".join(narrow.split())
    for shown in (
        "residual:64x8",
        "epoch",
        "step",
        "rows/s",
        "a wider terminal or --wide has trace",
    ):
        assert shown in told
    terminal.print_table(tables.cases(group), 200)
    wide = capsys.readouterr().out
    assert "trace" in wide.splitlines()[3]
    assert "wider terminal" not in wide
    (first, _) = found.summaries
    assert first.rows_per_s.value * first.times["step"].value == pytest.approx(1372)
    assert first.rows_per_s.low < first.rows_per_s.value < first.rows_per_s.high
