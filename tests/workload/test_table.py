"""Tables as people save them: read where the meaning is plain, and every interpretation is said."""

import bz2
import gzip
import io
import lzma
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnbench.errors import UserError
from nnbench.workload import datasets
from nnbench.workload.datasets import column

ROWS = range(12)
PLAIN = "a,b,label\n" + "".join(f"{i},{i * i % 7},{i % 2}\n" for i in ROWS)


def table(row, header="a,b,label"):
    return header + "\n" + "".join(f"{row(i)}\n" for i in ROWS)


def archive(**files):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        for name, content in files.items():
            file.writestr(name, content)
    return packed.getvalue()


@pytest.fixture
def load(tmp_path):
    def read(content, **options):
        path = tmp_path / "mine.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        data = datasets.load(str(path), **{"label": "label", **options})
        assert data.source.startswith("; ".join([f"your file {path}", *data.notes]))
        return data

    return read


SAVED = {
    "semicolons": (PLAIN.replace(",", ";"), "separated by semicolons"),
    "tabs": (PLAIN.replace(",", "\t"), "separated by tabs"),
    "pipes": (PLAIN.replace(",", "|"), "separated by pipes"),
    "spaces": (PLAIN.replace(",", "  "), "separated by spaces"),
    "first line of Excel": ("sep=;\r\n" + PLAIN.replace(",", ";"), "separated by semicolons"),
    "a separator that is stated": ("sep=~\n" + PLAIN.replace(",", "~"), "separated by '~'"),
    "comments": ("# taken in 2021\n#\n" + PLAIN + "# end, of\n", "comment lines left out: 3"),
    "header of NumPy": ("# " + PLAIN, ""),
    "blank last lines": (PLAIN + "\n\n", ""),
    "rows of separators": (PLAIN + ",,\n,,\n", "blank rows left out: 2"),
    "padding": (PLAIN + "\0\0\0\n", "padding at its end left out"),
    "byte order mark": ("\ufeff" + PLAIN, ""),
    "UTF-16": (PLAIN.encode("utf-16"), "read as UTF-16"),
    "Latin-1": (PLAIN.replace(",b", ",größe").encode("latin-1"), "read as CP1252"),
    "old Mac": (PLAIN.replace("\n", "\r"), ""),
    "gzip": (gzip.compress(PLAIN.encode()), ""),
    "bzip2": (bz2.compress(PLAIN.encode()), ""),
    "xz": (lzma.compress(PLAIN.encode()), ""),
    "zip": (archive(**{"deep/x.csv": PLAIN, "__MACOSX/._x.csv": "\0"}), ""),
    "trailing separators": (table(lambda i: f"{i},{i * i % 7},{i % 2},"), ""),
    "spaces around names": (PLAIN.replace("a,b,label", " a , b , label "), ""),
    "quotes": (table(lambda i: f'"{i}","{i * i % 7}","{i % 2}"', '"a","b","label"'), ""),
    "index": (
        table(lambda i: f"{i},{i},{i * i % 7},{i % 2}", ",a,b,label"),
        "left out, for they have no name: column 1",
    ),
    "index of pandas": (
        table(lambda i: f"{i},{i},{i * i % 7},{i % 2}", "Unnamed: 0,a,b,label"),
        "left out, for they have no name: column 1",
    ),
    "names of rows by R": (
        table(lambda i: f"r{i},{i},{i * i % 7},{i % 2}"),
        "left out, for they have no name: column 1",
    ),
    "an empty last column": (
        table(lambda i: f"{i},{i * i % 7},{i % 2},", "a,b,label,"),
        "left out, for they have no name: column 4",
    ),
    "an empty column": (
        table(lambda i: f"{i},NA,{i * i % 7},{i % 2}", "a,c,b,label"),
        "left out without a value: c",
    ),
    "categories, dates and addresses": (
        table(
            lambda i: f"{i},m{i % 2},2024-01-{i + 1},192.168.1.{i},{i * i % 7},{i % 2}",
            "a,sex,day,ip,b,label",
        ),
        "left out as text: sex, day, ip",
    ),
    "text of several lines": (
        table(lambda i: f'"one, two\n{i}",{i},{i * i % 7},{i % 2}', "t,a,b,label"),
        "left out as text: t",
    ),
}


