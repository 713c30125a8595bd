"""A notebook, executed by a real kernel: everything that people do in one, once."""

import os
import re

import pytest

pytestmark = pytest.mark.long

CELLS = [
    "import os, sys, threading, time, signal\nimport numpy as np\nimport nnbench",
    """
rng = np.random.default_rng(0)
x, y = rng.normal(size=(64, 3)).astype("float32"), rng.integers(0, 2, 64)
width = 5
def build():
    import keras
    hidden = keras.layers.Dense(width, "relu")
    model = keras.Sequential([keras.Input((3,)), hidden, keras.layers.Dense(1, "sigmoid")])
    model.compile("adam", "binary_crossentropy")
    return model
""",
    """
few = dict(epochs=2, launches=1, blocks=1, backend="jax")
run = nnbench.run({"mine": build, "usual": "6,6"}, data=(x, y), **few)
run
""",
    "run.to_pandas()",
    "run.plot.cold()",
    "run.plot.ratios()",
    "print(run.report().exists(), set(run.samples().phase) >= {'cold', 'step'})",
    'nnbench.run("6,6", epoch=2)',
    """
import keras
class Twice(keras.layers.Layer):
    def call(self, x):
        return 2 * x
def loss(y, p):
    return keras.ops.mean(keras.ops.square(y - p))
a, b = keras.Input((3,), name="a"), keras.Input((2,), name="b")
joined = keras.layers.Concatenate()([Twice()(a), b])
model = keras.Model({"a": a, "b": b}, keras.layers.Dense(1)(joined))
model.compile("sgd", loss)
inputs, numbers = {"a": x, "b": x[:, :2]}, y.astype("float32")
both = nnbench.run({"built": model}, data=(inputs, numbers), **few)
both
""",
    "history = nnbench.fast_fit(model, inputs, numbers, epochs=3, batch_size=16, verbose=0)\n"
    "print(len(history.history['loss']))",
    """
def interrupt():
    records = "results/again/trials.jsonl"
    while not os.path.exists(records) or '"trial"' not in open(records).read():
        time.sleep(0.05)
    os.kill(os.getpid(), signal.SIGINT)
threading.Thread(target=interrupt).start()
nnbench.run(build, data=(x, y), name="again", **(few | {"launches": 2}))
""",
    """
kept = open("results/again/trials.jsonl").read()
again = nnbench.run(build, data=(x, y), name="again", **(few | {"launches": 2}))
print(open("results/again/trials.jsonl").read().startswith(kept), len(again.analysis.run.launches))
again
""",
    'nnbench.run(build, data=(x, y), name="not/a name", **(few | {"backend": "torch"}))',
    """
nnbench.train("6,6", epochs=3)
nnbench.run(build, data=(x, y), name="again", **(few | {"launches": 2}))
print("told", file=sys.stderr)
""",
]
MISTAKES = (7, 10, 12)
HTML, TEXT = "text/html", "text/plain"


@pytest.fixture(scope="module")
def cells(tmp_path_factory):
    """The cells of the notebook with their outputs, by number."""
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    folder = tmp_path_factory.mktemp("notebook")
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(one) for one in CELLS])
    updates = []

    class Client(nbclient.NotebookClient):
        def process_message(self, msg, cell, cell_index):
            if msg["msg_type"] == "update_display_data":
                updates.append((cell_index, msg["content"]["data"]))
            return super().process_message(msg, cell, cell_index)

    client = Client(
        made, timeout=300, allow_errors=True, resources={"metadata": {"path": str(folder)}}
    )
    client.execute(env={**os.environ, "KERAS_BACKEND": "jax"})
    for number, one in enumerate(made.cells):
        for output in one.outputs:
            if output.output_type == "error" and number not in MISTAKES:
                raise AssertionError("\n".join(output.traceback))
    for number, one in enumerate(made.cells):
        one.updates = [data for place, data in updates if place == number]
    return made.cells


def shown(cell, kind):
    return "".join(
        one.data.get(kind, "") for one in cell.outputs if one.output_type == "execute_result"
    )


def written(cell, stream="stdout"):
    return "".join(one.text for one in cell.outputs if one.get("name") == stream)


def test_a_function_of_the_notebook_is_timed_and_shown(cells):
    assert shown(cells[2], TEXT).startswith("<nnbench run results/")
    page = shown(cells[2], HTML)
    assert all(text in page for text in ("mine", "usual", "Trust:", "<svg", "<table"))
    assert "mine" in shown(cells[3], HTML)
    assert "<svg" in shown(cells[4], HTML)
    assert "<svg" in shown(cells[5], HTML)
    assert written(cells[6]) == "True True\n"


def test_progress_is_what_a_terminal_shows_drawn_in_place_and_gone_at_the_end(cells):
    places = [one for one in cells[2].outputs if one.output_type == "display_data"]
    # One while measuring, and one before where it lasts to look how long a step takes.
    assert 1 <= len(places) <= 2
    assert all(one.data == {TEXT: "", HTML: ""} for one in places)
    drawn = [one for one in cells[11].updates if one[TEXT]][-1]
    assert drawn[HTML].startswith("<pre")
    last = drawn[TEXT]
    for one in ("launch 2 of 2 (jax, cpu)", " trials, ", " passed", "now: ", "machine: "):
        assert one in last
    assert re.search(r"^build .* (settl|too early|more needed)", last, re.M)
    assert "Interrupting the kernel is safe" in last
    assert "Ctrl-C" not in last
    # Nothing of it goes the way of a terminal.
    assert "launch 1 of" not in written(cells[2], "stderr")
    assert "\x1b" not in written(cells[2], "stderr")


def test_what_is_written_after_a_training_is_still_seen(cells):
    assert written(cells[13], "stderr").endswith("told\n")


def test_a_mistake_is_a_line(cells):
    (error,) = [one for one in cells[7].outputs if one.output_type == "error"]
    assert error.traceback == ["UserError: option 'epoch' is not known: did you mean epochs?"]


def test_a_built_model_with_layers_and_a_loss_of_the_notebook(cells):
    assert "built" in shown(cells[8], HTML)
    assert written(cells[9]) == "3\n"


def test_an_interrupted_call_goes_on_with_the_same_function(cells):
    (error,) = [one for one in cells[10].outputs if one.output_type == "error"]
    (told,) = error.traceback
    assert "what was measured is kept" in told
    assert written(cells[11]) == "True 3\n"
    assert "build" in shown(cells[11], HTML)


def test_another_backend_than_the_notebooks_is_told(cells):
    told = "Keras runs on jax in this process; worker processes train on torch"
    assert told in written(cells[12], "stderr")
