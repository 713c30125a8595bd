import base64
import csv
import json
import re
import subprocess
import sys
from dataclasses import replace

import pytest
from axe import violations
from browsers import clear_media, open_at
from runs import case, make_run
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.select import Select

from nnbench.errors import UserError
from nnbench.report import page as pages
from nnbench.report import tables
from nnbench.report.run_analysis import analyse
from nnbench.stats.blocks import Blocks
from nnbench.store import runs
from nnbench.store.trials import Trials

NOTEBOOK = {"6,6": {}, "100,100": {"step": 0.004}, "6x5": {"trace": 1.0, "step": 0.002}}
TYPED = {"command": "nnbench run 6,6 100,100 6x5", "typed": {"6x2": "6,6", "100x2": "100,100"}}


def typed(run):
    """The same run, its networks as they were typed."""
    wanted = {**run.specification, "asked": TYPED}
    found = {"schema": 1, "created": run.created, "specification": wanted}
    text = json.dumps({**found, "fingerprint": run.fingerprint})
    (run.folder / runs.RUN_FILE).write_text(text)
    return runs.read(run.folder)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The page of a run, to be read only."""
    return page_of(typed(make_run(tmp_path_factory.mktemp("page"), NOTEBOOK)))


@pytest.fixture(scope="module")
def of_two_paths(tmp_path_factory):
    """The page of two backends and both paths, to be read only."""
    folder = tmp_path_factory.mktemp("paths")
    run = make_run(folder, NOTEBOOK, backends=("tensorflow", "jax"), spread=0.01)
    twins = {key: replace(one, path="compiled") for key, one in run.cases.items()}
    cases = [one.to_json() for one in (*run.cases.values(), *twins.values())]
    faster = {"epoch": 0.5, "cold": 0.4}
    more = []
    for trial in run.trials:
        times = {
            phase: [faster.get(phase, 1.0) * one for one in values]
            for phase, values in trial["samples_s"].items()
        }
        more.append({**trial, "case": twins[trial["case"]].key, "samples_s": times})
    wanted = {**run.specification, "cases": cases}
    return page_of(replace(run, specification=wanted, trials=Trials([*run.trials, *more])))


def page_of(run):
    return pages.write(analyse(run))


def without_scripts(page):
    """A page's text as one reads it: no code, no styles, no addresses that hold a file."""
    text = re.sub(r"<(script|style)\b.*?</\1>", "", page.read_text(), flags=re.DOTALL)
    return re.sub(r"base64,[^\"]+", "", text)


def severe(browser):
    return [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]


def test_the_page_opens_whole_in_a_browser(browser, written):
    open_at(browser, written)
    assert severe(browser) == []
    charts = browser.find_elements(By.CSS_SELECTOR, "svg.chart")
    assert len(charts) > 8
    for chart in charts:
        assert re.search(r"\d", chart.get_attribute("aria-label"))
    rows = browser.find_elements(By.CSS_SELECTOR, "#all-figures tbody th")
    assert [row.text.split("\n") for row in rows] == [
        ["● 6,6", "6x2"],
        ["● 100,100", "100x2"],
        ["● 6x5"],
    ]


def test_the_answer_comes_first_and_is_short(written):
    text = without_scripts(written)
    found = analyse(runs.read(written.parent))
    told = (
        r"\[6,6\] and \[100,100\] trained fastest and cannot be distinguished; 6x5 took 1\.4\d× .*"
    )
    assert re.fullmatch(told, found.finding)
    assert found.finding in text[: text.index("</h1>")]
    assert 1 <= len(found.answer) <= 3
    assert all(len(sentence.split()) < 20 for sentence in found.answer), found.answer
    order = ["The answer", "Trust:", "Why: where", "All figures", ">Ratios<", "Growth with size"]
    order += [">Reproduce<", ">How it was measured<"]
    places = [text.rindex(one) for one in order]
    assert places == sorted(places)
    assert TYPED["command"] in text


def test_values_are_shown_on_hover_and_by_keyboard(browser, written):
    open_at(browser, written)
    plot = browser.find_element(By.CSS_SELECTOR, ".plot")
    plot.send_keys(Keys.ARROW_RIGHT)
    tip = browser.find_element(By.CSS_SELECTOR, ".tip")
    assert re.match(r"6,6, cold: [\d.]+ s \[", tip.text)
    plot.send_keys(Keys.ARROW_RIGHT)
    assert tip.text.startswith("100,100, cold: ")
    plot.send_keys(Keys.ESCAPE)
    assert not tip.is_displayed()
    browser.execute_script(
        "document.querySelector('.m.n2').dispatchEvent(new PointerEvent('pointermove'))"
    )
    assert tip.text.startswith("6x5, ")


