"""Loading, validating, describing and fetching data, as a user meets them."""

import functools
import hashlib
import io
import math
import os
import threading
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from nnbench.errors import UserError
from nnbench.workload import datasets
from nnbench.workload.datasets import catalog, original

RAW = "3.6,8.7,-2.8,-0.4,0\n4.5,8.2,-2.5,-1.5,0\n-1.4,-4.8,6.5,0.34,1\n-3.8,-13.5,17.6,-2.8,1\n"
FINITE = st.floats(width=32, allow_nan=False, allow_infinity=False)


@pytest.fixture(autouse=True)
def _own_surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NNBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("NNBENCH_BANKNOTES", raising=False)
    monkeypatch.delenv("NNBENCH_INSTAGRAM", raising=False)


@pytest.fixture
def csv(tmp_path: Path) -> Callable[[str | bytes], str]:
    def write(content: str | bytes) -> str:
        path = tmp_path / "mine.csv"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return str(path)

    return write


@pytest.fixture
def small_original(monkeypatch: pytest.MonkeyPatch) -> str:
    """Four rows that stand in for UCI's file, whose digest they are given."""
    monkeypatch.setattr(original, "SHA256", hashlib.sha256(RAW.encode()).hexdigest())
    return RAW


# What is shipped


def test_banknotes_have_the_shape_of_the_original() -> None:
    data = datasets.load("banknotes")
    assert data.features.shape == (1372, 4)
    assert data.labels.shape == (1372, 1)
    assert data.features.dtype == data.labels.dtype == np.float32
    assert datasets.describe(data).class_counts == {0: 762, 1: 610}
    assert data.label_name == "is_fake"
    assert "stand-in" in data.source


def test_instagram_is_a_regression_with_a_large_mean() -> None:
    data = datasets.load("instagram")
    assert (data.task, data.rows, data.width) == ("regression", 400, 4)
    assert 20 < data.labels.mean() < 60
    assert abs(data.features.mean(axis=0)).max() < 1e-4
    assert "stand-in" in data.source


def test_shipped_data_take_a_choice_of_columns() -> None:
    data = datasets.load("banknotes", features=["feature_2", "feature_1"])
    assert data.feature_names == ("feature_2", "feature_1")
    assert data.digest != datasets.load("banknotes").digest


# Synthetic data


def test_synthetic_defaults_and_canonical_name() -> None:
    data = datasets.load("synthetic")
    assert data.name == "synthetic:rows=1000,features=4,seed=0,task=classification"
    assert data.digest == datasets.load(data.name).digest


def test_synthetic_regression_may_be_asked_for_in_either_place() -> None:
    named = datasets.load("synthetic:rows=20,task=regression")
    asked = datasets.load("synthetic:rows=20", task="regression")
    assert named.digest == asked.digest
    assert np.unique(named.labels).size == 20


