"""What the documentation's own scripts promise: links, the ledger, the lesson."""

import importlib.util
import json
import re

import pytest
from projects import ROOT

REAL = ROOT / "docs" / "real"

SHORTER = ("launches=3", "launches=1, blocks=1")
"""Of the lesson: what is measured says the same with less of it."""


def script(name):
    """A script of docs, as a module."""
    spec = importlib.util.spec_from_file_location(f"docs_{name}", ROOT / "docs" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def site(tmp_path):
    """Three pages, of which two are linked well."""
    (tmp_path / "index.html").write_text(
        '<h1 id="top">A</h1><a href="other.html#part">x</a><a href="#top">y</a>'
        '<img src="data:image/png;base64,AA"><a href="https://example.org/">z</a>'
    )
    (tmp_path / "other.html").write_text('<p id="part">B</p>')
    return tmp_path


@pytest.mark.parametrize(
    ("more", "fault"),
    [
        ("", None),
        ('<a href="third.html">t</a>', "third.html is not there"),
        ('<a href="other.html#chapter">c</a>', "#chapter names no place there"),
        ('<script src="https://cdn.example.org/x.js"></script>', "from the net"),
        ('<link href="//cdn.example.org/x.css">', "from the net"),
    ],
)
def test_a_link_that_leads_nowhere_is_told(site, more, fault):
    links = script("links")
    page = site / "index.html"
    page.write_text(page.read_text() + more)
    found = links.faults(links.read(site))
    assert (found == []) if fault is None else (len(found) == 1 and fault in found[0])
    assert links.elsewhere(links.read(site)) == ["https://example.org/"]


def test_the_ledger_holds_what_result_files_say_and_nothing_else(tmp_path, monkeypatch):
    ledger = script("ledger")
    monkeypatch.setattr(ledger, "FOLDER", tmp_path)
    assert not re.search(r"\d", ledger.page())
    told = {
        "question": "Does it hold?",
        "answer": "In 97.3% of 412.",
        "notes": [],
        "tables": [{"title": "t", "columns": ["a", "b"], "rows": [["x|y", "8.25"]]}],
        "command": "python it.py",
        "date": "2026-01-02",
        "machine": "A CPU, 2 CPUs",
        "versions": {"keras": "3.15.1"},
    }
    (tmp_path / "looks.json").write_text(json.dumps(told))
    page = ledger.page()
    for wanted in ("97.3%", "8.25", "x\\|y", "python it.py", "2026-01-02", "keras 3.15.1"):
        assert wanted in page


def test_the_kept_results_are_whole():
    from benchmarks import ledger

    files = sorted((ROOT / "docs" / "ledger").glob("*.json"))
    assert files
    assert {file.stem for file in files} <= ledger.MAKERS.keys()
    for file in files:
        told = json.loads(file.read_text())
        assert told["command"].startswith("python ")
        assert told["date"]
        for table in told["tables"]:
            assert {len(row) for row in table["rows"]} == {len(table["columns"])}


def shown(name):
    """What a command printed, as one line without the command itself."""
    return " ".join((REAL / f"{name}.txt").read_text().split("\n")[1:])


def test_no_sentence_shown_lacks_what_it_is_about():
    texts = {path.stem: shown(path.stem) for path in REAL.glob("*.txt")}
    assert len(texts) > 15
    assert not [name for name, text in texts.items() if re.search(r", \.(?!\.)", text)]


def test_the_comparison_shown_names_phases_that_are_judged():
    judged = shown("compare").partition("not judged:")[0]
    named = set(re.findall(r"train\.py:build (\w+)(?=:| [-+])", judged))
    assert named
    assert named <= {"step", "epoch", "cold"}


def test_the_layers_shown_begin_with_the_finding():
    assert re.match(r"\S+ % \[.+?\] of a step is ", shown("layers").strip())


@pytest.mark.parametrize("name", ["layers", "compare", "predict", "advise", "report"])
def test_what_is_shown_is_made_alone(name, monkeypatch, tmp_path):
    real = script("real")
    asked = []
    monkeypatch.setattr(real, "RUNS", tmp_path)
    monkeypatch.setattr(real, "REAL", tmp_path)
    monkeypatch.setattr(real, "print_of", lambda command, *_: asked.append(command) or "told")
    monkeypatch.setattr(real, "picture", asked.append)
    monkeypatch.setattr(real.sys, "argv", ["real.py", name])
    real.main()
    needed = {"predict": "nnbench calibrate", "advise": "nnbench calibrate"}
    needed |= {"report": "nnbench report"}
    assert asked[0].startswith(needed.get(name, f"nnbench {name}"))
    assert asked[-1] == name or asked[-1].startswith(f"nnbench {name}")


def test_every_result_file_of_the_ledger_has_what_writes_it():
    from benchmarks import ledger

    written = {}
    for path in (ROOT / "benchmarks").rglob("*.py"):
        for name in re.findall(r'ledger\.keep\(\s*"(\w+)"', path.read_text()):
            written[name] = str(path.relative_to(ROOT))
    assert written.keys() == ledger.MAKERS.keys()
    for name, command in ledger.MAKERS.items():
        _, script, *rest = command.split()
        if script == "-m":
            script = f"{rest[0].replace('.', '/')}/__main__.py"
        assert script == written[name]


def books():
    """The lesson as text, and with its outputs."""
    import jupytext

    folder = ROOT / "examples"
    return [jupytext.read(folder / name) for name in ("lesson.md", "lesson.ipynb")]


def test_the_lesson_shown_is_the_lesson_written():
    written, shown = ([(one.cell_type, one.source) for one in book.cells] for book in books())
    assert written == shown
    cells = [one for one in books()[1].cells if one.cell_type == "code"]
    assert all(one.outputs for one in cells if one.source.endswith((")", "run")))


def test_each_exercise_hides_its_answer():
    text = (ROOT / "examples" / "lesson.md").read_text()
    exercises = text.split("### Exercise\n")[1:]
    assert len(exercises) > 3
    for one in exercises:
        # Plain HTML, which a notebook and the site both fold.
        assert "<details>\n<summary>Answer</summary>\n\n" in one.partition("\n## ")[0]


@pytest.mark.long
def test_the_lesson_runs(tmp_path, monkeypatch):
    import nbclient

    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    book, _ = books()
    usual, less = SHORTER
    (measured,) = [one for one in book.cells if usual in one.source]
    measured.source = measured.source.replace(usual, less)
    book.metadata.kernelspec.name = "python3"
    client = nbclient.NotebookClient(book, timeout=600, resources={"metadata": {"path": tmp_path}})
    client.execute()
    told = "".join(
        output.text
        for cell in book.cells
        for output in cell.get("outputs", ())
        if output.output_type == "stream" and output.name == "stdout"
    )
    assert re.findall(r"equal in every bit: (\w+)", told) == ["True", "False"]
    assert float(re.search(r"([\d.]+) at the end", told)[1]) < 15
    assert (tmp_path / "results" / "lesson" / "run.json").is_file()