def test_a_legend_highlights_one_network_everywhere(browser, written):
    open_at(browser, written)
    button = browser.find_element(By.CSS_SELECTOR, ".legend li[data-n='1'] button")
    button.click()
    script = (
        "return [...document.querySelectorAll(arguments[0])].map(e => getComputedStyle(e).opacity)"
    )
    assert set(browser.execute_script(script, ".m.n1")) == {"1"}
    assert set(browser.execute_script(script, ".m.n0, .m.n2")) == {"0.14"}
    assert button.get_attribute("aria-pressed") == "true"
    button.click()
    assert set(browser.execute_script(script, ".m")) == {"1"}


def shown_names(browser):
    rows = browser.find_elements(By.CSS_SELECTOR, "#all-figures tbody tr")
    return [row.find_element(By.TAG_NAME, "th").text.split("\n")[0][2:] for row in rows
            if row.is_displayed()]  # fmt: skip


def test_figures_are_sorted_filtered_and_compared_with_any_network(browser, written):
    open_at(browser, written)
    heads = browser.find_elements(By.CSS_SELECTOR, "#all-figures thead th")
    step = next(one for one in heads if one.text == "step")
    step.find_element(By.TAG_NAME, "button").click()
    assert shown_names(browser) == ["6,6", "6x5", "100,100"]
    step.find_element(By.TAG_NAME, "button").click()
    assert step.get_attribute("aria-sort") == "descending"
    assert shown_names(browser) == ["100,100", "6x5", "6,6"]
    search = browser.find_element(By.CSS_SELECTOR, "section[aria-labelledby=figures] input")
    search.send_keys("6x5")
    assert shown_names(browser) == ["6x5"]
    search.clear()
    search.send_keys(" ")
    base = browser.find_element(By.CSS_SELECTOR, "section[aria-labelledby=figures] select")
    Select(base).select_by_visible_text("100,100")
    told = browser.find_element(By.CSS_SELECTOR, "tr[data-n='0'] td[data-label='step ratio']").text
    (group,) = analyse(runs.read(written.parent)).groups
    ratio = group.ratios["step"]
    assert told.split("\n")[0] == f"{ratio.value[0, 1]:.3f}×"
    assert ratio.low[0, 1] < ratio.value[0, 1] < ratio.high[0, 1]


def test_the_figures_can_be_taken_along_without_a_script(written):
    text = written.read_text()
    taken = {
        kind: base64.b64decode(re.search(rf"data:{kind};[^\"]*base64,([^\"]+)", text)[1]).decode()
        for kind in ("text/csv", "application/json")
    }
    rows = list(csv.DictReader(taken["text/csv"].splitlines()))
    assert {row["network"] for row in rows} == {"6,6", "100,100", "6x5"}
    record = json.loads(taken["application/json"])
    cold = next(row for row in rows if (row["architecture"], row["phase"]) == ("6x5", "cold"))
    assert float(cold["seconds"]) == record["cases"][2]["times_s"]["cold"]["value"]
    assert record["trust"]["level"] == "good"


def test_cases_of_one_network_are_told_apart_by_their_batches(tmp_path, capsys):
    run = typed(make_run(tmp_path, {"6,6": {}, "6x5": {}}, backends=("tensorflow", "jax")))
    twins = {key: case("6,6", backend=one.backend, batch_size=64) if one.label == "6x5" else one
             for key, one in run.cases.items()}  # fmt: skip
    wanted = {**run.specification, "cases": [one.to_json() for one in twins.values()]}
    trials = Trials({**one, "case": twins[one["case"]].key} for one in run.trials)
    found = analyse(replace(run, specification=wanted, trials=trials))
    names = ["6,6, full batch", "6,6, batch 64"]
    assert [row[0] for row in tables.as_rows(found) if row[6] == "cold"] == names * 2
    assert tables.ratios_told(found)["names"] == names
    (both, *_) = tables.by_context(found, {"6x2": 0})
    assert [row[0].text for row in both.rows] == names
    assert {name for name, _, _ in pages.legend(found)} == {"6,6"}
    tables.print_run(found)
    told = capsys.readouterr().out
    assert told.count("6,6, batch 64") >= 2
    assert "1,372 rows, several batches" in " ".join(told.split())
    page_of(found.run)