@given(rows=st.integers(2, 60), features=st.integers(1, 9), seed=st.integers(0, 2**63 - 1))
def test_synthetic_data_have_both_classes_and_repeat(rows: int, features: int, seed: int) -> None:
    spec = f"synthetic:rows={rows},features={features},seed={seed}"
    data = datasets.load(spec)
    assert data.features.shape == (rows, features)
    assert set(data.labels.ravel()) == {0, 1}
    assert data.digest == datasets.load(spec).digest


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("synthetic:colour=3", "'colour=3' in .* is not understood: write synthetic:rows="),
        ("synthetic:rows", "'rows' in .* is not understood"),
        ("synthetic:rows=1", "1 is no number of rows: it goes from 2"),
        ("synthetic:features=0", "0 is no number of features"),
        ("synthetic:rows=1e3", "rows='1e3' .* give a whole number"),
        ("synthetic:seed=-1", "seed='-1' .* give a whole number"),
        ("synthetic:rows=5,rows=6", "gives rows twice"),
        ("synthetic:task=ranking", "unknown task 'ranking'"),
        ("synthetic:rows=1000000000,features=1000", "at most 16 GiB can be made"),
    ],
)
def test_synthetic_mistakes(spec: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        datasets.load(spec)


def test_synthetic_data_have_no_columns_to_choose() -> None:
    with pytest.raises(UserError, match="has no columns to choose"):
        datasets.load("synthetic", label="label")
    with pytest.raises(UserError, match="is data for regression, not for classification"):
        datasets.load("synthetic:task=regression", task="classification")


# A user's CSV


def test_a_csv_of_ones_own(csv: Callable[[str], str]) -> None:
    path = csv("\ufeffx, name ,y\r\n1,ann,0\r\n\r\n 2.5 ,bob,1\r\n")
    data = datasets.load(path, label="y")
    assert data.task == "classification"
    assert data.feature_names == ("x",)
    assert data.features.tolist() == [[1.0], [2.5]]
    assert data.labels.tolist() == [[0.0], [1.0]]
    assert data.name == path
    assert data.source == f"your file {path}; left out as text: name"


def test_other_labels_than_0_and_1_make_a_regression(csv: Callable[[str], str]) -> None:
    path = csv("x,y\n1,0\n2,1\n3,2\n")
    assert datasets.load(path, label="y").task == "regression"
    assert datasets.load(csv("x,y\n1,0\n2,1\n"), label="y", task="regression").task == "regression"


def test_standardise_on_request(csv: Callable[[str], str]) -> None:
    data = datasets.load(csv("x,z,y\n1,1e30,3\n2,2e30,5\n3,4e30,9\n"), label="y", standardise=True)
    assert data.features.mean(axis=0) == pytest.approx([0, 0], abs=1e-6)
    assert data.features.std(axis=0) == pytest.approx([1, 1], rel=1e-6)
    assert data.source.endswith("standardised")


BROKEN: dict[str, tuple[str | bytes, str]] = {
    "empty": ("", "is empty: it needs a header line"),
    "blank lines only": ("\n\n", "is empty"),
    "header only": ("x,y\n", "has no row below its header"),
    "one row": ("x,y\n1,0\n", "has one row below its header"),
    "not text": (b"x,y\n\x81\xfe,1\n", r"is not text \(byte 5 .* save it as CSV in UTF-8"),
    "control": (b"x,y\n\x00\x07,1\n2,1\n", r"is not text \(line 2 holds control characters"),
    "no header": ("1,0\n2,1\n", "has no header: its first line holds numbers"),
    "same name twice": ("x,x,y\n1,1,0\n1,2,1\n", "has 2 columns called 'x': rename"),
    "short row of tabs": ("x\ty\n1\t0\n2\n3\t1\n", "line 3 has 1 cell .* add or remove a tab"),
    "open quote": ('x,y\n"1,0\n2,1\n', "line 3 is not CSV"),
    "short row": ("x,y\n1,0\n2\n", "line 3 has 1 cell where the header has 2 columns"),
    "long row": ("x,y\n1,0,7\n2,1\n", "line 2 has 3 cells where"),
    "missing label": ("x,z\n1,0\n2,1\n", "has no column 'y': its columns are x, z$"),
    "text in numbers": ("x,y\n1,0\n\nabc,1\n", "line 4, column 'x': 'abc' is not a number"),
    "thousands": ("x,y\n1,0\n1_000,1\n", "line 3, column 'x': '1_000' is not a number"),
    "truth among numbers": ("x,y\n1,True\n2,0\n", "line 2, column 'y': 'True' is .* write 1 or 0"),
    "blank": ("x,y\n1,0\n ,1\n", "line 3, column 'x': the cell is blank; fill it in"),
    "nan": ("x,y\n1,0\n2,NaN\n", "line 3, column 'y': 'NaN' is a missing value"),
    "inf": ("x,y\n1,0\n-inf,1\n", "line 3, column 'x': '-inf' is not finite"),
    "too large": ("x,y\n1,0\n1e39,1\n", "line 3, column 'x': 1e39 is too large for float32"),
    "beyond float64": ("x,y\n1,0\n1e999,1\n", "1e999 is too large for float32"),
    "one class": ("x,y\n1,1\n2,1\n", "label 'y' is 1 in every row; class 0 is missing"),
    "constant label": ("x,y\n1,5\n2,5\n", "label 'y' is 5 in every row: name another label"),
    "equal to the label": ("x,z,y\n1,0,0\n2,1,1\n", "column 'z' equals the label 'y'"),
    "line break in a name": ('"a\nb",y\n1,0\n2,1\n', r"column 1 .* rename it without '\\n'"),
    "a name turned round": ("a\u202eb,y\n1,0\n2,1\n", r"rename it without '\\u202e'"),
    "a title": ("Made in 2020\nx,y\n1,0\n2,1\n", "line 2 has 2 .*: remove what stands above"),
    "carets": ("x^y\n1^0\n2^1\n", r"has one column, called 'x\^y': .* commas, not by '\^'"),
    "colons": ("x:y\n1:0\n2:1\n", "not by ':'"),
    "line break in a cell": ('x,y\n1,0\n"2\n2",1\n', r"line 4, column 'x': '2 2' is not a number"),
    "long cell": ("x,y\n1,0\n" + 90 * "a" + ",1\n", r"'a{40}\.\.\.' is not a number"),
    "many columns": (
        ",".join(f"c{i}" for i in range(99)) + ("\n" + ",".join("1" * 99)) * 2,
        "its columns are c0, .*, c19 and 79 more$",
    ),
    "label only": ("y\n0\n1\n", "has no feature: besides the label 'y'"),
    "only text beside": ("n,y\na,0\nb,1\n", "has no feature"),
}


@pytest.mark.parametrize(("content", "message"), BROKEN.values(), ids=BROKEN.keys())
def test_broken_files(csv: Callable[[str | bytes], str], content: str, message: str) -> None:
    path = csv(content)
    with pytest.raises(UserError, match=message) as caught:
        datasets.load(path, label="y")
    assert path in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "needs a label: name one of its columns height, width, part, fake"),
        ({"label": "fakes"}, "has no column 'fakes': .*; did you mean 'fake'?"),
        ({"label": "fake", "features": ["heigth"]}, "did you mean 'height'?"),
        ({"label": "fake", "features": []}, "has no feature"),
        ({"label": "fake", "features": ["fake"]}, "'fake' is the label: take it off"),
        ({"label": "fake", "features": ["width", "width"]}, "'width' is chosen twice"),
        ({"label": "part", "task": "classification"}, "holds 0.5: classes are whole numbers"),
        ({"label": "fake", "task": "classification-3"}, "holds 2 classes, 0, 1, not those of"),
        ({"label": "fake", "task": "classification-2"}, "unknown task 'classification-2'"),
        ({"label": "fake", "task": "guessing"}, "unknown task 'guessing': choose from"),
        ({"label": "fake", "standardise": True}, "'width' is 2 in every row and cannot be"),
    ],
)
def test_wrong_choices(csv: Callable[[str], str], options: dict[str, object], message: str) -> None:
    path = csv("height,width,part,fake\n1,2,0.5,0\n3,2,1,1\n5,2,1.5,1\n")
    with pytest.raises(UserError, match=message):
        datasets.load(path, **options)  # type: ignore[arg-type]


