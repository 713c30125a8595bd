import re
import subprocess
import sys

import pytest
from runs import make_run
from selenium.webdriver.common.by import By

from nnbench.errors import UserError
from nnbench.report import page as pages
from nnbench.report import tables
from nnbench.report.run_analysis import analyse
from nnbench.stats import summary
from nnbench.stats.summary import block_values
from nnbench.store import runs

NOTEBOOK = {"6,6": {}, "100,100": {"step": 0.004}, "6x5": {"trace": 1.0, "step": 0.002}}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The page of a run, to be read only."""
    return page_of(make_run(tmp_path_factory.mktemp("page"), NOTEBOOK))


def page_of(run):
    return pages.write(analyse(run))


def opened(browser, page, width=1200):
    # An iframe of the wanted width: a headless window has a minimum of its own.
    browser.set_window_size(1400, 1000)
    browser.get(page.as_uri())
    browser.execute_script(f"document.body.style.maxWidth = '{width - 40}px'")
    return browser


def test_the_page_opens_whole_in_a_browser(browser, written):
    opened(browser, written)
    assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []
    images = browser.find_elements(By.TAG_NAME, "img")
    assert len(images) == 5
    for image in images:
        assert browser.execute_script("return arguments[0].naturalWidth", image) > 400
        assert image.get_attribute("alt")
    rows = browser.find_elements(By.CSS_SELECTOR, "table.figures tr.row")
    assert [row.find_element(By.TAG_NAME, "td").text for row in rows] == ["6x2", "100x2", "6x5"]
    assert browser.find_elements(By.CSS_SELECTOR, "p.finding")


def test_nothing_sticks_out_on_a_phone(browser, written):
    metrics = {"width": 400, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        browser.get(written.as_uri())
        wide = browser.execute_script("return document.documentElement.scrollWidth")
        assert wide <= 400
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_the_page_needs_nothing_from_elsewhere(written):
    text = written.read_text()
    assert not re.search(r"""(src|href)=["'](?!data:)""", text)
    assert "url(" not in text
    assert len(text) < 1_500_000


@pytest.mark.usefixtures("no_pictures")
def test_what_comes_from_data_is_escaped(tmp_path):
    run = make_run(tmp_path, NOTEBOOK, data="<script>alert(1)</script>.csv")
    text = page_of(run).read_text()
    assert "<script>" not in text
    assert "&lt;host&gt;" in text


def test_charts_lie_beside_the_page_as_files(written):
    names = {path.name for path in (written.parent / "charts").iterdir()}
    assert names == {
        f"tensorflow-cpu-{name}.png"
        for name in ("cold_parts", "ratios", "against_parameters", "against_depth", "samples")
    }


@pytest.mark.usefixtures("no_pictures")
def test_two_backends_have_a_section_each(tmp_path):
    text = page_of(make_run(tmp_path, NOTEBOOK, backends=("tensorflow", "jax"))).read_text()
    assert "<h2>tensorflow, cpu</h2>" in text
    assert "<h2>jax, cpu</h2>" in text


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
    text = page_of(make_run(tmp_path, times_s, **options)).read_text()
    assert "nan" not in re.sub(r"base64,[^\"]+", "", text).lower()
    assert "In words" in text


@pytest.mark.usefixtures("no_pictures")
def test_noisy_blocks_are_named_and_kept(tmp_path):
    run = make_run(tmp_path, NOTEBOOK, noise={"stolen_share": 0.25})
    text = page_of(run).read_text()
    assert "25.0% of the CPU time was stolen" in text
    assert "10 of 10 blocks were noisy" in text
    assert len(run.samples()) == len(make_run(tmp_path / "quiet", NOTEBOOK).samples())


def test_the_phases_are_explained_from_their_definition(written):
    text = written.read_text()
    for phase in ("build", "prepare", "trace", "compile", "first_step", "step", "epoch", "cold"):
        assert f"<tr><td>{phase}</td>" in text


def test_docstrings_that_are_left_out_leave_the_phases_in(tmp_path):
    run = make_run(tmp_path, NOTEBOOK)
    code = (
        "from pathlib import Path; from nnbench.report import page, run_analysis;"
        "from nnbench.store import runs;"
        f"page.write(run_analysis.analyse(runs.read(Path({str(run.folder)!r}))))"
    )
    subprocess.run([sys.executable, "-OO", "-c", code], check=True)
    text = (run.folder / pages.PAGE).read_text()
    assert "<tr><td>trace</td><td>Python step function</td>" in text


@pytest.mark.usefixtures("no_pictures")
def test_what_a_run_says_is_computed_once(tmp_path, monkeypatch):
    run = make_run(tmp_path, NOTEBOOK)
    asked = []
    monkeypatch.setattr(
        summary, "block_values", lambda samples, real=block_values: asked.append(1) or real(samples)
    )
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


def test_reading_results_needs_no_framework(tmp_path):
    run = make_run(tmp_path, NOTEBOOK)
    code = (
        "import sys; from pathlib import Path; from nnbench.report import page, run_analysis;"
        "from nnbench.store import runs;"
        f"page.write(run_analysis.analyse(runs.read(Path({str(run.folder)!r}))));"
        "sys.exit(', '.join({'keras', 'tensorflow', 'jax', 'torch'} & set(sys.modules)) or 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.usefixtures("no_pictures")
def test_damage_is_told(tmp_path):
    run = make_run(tmp_path, NOTEBOOK)
    path = run.folder / runs.TRIALS_FILE
    path.write_text(path.read_text() + "not json\n")
    assert "cannot be read" in page_of(runs.read(run.folder)).read_text()
