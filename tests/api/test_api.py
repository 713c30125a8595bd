"""The Python API: what it takes, what it returns and how that is shown, nearly without training."""

import base64
import importlib
import inspect
import subprocess
import sys
import threading
import traceback

import numpy as np
import pytest
import runs

import nnbench
from nnbench.api.given import given
from nnbench.errors import UserError
from nnbench.show import html
from nnbench.workload import datasets, handed
from nnbench.workload.study import Study

TIMES_S = {"6,6": runs.TIMES_S, "100,100": {**runs.TIMES_S, "step": 0.004, "epoch": 0.06}}

DEFINED = """
import keras_like
class Layer:
    units = 3
    def call(self, x):
        return super().call(x) * self.units
def helper(n):
    return [n] * 3
def build():
    return Layer(), helper(4), "some text"
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """A run as `nnbench.load` reads it from a path that is a text."""
    made = runs.make_run(tmp_path_factory.mktemp("made"), TIMES_S)
    return nnbench.load(str(made.folder))


def test_importing_it_is_cheap_and_lists_the_functions():
    code = (
        "import sys, nnbench\n"
        "print(*dir(nnbench))\n"
        "slow = {'pandas', 'matplotlib', 'keras', 'numpy', 'scipy', 'rich'}\n"
        "sys.exit(', '.join(slow & set(sys.modules)) or 0)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    named = "compare explain fast_fit layers load predict run train tune"
    assert set(named.split()) < set(ended.stdout.split())


@pytest.mark.parametrize(
    "name", ["compare", "explain", "layers", "predict", "run", "train", "tune"]
)
def test_options_are_those_of_the_command_line(name):
    from nnbench.cli import build

    command = build(name)[name]
    options = {one.name[0].removeprefix("--") for one in command.assemble_argument_collection()}
    function = getattr(nnbench, name)
    taken = {one.strip("_").replace("_", "-") for one in inspect.signature(function).parameters}
    not_in_python = {"json", "model", "resume", "study", "against", "weights", "task"}
    missing = {one for one in options if one.islower()} - taken - not_in_python
    assert {one for one in missing if not one.isupper()} <= {"architectures", "architecture"}
    assert "Options, of the command line:" in inspect.getdoc(function)


@pytest.mark.parametrize("name", ["predict", "run", "layers", "tune", "train"])
def test_no_network_is_refused_as_on_the_command_line(name):
    for nothing in ([], {}) if name in ("predict", "run") else ([],):
        with pytest.raises(UserError, match="no network was named"):
            getattr(nnbench, name)(nothing)


def test_a_folder_of_the_same_name_stays_a_function():
    import nnbench.explain.words

    assert inspect.isfunction(nnbench.explain)
    assert "nnbench.explain.words" in sys.modules


def test_a_run_is_a_line_a_card_a_table_and_charts(found, tmp_path):
    assert repr(found) == f"<nnbench run {found.folder}: {found.finding}>"
    shown = found._repr_html_()
    assert found.finding in shown
    assert shown.count("<svg") == 3
    assert "<table" in shown
    assert "Trust:" in shown
    table = found.to_pandas()
    slow = table[(table.network == "100x2") & (table.phase == "step")].iloc[0]
    assert slow.ratio == pytest.approx(4, rel=0.1)
    assert slow.low < slow.seconds < slow.high
    assert set(found.samples().columns) >= {"case", "phase", "seconds"}
    for name in ("cold", "epoch", "step", "parts", "ratios", "growth", "samples"):
        picture = getattr(found.plot, name)()
        assert "\n" not in repr(picture)
        assert "<svg" in picture._repr_html_()
    assert found.plot.cold().save(tmp_path / "cold.svg").read_text().startswith("<?xml")
    assert found.plot.cold().save(tmp_path / "cold.png").stat().st_size > 1000
    assert found.report().name == "report.html"
    with pytest.raises(UserError, match=r"where 'jax' was nothing measured: there is tensorflow"):
        found.plot.cold(where="jax")


def test_what_one_cell_shows_changes_nothing_beside_it(found):
    shown = found._repr_html_()
    style = shown[shown.index("<style>") + 7 : shown.index("</style>")]
    assert style.startswith(".nnbench {")
    assert ":root" not in style
    assert style.count("{") == style.count("}")
    ids = [part.split('"')[0] for part in shown.split(' id="')[1:]]
    again = [part.split('"')[0] for part in found._repr_html_().split(' id="')[1:]]
    assert len(ids) == len(set(ids))
    assert not set(ids) & set(again)


def test_a_picture_is_shown_whole():
    image = bytes(range(256)) * 20
    assert base64.b64encode(image).decode() in html.cell(title="a training", image=image)


def test_runs_are_compared_and_explained(found, tmp_path):
    slower = runs.make_run(tmp_path, {name: {phase: 2 * time_s for phase, time_s in one.items()}
                                      for name, one in TIMES_S.items()}, seed=1)  # fmt: skip
    one = nnbench.compare(found, nnbench.load(slower.folder))
    assert (one.to_pandas().verdict == "different").all()
    assert "slower" in repr(one)
    assert "<svg" in one._repr_html_()
    assert one.report().suffix == ".html"
    why = nnbench.explain("6,6", "100,100", run=found, results=tmp_path)
    assert "100x2" in why.finding
    assert why.report().name == "explain.html"
    assert set(why.to_pandas().columns) >= {"name", "value_s", "low_s", "high_s"}
    with pytest.raises(UserError, match="there is nothing to compare"):
        nnbench.compare(found, found.folder)


@pytest.mark.long
def test_sides_that_are_measured_now_are_asked_for_their_numbers_too(tmp_path, monkeypatch):
    """A Python, which has no project, and the present; the data are in memory."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(64, 3)).astype("float32"), rng.integers(0, 2, 64)
    few = {"phase": "step", "launches": 1, "blocks": 1, "epochs": 2, "backend": "jax"}
    found = nnbench.compare(sys.executable, ".", "6,6", data=(x, y), **few).found
    assert found.other_numbers == ()
    assert found.options == {}, "no command line can name arrays"
    assert [one.label for one in found.comparisons] == ["jax, cpu, fit: 6,6 step"]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"epoch": 3}, r"'epoch' is not known: did you mean epochs\?"),
        ({"epochs": "many"}, "epochs = 'many' is not of the right kind: int is wanted"),
        ({"as_json": True}, "as_json is the command line's"),
        ({"networks": 6.5}, "6.5 is no network: give a text such as '6,6'"),
        ({"networks": {"a": "6,6", "b": None}}, "None is no network"),
        ({"data": np.ones((3, 2))}, r"data is of type ndarray: give arrays in memory as \(x, y\)"),
        ({"data": (np.ones((3, 2)), np.ones(4))}, "data has 3 rows of x and 4 of y|__main__:data"),
        ({"data": lambda: 1 / 0}, "data failed: ZeroDivisionError: division by zero"),
    ],
)
def test_a_mistake_is_a_line(options, told):
    with pytest.raises(UserError, match=told) as mistake:
        nnbench.run(**{"networks": "6,6", "backend": "jax", **options})
    shown = mistake.value._render_traceback_()
    assert shown[0] == f"UserError: {mistake.value}"
    assert "File" not in "".join(shown)


