"""Options that make no sense are refused in a line, before anything heavy is imported."""

import json
import os
import subprocess
import sys

import pytest
from projects import LIMIT_S

from nnbench.cli import COMMANDS

HEAVY = ["numpy", "pandas", "scipy", "matplotlib", "pyarrow", "keras", "tensorflow", "jax", "torch"]

RUN_ALL = """
import contextlib, io, json, sys
from nnbench.cli import main

commands, heavy = json.load(sys.stdin)
answers = []
for command in commands:
    sys.argv = ["nnbench", *command]
    out, errors, status = io.StringIO(), io.StringIO(), 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
        try:
            main()
        except SystemExit as end:
            status = end.code or 0
    loaded = [name for name in heavy if name in sys.modules]
    answers.append([status, out.getvalue(), errors.getvalue(), loaded])
print(json.dumps(answers))
"""

LONG = "x" * 300
DIGITS = "9" * 5000
COUNTS = ["0", "-1", "2.5", DIGITS]
NUMBERS = ["nan", "inf", "-1", ""]
EFFORT = [
    *(("--launches", value) for value in [*COUNTS, "300", "1e3", "nan", "9" * 4000, "", "many"]),
    *(("--blocks", value) for value in ["0", str(10**9)]),
    *(("--seed", value) for value in ["-1", "2.5", str(2**32), DIGITS]),
    *(("--limit", value) for value in [*NUMBERS, "0", "-inf", "1e999", "1e12"]),
    *(("--budget", value) for value in [*NUMBERS, "0", "0min", DIGITS, "-5min"]),
    *(("--precision", value) for value in [*NUMBERS, "0", "100%", DIGITS]),
]
TRAINED = [
    *(("--epochs", value) for value in [*COUNTS, str(10**12)]),
    *(("--batch", value) for value in [*COUNTS, "²", str(10**12)]),
    *(("--threads", value) for value in ["0", "2.5", DIGITS]),
    *(("--backend", value) for value in ["caffe", "jax,jax", "", LONG, "jax,"]),
    *(("--device", value) for value in ["tpu", "gpu:-1", f"gpu:{DIGITS}", ""]),
    *(("--path", value) for value in ["fast", "fit,fit", ""]),
    *((f"--{name}", "[/]") for name in ("optimizer", "loss", "activation", "dtype", "jit")),
    ("--label", ""),
]
NAMES = [("--name", value) for value in [LONG, "../../x", "/tmp/x", "..", ""]]
NETWORKS = ["", "0", DIGITS, f"{DIGITS}x2", "6x0", f"6x{10**6}", "6,,6", "[6", "2.5", "\x1b[2J"]
GRIDS = ["depth=1..10000 width=1..10000", "depth=1", f"depth={DIGITS} width=1", "width=2..1"]
OTHERS = ["conv:32x4", "package.module:build", "package.module:build(depth=4)"]
"""Networks of which the cost model knows nothing."""

REFUSED = {
    "run": [
        *(*EFFORT, *TRAINED, *NAMES, *((one,) for one in NETWORKS + GRIDS)),
        *(("--precision", "1e-300%"), ("--results", ""), ("--resume", "--fresh")),
        ("--resume",),
    ],
    "compare": [
        *(("a",), ("--margin", "nan"), ("a", "b", "--margin", "200%"), ("--launches", "0")),
        *((".", "."), ("--against", "HEAD")),
    ],
    "scale": [
        *(("hight",), ("rows", "rows"), ("depth", "--limit", "nan"), ("depth", "--name", "..")),
        (),
    ],
    "calibrate": [*(("--budget", value) for value in ["0", "nan", "long", ""]), ("conv:8x2",)],
    "predict": [
        *((one,) for one in NETWORKS),
        *(("6,6", "--rows", one) for one in COUNTS),
        (),
        ("6,6",),
        *((one,) for one in OTHERS),
    ],
    "explain": [("6,6",), ("6,6", "6x2"), ("6,6", "0"), ("6,6", "6x3", "--limit", "nan")],
    "layers": [*((), ("0",), ("6,6 6x3",), ("6,6", "--launches", "0")), ("6x2", "--limit", "nan")],
    "tune": [
        *((), ("0",), ("6,6 5,5",), ("6,6", "--keep", "luck"), ("6,6", "--path", "fit,compiled")),
        *(("6,6", "--budget", value) for value in ("0", "nan")),
        *(("6,6", "--limit", "nan"), ("6,6", "--epochs", "1"), ("6,6", "--name", "..")),
        *(("6,6", "--steps-per-execution", one) for one in COUNTS),
        ("6,6", "--source", "[/]"),
    ],
    "report": [(), ("--nothing",)],
    "advise": [
        *((), ("0",), ("--params", "0"), ("--budget-per-epoch", "0"), ("6", "--rows", "1")),
        ("6,6",),
        *((one,) for one in OTHERS),
    ],
    "race": [("--seeds", "0"), ("--seeds", "300"), ("--target-loss", "nan"), ("--limit", "nan")],
    "show": [*((one,) for one in NETWORKS), ("6,6", "--batch", "0")],
    "train": [("0",), ("--epochs", "0"), ("--seed", "-1"), ("--seed", DIGITS), ("--task", "")],
    "worker": [("--nothing",), ("here",), ("tcp://",), ("tcp://a:1", "--name", "a/b")],
    "devices": [("--nothing",)],
    "doctor": [("--launches", "1"), ("--limit", "nan"), ("--path", "fit,compiled")],
    "data": [("shew",), ("show",), ("show", "x", "--nothing"), ("fetch", "--nothing")],
    "drift": [
        *(("--seeds", value) for value in [*COUNTS, "1000"]),
        *(("--trainings", value) for value in ["1", "10000"]),
        *(("--limit", value) for value in NUMBERS),
        *((f"--{name}", "luck") for name in ("policies", "conditions")),
        *(("show", "."), ("check", "."), ("compare", ".", ".")),
        *(("record", "g", "--policy", one) for one in ("luck", "")),
        *(("record", "g", "--seed", one) for one in ("-1", str(2**32))),
        *(("record", "g", "--relative", one) for one in NUMBERS),
        *(("check", "g", "--ulp", one) for one in NUMBERS),
    ],
    "history": [
        *(("check", "--least", value) for value in [*NUMBERS, "0"]),
        *(("check", "--false-alarms", value) for value in NUMBERS),
        *(("--match", value) for value in ["(", "a{99999999999999999999}", "("]),
        *(("record", "A..B", "--together", value) for value in ["0", "2.5"]),
        *(("record", "A..B", "--launches", value) for value in ("0", "300", "nan")),
        ("bisect", "A", "--phase", "sleep"),
        ("annotate", "A", "text", "--match", "("),
    ],
}