@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_sticks_out_and_no_text_is_cut(browser, written, of_two_paths, width):
    for page in (written, of_two_paths):
        open_at(browser, page, width)
        browser.execute_script("document.querySelectorAll('details').forEach(d => d.open = true)")
        wide = browser.execute_script("return document.documentElement.scrollWidth")
        assert wide <= width
        cut = browser.execute_script(
            "return [...document.querySelectorAll('svg.chart text')].filter(e => {"
            " const box = e.getBoundingClientRect();"
            " const all = e.ownerSVGElement.getBoundingClientRect();"
            " return box.left < all.left - 3 || box.right > all.right + 3;"
            "}).map(e => e.textContent)"
        )
        assert cut == []
    clear_media(browser)


def test_paper_has_every_column(browser, of_two_paths):
    # An A4 page between its margins is 718 pixels wide.
    open_at(browser, of_two_paths, 718, media="print")
    over = browser.execute_script(
        "return [...document.querySelectorAll('table')]"
        ".map(e => e.getBoundingClientRect().right - innerWidth)"
    )
    clear_media(browser)
    assert max(over) <= 0


def test_a_dark_screen_has_light_figures_and_paper_dark_ones(browser, written):
    script = (
        "const bar = document.querySelector('.m.n0 path');"
        "return [getComputedStyle(bar).fill, getComputedStyle(bar.ownerSVGElement).color]"
    )
    seen = {}
    for name, how in (("light", {}), ("dark", {"dark": True}), ("paper", {"media": "print"})):
        open_at(browser, written, **how)
        seen[name] = browser.execute_script(script)
    clear_media(browser)
    assert seen["light"] == seen["paper"]
    assert seen["dark"][0] != seen["light"][0]
    assert seen["dark"][1] == "rgb(236, 236, 236)"


@pytest.mark.long
@pytest.mark.parametrize("dark", [False, True])
def test_axe_finds_no_violation(browser, written, of_two_paths, dark):
    for page in (written,) if dark else (written, of_two_paths):
        open_at(browser, page, dark=dark)
        browser.execute_script("document.querySelectorAll('details').forEach(d => d.open = true)")
        assert violations(browser) == []
    clear_media(browser)


def test_the_page_needs_nothing_from_elsewhere(written):
    text = written.read_text()
    assert not re.search(r"""(src|href)=["'](?!data:|#)""", text)
    assert not re.search(r"url\((?!#)", text)
    assert len(text) < 400_000


@pytest.mark.usefixtures("no_pictures")
def test_what_comes_from_data_is_escaped(tmp_path):
    run = make_run(tmp_path, NOTEBOOK, data="<script>alert(1)</script>.csv")
    text = page_of(run).read_text()
    assert "<script>" not in text
    assert "&lt;host&gt;" in text


def test_charts_lie_beside_the_page_as_files(written):
    names = {path.name for path in (written.parent / "charts").iterdir()}
    assert {
        "answer-cold.svg",
        "tensorflow-cpu-fit-parts.svg",
        "tensorflow-cpu-fit-ratios.svg",
    } <= names
    text = (written.parent / "charts" / "answer-cold.svg").read_text()
    assert "var(" not in text
    assert "100,100</text>" in text


def test_two_backends_and_paths_are_compared(of_two_paths):
    text = without_scripts(of_two_paths)
    contexts = [
        "tensorflow, cpu, fit",
        "jax, cpu, fit",
        "tensorflow, cpu, compiled",
        "jax, cpu, compiled",
    ]
    assert all(f"<h3>{one}</h3>" in text for one in contexts)
    assert "TensorFlow and JAX cannot be distinguished" in text or "JAX and TensorFlow" in text
    assert re.search(
        r"fit adds 1\d\.\d ms \[[\d.]+–[\d.]+ ms\] an epoch \(jax, cpu\): 2\.0\d×", text
    )
    table = text[text.index('id="compare"') :]
    assert table.index('class="best"') < table.index("</tbody>")