def test_options_may_be_numbers_lists_and_paths(tmp_path):
    study = Study.of(["6,6"], batch=32, path=["fit", "compiled"], data=tmp_path / "a.csv")
    assert (study.training.batch, study.machine.path) == ("32", "fit,compiled")
    assert study.data.data == str(tmp_path / "a.csv")
    study = Study.of(["6,6"], precision=0.05, budget=90.5)
    assert (study.effort.wanted_precision, study.effort.budget_s) == (0.05, 90.5)


def defined(text, lines=""):
    space = {"__name__": "__main__"}
    exec(compile(lines + text.replace("import keras_like", ""), f"<cell {lines!r}>", "exec"), space)
    return space["build"]


def test_code_is_the_same_wherever_it_stands_until_it_is_changed():
    def digest(text, lines=""):
        with handed.held({"__main__:build": defined(text, lines)}):
            return handed.digest("__main__:build")

    assert digest(DEFINED) == digest(DEFINED, "\n\n")
    for old, new in (("units = 3", "units = 4"), ("[n] * 3", "[n] * 2"), ("some text", "other")):
        assert digest(DEFINED) != digest(DEFINED.replace(old, new))


def test_what_cannot_be_handed_to_another_process_says_why():
    lock = threading.Lock()
    told = r"__main__:mine cannot be handed .*'_thread.lock'.*: write the function into a file"
    with pytest.raises(UserError, match=told), given({"mine": lambda: lock}):
        pass