def test_files_that_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"there is no file .*none\.csv: check its path"):
        datasets.load(str(tmp_path / "none.csv"), label="y")
    with pytest.raises(UserError, match="is a folder: name a CSV file in it"):
        datasets.load(str(tmp_path), label="y")
    with pytest.raises(UserError, match=r"cannot be read \(file name too long\)"):
        datasets.load(str(tmp_path / ("x" * 300)), label="y")


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root reads every file")
def test_file_without_permission(csv: Callable[[str], str]) -> None:
    path = csv("x,y\n1,0\n2,1\n")
    Path(path).chmod(0)
    with pytest.raises(UserError, match=r"cannot be read .*: check its path and permissions"):
        datasets.load(path, label="y")


@pytest.mark.parametrize("spec", ["banknote", "", "x" * 300])
def test_unknown_names_list_the_known(spec: str) -> None:
    with pytest.raises(
        UserError, match="name one of banknotes, instagram, digits, waves, synthetic, or"
    ) as caught:
        datasets.load(spec)
    assert ("did you mean 'banknotes'?" in str(caught.value)) == (spec == "banknote")


@settings(deadline=None)
@given(st.lists(st.tuples(FINITE, FINITE), min_size=2, max_size=20))
def test_numbers_survive_a_csv_file(
    tmp_path_factory: pytest.TempPathFactory, pairs: list[tuple[float, float]]
) -> None:
    path = tmp_path_factory.mktemp("round") / "trip.csv"
    lines = [f"{x!r},{z!r},{place}" for place, (x, z) in enumerate(pairs)]
    path.write_text("\n".join(["x,z,y", *lines]))
    wanted = np.array(pairs, dtype=np.float32)
    assume(not any(np.array_equal(column, np.arange(len(pairs))) for column in wanted.T))
    data = datasets.load(str(path), label="y", task="regression")
    assert np.array_equal(data.features, wanted)