@pytest.mark.parametrize(("content", "note"), SAVED.values(), ids=SAVED.keys())
def test_the_same_table_however_it_was_saved(load, content, note):
    data = load(content)
    assert "; ".join(data.notes) == note
    assert data.digest == datasets.load(str(_plain(load)), label="label").digest
    assert data.task == "classification"


def _plain(load):
    return Path(load(PLAIN).name)


WRITTEN = {
    "decimal commas": (";", ["1,5", "0,25", "1234,5"], [1.5, 0.25, 1234.5], "decimal commas"),
    "both marks": (
        ";",
        ["1.234,5", "0,25", "12"],
        [1234.5, 0.25, 12],
        "decimal commas, marks of thousands dropped",
    ),
    "thousands": (
        ",",
        ['"1,234"', '"1,234,567.5"', "12"],
        [1234, 1234567.5, 12],
        "marks of thousands dropped",
    ),
    "spaces in thousands": (",", ["1 234", "5\u202f678"], [1234, 5678], None),
    "dollars": (",", ["$1.5", "-$2", "$ 3"], [1.5, -2, 3], "without $"),
    "dollars in thousands": (
        ",",
        ['"$1,234.50"', "$5"],
        [1234.5, 5],
        "without $, marks of thousands dropped",
    ),
    "euros": (";", ["1,50 €", "-2 €"], [1.5, -2], "without €, decimal commas"),
    "percent": (",", ["5%", "1.5 %"], [5, 1.5], "without %"),
    "truth": (",", ["True", "False", "TRUE"], [1, 0, 1], "false as 0, true as 1"),
    "yes": (",", ["yes", "no"], [1, 0], "no as 0, yes as 1"),
    "exponents": (",", ["0e-3", "1.2E+2"], [0, 120], ""),
    "a printed minus": (",", ["\u22121.5", "2"], [-1.5, 2], ""),
}


@pytest.mark.parametrize(
    ("separator", "cells", "values", "note"), WRITTEN.values(), ids=WRITTEN.keys()
)
def test_numbers_as_people_write_them(load, separator, cells, values, note):
    count = len(cells)
    data = load(
        table(lambda i: f"{cells[i % count]};{i % 5};{i % 2}".replace(";", separator)).replace(
            "a,b,label", separator.join(["a", "b", "label"])
        )
    )
    assert data.features[:count, 0] == pytest.approx(values)
    told = [one for one in data.notes if not one.startswith("separated")]
    if note is not None:
        assert told == ([f"{note}: a"] if note else [])


def test_other_columns_tell_what_a_mark_means(load):
    european = table(lambda i: f"{i},25;1.{i:03};{i % 2}", "a;b;label")
    assert load(european).features[1].tolist() == [1.25, 1001]
    american = table(lambda i: f"{i}.25;1,{i:03};{i % 2}", "a;b;label")
    assert load(american).features[1].tolist() == [1.25, 1001]
    assert load(table(lambda i: f"{i};1.{i:03};{i % 2}", "a;b;label")).notes == (
        "separated by semicolons",
        "dots taken as decimal: b",
    )
    assert load(table(lambda i: f"{i};0,{i:03};{i % 2}", "a;b;label")).features[1, 1] < 1
    with pytest.raises(UserError, match=r"column 'b': '1,000' may be 1000 or 1\.000; write it so"):
        load(table(lambda i: f"{i};1,{i:03};{i % 2}", "a;b;label"))