def test_the_call_that_asks_for_the_same_again_names_what_was_given():
    with given({"mine": lambda: None, "small": "6,6"}, ([[1.0]], [1])) as found:
        asked = Study.of(found.texts, data=found.data, epochs=3).command()
    assert asked == "nnbench.run({'mine': mine, 'small': '6,6'}, data=data, epochs=3)"


def test_names_are_as_given_and_references_differ():
    with given({"wide, deep": lambda: None, "wide; deep": lambda: None, "usual": "6,6"}) as found:
        assert found.texts == ["__main__:wide__deep", "__main__:wide__deep_2", "6,6"]
        assert handed.names()["6x2"] == "usual"
        assert handed.names()["__main__:wide__deep"] == "wide, deep"
        assert handed.packed()
    assert handed.packed() is None
    with pytest.raises(UserError, match="a notebook or script that is not running now"):
        handed.function("__main__:wide__deep")


def test_networks_that_are_called_the_same_get_names_of_their_own(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("one_apart", "other_apart"):
        (tmp_path / f"{name}.py").write_text("def build(): ...\n")
    functions = [importlib.import_module(name).build for name in ("one_apart", "other_apart")]

    def made():
        def build(): ...

        return build

    with given([*functions, made(), made(), "6,6", "100x2"]) as found:
        every = [found.names.get(text, text) for text in found.texts]
    assert every == [*("one_apart.build", "other_apart.build", "build", "build_2", "6,6", "100x2")]
    told = "a and b are the same network, 6x2: leave one of them out"
    with pytest.raises(UserError, match=told), given({"a": "6,6", "b": "6x2"}):
        pass


@pytest.mark.parametrize(
    "call",
    [
        lambda: nnbench.load("nowhere"),
        lambda: nnbench.run("6,6", data=lambda: 1 / 0),
        lambda: nnbench.explain("6,6", "6x5", run="nowhere"),
    ],
)
def test_a_plain_script_shows_the_mistake_and_nothing_it_came_from(call):
    with pytest.raises(UserError) as mistake:
        call()
    shown = traceback.format_exception(mistake.value)
    assert sum("Error" in line for line in shown if not line.startswith("  File")) == 1
    assert "During handling" not in "".join(shown)
    assert "direct cause" not in "".join(shown)
    assert sum("nnbench/" in line for line in shown) <= 2, "of nnbench the call alone"


def test_arrays_of_any_structure_are_data():
    x = {"image": np.ones((5, 4, 4, 1)), "size": np.arange(5.0)}
    with given([], (x, np.arange(5.0), np.ones(5)), may_be_none=True) as found:
        data = datasets.load(found.data, as_given=True)
    assert data.rows == 5
    assert "image" in data.parts
    assert data.weights.shape == (5,)


@pytest.mark.parametrize(
    "call",
    [
        lambda: nnbench.run("6,6", name=7),
        lambda: nnbench.layers("6,6", name=7),
        lambda: nnbench.tune("6,6", name=7),
        lambda: nnbench.load(None),
        lambda: nnbench.train("6,6", seed="a"),
        lambda: nnbench.train("6,6", save=5),
    ],
)
def test_a_wrong_type_is_one_exception_that_names_it(call):
    with pytest.raises(
        UserError, match=r"is not of the right kind: (str|int)( or Path)? is wanted"
    ):
        call()