CELL = st.one_of(
    st.sampled_from(
        ["", " ", "0", "1", "x", "y", "nan", "-inf", "1e999", '"', "\x00", "\r", ";", '"1\n"']
    ),
    st.text(max_size=4),
)
MESSY = st.lists(st.lists(CELL, max_size=4).map(",".join), max_size=5).map("\n".join)


@settings(deadline=None)
@given(st.one_of(st.binary(max_size=40), MESSY.map(str.encode), MESSY.map("x,y\n{}".format)))
def test_whatever_the_file_holds_the_answer_is_data_or_one_line(
    tmp_path_factory: pytest.TempPathFactory, content: bytes | str
) -> None:
    path = tmp_path_factory.mktemp("messy") / "mine.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    try:
        data = datasets.load(str(path), label="y", standardise=True)
    except UserError as error:
        complaint = str(error)
    else:
        complaint = "none"
        assert np.isfinite(data.features).all()
        assert np.isfinite(data.labels).all()
    assert len(complaint.splitlines()) == 1


# Describing and listing


def test_describe(csv: Callable[[str], str]) -> None:
    data = datasets.load(csv("x,y\n1,0\n3,1\n5,1\n"), label="y")
    told = datasets.describe(data, first=2)
    x, y = told.columns
    assert (x.name, x.role, x.mean, x.minimum, x.maximum) == ("x", "feature", 3, 1, 5)
    assert x.sd == pytest.approx((8 / 3) ** 0.5)
    assert (y.name, y.role) == ("y", "label")
    assert told.class_counts == {0: 1, 1: 2}
    assert told.first_rows == [(1.0, 0.0), (3.0, 1.0)]
    assert (told.rows, told.digest) == (3, data.digest)


def test_a_regression_has_no_classes() -> None:
    assert datasets.describe(datasets.load("instagram")).class_counts is None


def test_the_list_says_what_loading_gives() -> None:
    # What Keras downloads is in test_from_keras.py.
    for info in (one for one in datasets.available() if not one.name.startswith("keras:")):
        data = datasets.load(info.name)
        assert (info.rows, info.features, info.task) == (
            data.rows,
            math.prod(data.shape),
            data.task,
        )
        assert "\n" not in info.source
        assert info.origin == ("made" if info.path is None else "shipped")


def test_data_inside_an_installed_package_come_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "nnbench"
    package.mkdir()
    monkeypatch.setattr(catalog.resources, "files", lambda _: package)
    assert catalog.shipped_folder() == tmp_path / "data"
    (package / "data").mkdir()
    assert catalog.shipped_folder() == package / "data"


# Local copies