def test_rows_with_missing_values_are_left_out_and_said(load):
    content = table(lambda i: f"{'?' if i == 3 else i},{i},{'' if i == 5 else i % 2}")
    data = load(content)
    assert data.rows == 10
    assert data.notes == ("rows left out for missing values: 2 (lines 5, 7; in a, label)",)
    with pytest.raises(UserError, match="line 3, column 'b': 'NA' is a missing value"):
        load(table(lambda i: f"{i},{'NA' if i % 2 else i},{i % 3 % 2}"))


def test_what_float32_cannot_tell_apart_is_said(load):
    content = table(lambda i: f"{1700000000000 + i},{i},{i % 2}")
    assert "float32" in load(content).notes[0]
    assert load(content, standardise=True).notes == ()


REFUSED = {
    "no gzip": (b"\x1f\x8brubbish", "cannot be unpacked as gzip"),
    "half a gzip": (gzip.compress(PLAIN.encode())[:40], "cannot be unpacked as gzip: Compressed"),
    "half a bzip2": (bz2.compress(PLAIN.encode())[:40], "cannot be unpacked as bzip2"),
    "half an xz": (lzma.compress(PLAIN.encode())[:40], "cannot be unpacked as xz"),
    "half a zip": (archive(x=PLAIN)[:60], "cannot be unpacked as zip"),
    "two in a zip": (archive(x=PLAIN, y=PLAIN), "it holds 2 files: unpack it and name one"),
    "an empty zip": (archive(), "it holds no file"),
    "no workbook": (archive(**{"xl/workbook.xml": "<a/>"}), "is a (damaged )?workbook.*as CSV"),
    "mixed signs": (
        table(lambda i: f"{'$€'[i % 2]}{i},1{'%' * (i % 2)},{i % 2}"),
        "line 3.*'1%' is",
    ),
    "UTF-16 without a mark": (PLAIN.encode("utf-16-le"), "is not text"),
    "half UTF-16": (PLAIN.encode("utf-16")[:-1], "is not text"),
    "another case": (PLAIN.replace("label", "LABEL"), "did you mean 'LABEL'?"),
    "one class of text": (table(lambda i: f"{i},{i},x"), "label 'label' is 'x' in every row"),
    "labels missing": (table(lambda i: f"{i},{i},"), "line 2, column 'label': the cell is blank"),
    "no header": (table(lambda i: f"{i / 2},{i},{'xy'[i % 2]}", "5.1,3.5,label"), "has no header"),
    "a name missing": (
        table(lambda i: f"{i * 3},{i},{i % 2}", "a,label"),
        "3 cells where the header has 2",
    ),
    "a total below": (PLAIN + "total: 12\n", "line 14 has 1 cell where"),
    "a long cell": (PLAIN + "1,2," + "x" * 200_000, "line 14 is not CSV"),
}


@pytest.mark.parametrize(("content", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_not_plain_is_one_line(load, content, message):
    with pytest.raises(UserError, match=message) as caught:
        load(content)
    assert len(str(caught.value).splitlines()) == 1


def test_a_workbook_is_read_by_pandas(tmp_path):
    pd = pytest.importorskip("pandas")
    pytest.importorskip("openpyxl")
    frame = pd.DataFrame({"a": [0.5, 1, 2, 3] * 3, "on": [True, False, True] * 4})
    frame["label"] = ["x", "y", "z"] * 4
    frame.to_excel(tmp_path / "mine.xlsx")
    data = datasets.load(str(tmp_path / "mine.xlsx"), label="label")
    assert data.features[0].tolist() == [0.5, 1]
    assert data.task == "classification-3"


NUMBER = st.floats(-1e9, 1e9, allow_nan=False).map(lambda value: round(value, 2))


@settings(deadline=None)
@given(st.lists(NUMBER, min_size=1, max_size=20), st.sampled_from([",.", ".,", " ,", "'."]))
def test_grouped_numbers_are_read_back(numbers, marks):
    exchange = str.maketrans(",.", marks)
    read = column.read([f"{value:,.2f}".translate(exchange) for value in numbers])
    assert not read.doubt
    assert read.values == pytest.approx(np.array(numbers))