@pytest.mark.parametrize(
    ("times_s", "options"),
    [
        ({"6,6": {}}, {}),
        ({"6,6": {}}, {"launches": 1, "blocks": 1}),
        ({"6,6": {}}, {"outcomes": {"6,6": "died"}}),
        (NOTEBOOK, {"outcomes": {"6x5": "timeout"}}),
        (NOTEBOOK, {"task": "regression"}),
        (NOTEBOOK, {"batch_size": 100}),
        ({"6,6": {"cold": 0.3}}, {}),
        ({f"{width}": {} for width in range(1, 41)}, {"launches": 2, "blocks": 1}),
    ],
)
def test_odd_runs_give_a_sensible_page(tmp_path, times_s, options):
    text = without_scripts(page_of(make_run(tmp_path, times_s, **options)))
    assert not re.search(r"\bnan\b|\binf\b", text.lower())
    assert "In words" in text
    assert "Trust:" in text


@pytest.mark.usefixtures("no_pictures")
def test_noisy_blocks_are_named_and_kept(tmp_path):
    run = make_run(tmp_path, NOTEBOOK, noise={"stolen_share": 0.25})
    text = page_of(run).read_text()
    assert "25.0% of the CPU time was stolen by the host at worst: 10 blocks" in text
    assert "10 of 10 blocks were noisy" in text
    assert re.search(r"Trust: low</strong> \(all 10 blocks were noisy", text)
    assert len(run.samples()) == len(make_run(tmp_path / "quiet", NOTEBOOK).samples())


def test_the_phases_are_explained_from_their_definition(written):
    text = written.read_text()
    for phase in ("build", "prepare", "trace", "compile", "first_step", "step", "epoch", "cold"):
        assert f'<tr><th scope="row">{phase}</th>' in text


def test_docstrings_that_are_left_out_leave_the_phases_in(tmp_path):
    run = make_run(tmp_path, NOTEBOOK)
    code = (
        "from pathlib import Path; from nnbench.report import page, run_analysis;"
        "from nnbench.store import runs;"
        f"page.write(run_analysis.analyse(runs.read(Path({str(run.folder)!r}))))"
    )
    subprocess.run([sys.executable, "-OO", "-c", code], check=True)
    text = (run.folder / pages.PAGE).read_text()
    assert '<tr><th scope="row">trace</th><td>Python step function</td>' in text


@pytest.mark.usefixtures("no_pictures")
def test_what_a_run_says_is_computed_once(tmp_path, monkeypatch):
    run = make_run(tmp_path, NOTEBOOK)
    asked = []
    real = Blocks.of.__func__
    monkeypatch.setattr(Blocks, "of", classmethod(lambda *given: asked.append(1) or real(*given)))
    found = analyse(run)
    pages.write(found)
    tables.as_json(found, run.folder)
    tables.print_run(found)
    assert len(asked) == 1


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path):
    run = make_run(tmp_path, NOTEBOOK)
    (run.folder / "charts").write_text("in the way")
    with pytest.raises(UserError, match="cannot be written"):
        page_of(run)


def test_reading_results_needs_no_framework_and_no_tables(tmp_path):
    """Nor what takes long to import: a report of three networks is redrawn in a second or two."""
    run = make_run(tmp_path, NOTEBOOK)
    code = (
        "import sys; from pathlib import Path; from nnbench.report import page, run_analysis;"
        "from nnbench.store import runs;"
        f"page.write(run_analysis.analyse(runs.read(Path({str(run.folder)!r}))));"
        "slow = {'keras', 'tensorflow', 'jax', 'torch', 'pandas', 'scipy.stats'};"
        "sys.exit(', '.join(slow & set(sys.modules)) or 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.usefixtures("no_pictures")
def test_damage_is_told(tmp_path):
    run = make_run(tmp_path, NOTEBOOK)
    path = run.folder / runs.TRIALS_FILE
    path.write_text(path.read_text() + "not json\n")
    assert "cannot be read" in page_of(runs.read(run.folder)).read_text()


def test_own_models_have_their_place_in_every_chart_but_those_of_depth(tmp_path):
    run = make_run(tmp_path, {"6,6": {}, "8,8": {}})
    own = replace(case("6,6"), architecture=None, model="train.py:build(depth=4, width=16)")
    wanted = [one.to_json() for one in (*run.cases.values(), own)]
    first = next(iter(run.cases))
    more = [
        {**one, "case": own.key, "parameters": 99} for one in run.trials if one["case"] == first
    ]
    run = replace(run, specification={**run.specification, "cases": wanted},
                  trials=Trials([*run.trials, *more]))  # fmt: skip
    text = page_of(run).read_text()
    assert text.count("Without train.py:build(depth=4, width=16): depth not known.") == 0
    assert "train.py:build(depth=4" in text