def test_a_local_copy_wins(csv: Callable[[str], str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NNBENCH_INSTAGRAM", csv("hour,likes\n1,50\n2,60\n3,80\n"))
    data = datasets.load("instagram")
    assert (data.name, data.rows, data.width) == ("instagram", 3, 1)
    info = next(info for info in datasets.available() if info.name == "instagram")
    assert (info.origin, info.rows, info.features) == ("local copy", 3, 1)


def test_a_local_copy_of_uci_s_own_file_is_standardised(
    csv: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NNBENCH_BANKNOTES", csv(RAW.replace("\n", "\r\n")))
    data = datasets.load("banknotes")
    assert data.features.mean(axis=0) == pytest.approx([0] * 4, abs=1e-6)
    assert data.features.std(axis=0) == pytest.approx([1] * 4, rel=1e-6)
    assert data.labels.ravel().tolist() == [0, 0, 1, 1]


def test_a_broken_local_copy_names_its_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NNBENCH_BANKNOTES", str(tmp_path / "gone.csv"))
    with pytest.raises(UserError, match=r"no file .*gone.csv.* set by NNBENCH_BANKNOTES"):
        datasets.load("banknotes")
    info = datasets.available()[0]
    assert (info.origin, info.rows) == ("local copy", None)
    assert "gone.csv" in str(info.problem)


# Fetching the original


@pytest.fixture
def server() -> Iterator[Callable[[str, bytes], str]]:
    """Serve bytes at a path of 127.0.0.1 and return the address; other paths answer 404."""
    pages: dict[str, bytes] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = pages.get(self.path)
            self.send_response(404 if content is None else 200)
            self.send_header("Content-Length", str(len(content or b"")))
            self.end_headers()
            self.wfile.write(content or b"")

        def log_message(self, *arguments: object) -> None:
            pass

    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=functools.partial(running.serve_forever, 0.01), daemon=True).start()

    def serve(path: str, content: bytes) -> str:
        pages[path] = content
        return f"http://127.0.0.1:{running.server_port}{path}"

    yield serve
    running.shutdown()
    running.server_close()


def zipped(text: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("data_banknote_authentication.txt", text)
    return packed.getvalue()


@pytest.mark.parametrize(
    "content",
    [RAW.encode(), RAW.replace("\n", "\r\n").rstrip().encode(), zipped(RAW)],
    ids=["line feeds", "as UCI sends it", "zip"],
)
def test_fetched_data_are_used_until_forgotten(
    server: Callable[[str, bytes], str], small_original: str, content: bytes
) -> None:
    got = datasets.fetch(mirrors=[server("/good", content)])
    assert "CC BY 4.0" in got.licence
    assert "Lohweg" in got.citation
    data = datasets.load("banknotes")
    assert data.rows == 4
    assert data.features.mean(axis=0) == pytest.approx([0] * 4, abs=1e-5)
    assert data.features.std(axis=0) == pytest.approx([1] * 4, rel=1e-5)
    assert "Lohweg" in data.source
    assert datasets.available()[0].origin == "fetched"
    assert datasets.forget()
    assert datasets.load("banknotes").rows == 1372
    assert not datasets.forget()


def test_the_next_mirror_is_tried(server: Callable[[str, bytes], str], small_original: str) -> None:
    damaged, good = server("/damaged", RAW[:50].encode()), server("/good", RAW.encode())
    dead = "http://127.0.0.1:9/dead"
    assert (
        datasets.fetch(mirrors=[dead, damaged, good.replace("good", "none"), good]).origin == good
    )


@pytest.mark.parametrize("content", [RAW[:50].encode(), b"<html>", b"PK rubbish", b"\xff"])
def test_a_damaged_download_is_not_stored(
    server: Callable[[str, bytes], str], tmp_path: Path, small_original: str, content: bytes
) -> None:
    with pytest.raises(UserError, match=r"damaged or not the original.*nothing was stored"):
        datasets.fetch(mirrors=[server("/damaged", content)])
    assert not (tmp_path / "cache").exists()
    assert datasets.load("banknotes").rows == 1372


def test_without_a_network_the_shipped_data_keep_working(
    server: Callable[[str, bytes], str],
) -> None:
    gone = server("/there", b"").replace("there", "gone")
    with pytest.raises(UserError, match="the shipped data keeps working") as caught:
        datasets.fetch(mirrors=["http://127.0.0.1:9/dead", gone])
    assert "127.0.0.1:9: cannot be reached" in str(caught.value)
    assert "answered 404" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert datasets.load("banknotes").rows == 1372


def test_fetch_takes_a_downloaded_file(csv: Callable[[str], str], small_original: str) -> None:
    assert datasets.fetch(from_file=csv(RAW)).path.is_file()
    with pytest.raises(UserError, match=r"mine\.csv is not the original bank note file"):
        datasets.fetch(from_file=csv(RAW + "1,2,3,4,0\n"))
    with pytest.raises(UserError, match="there is no file"):
        datasets.fetch(from_file="none.txt")


def test_a_cache_that_cannot_be_written(
    csv: Callable[[str], str], monkeypatch: pytest.MonkeyPatch, small_original: str
) -> None:
    path = csv(RAW)
    monkeypatch.setenv("NNBENCH_CACHE", path)
    with pytest.raises(UserError, match="set NNBENCH_CACHE to a folder that can be written"):
        datasets.fetch(from_file=path)
    assert not datasets.forget()


def test_a_damaged_cache_says_how_to_mend_it(tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    original.cached_path().write_text("feature_1,is_fake\n1,0\n")
    with pytest.raises(UserError, match="fetch the original again, or forget it"):
        datasets.load("banknotes")


@pytest.mark.skipif(
    not os.environ.get("NNBENCH_TEST_ORIGINAL_BANKNOTES"),
    reason="NNBENCH_TEST_ORIGINAL_BANKNOTES does not name a copy of the original",
)
def test_the_original_itself() -> None:
    datasets.fetch(from_file=os.environ["NNBENCH_TEST_ORIGINAL_BANKNOTES"])
    data = datasets.load("banknotes")
    assert datasets.describe(data).class_counts == {0: 762, 1: 610}
    assert data.features.std(axis=0) == pytest.approx([1] * 4, rel=1e-5)