@pytest.fixture(scope="module")
def answered(tmp_path_factory):
    """Run many commands in one fresh process."""

    def call(commands):
        ran = subprocess.run(
            [sys.executable, "-c", RUN_ALL],
            input=json.dumps([commands, HEAVY]),
            cwd=tmp_path_factory.mktemp("options"),
            env={**os.environ, "KERAS_BACKEND": "jax"},
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr[-2000:]
        return zip(commands, json.loads(ran.stdout), strict=True)

    return call


def test_every_command_refuses_in_a_line_before_it_imports_anything_heavy(answered):
    assert REFUSED.keys() == COMMANDS.keys()
    commands = [[name, *options] for name, many in REFUSED.items() for options in many]
    wrong = [
        ([word[:30] for word in command], status, errors[:300], loaded)
        for command, (status, out, errors, loaded) in answered(commands)
        if (status, out, errors.count("\n"), loaded) != (2, "", 1, [])
        or not errors.startswith("nnbench: ")
        or len(errors) > 700
    ]
    assert wrong == []


def test_every_help_imports_nothing_heavy(answered):
    below = {"data": ["list", "show", "fetch"], "drift": ["show", "record", "check", "compare"]}
    below["history"] = ["export", "check", "chart", "annotate", "record", "bisect"]
    commands = [[name, "--help"] for name in COMMANDS]
    commands += [[name, one, "-h"] for name, them in below.items() for one in them]
    for command, (status, out, errors, loaded) in answered(commands):
        assert (status, errors, loaded) == (0, "", []), command
        assert f"nnbench {' '.join(command[:-1])}" in " ".join(out.split()), command


def test_what_was_refused_names_the_option_or_its_kind_and_the_mend(answered):
    told = {
        ("--launches", "300"): "300 is no number of launches: it goes from 1 to 200",
        ("--limit", "nan"): "nan is no limit in seconds: it goes from 0.001 to 1,000,000",
        ("--blocks", "2.5"): "--blocks: '2.5' is no whole number",
        ("--label", ""): '"" for --label. nothing is given',
        ("--budget", "0"): "'0' is no time: it is above 0",
        ("--name", "../../x"): "'../../x' is no name: at most 100 characters, and no /",
        ("--backend", "jax,jax"): "'jax,jax' names one of them twice",
    }
    for command, (_, _, errors, _) in answered([["run", "6,6", *one] for one in told]):
        assert told[tuple(command[2:])] in errors


def test_what_the_cost_model_does_not_know_is_named_with_the_command_that_times_it(answered):
    commands = [[name, one] for name in ("advise", "calibrate") for one in OTHERS]
    for command, (_, _, errors, _) in answered(commands):
        assert f"{command[1]} is timed by nnbench run" in errors


def test_a_word_too_many_is_named_with_where_to_look(nnbench):
    answer = nnbench("drift", "6,6")
    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr.strip() == (
        "nnbench: '6,6' has no place in this command: nnbench drift -h lists its options"
    )
