"""Text of files and people is shown, never obeyed."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as some
from markdown_it import MarkdownIt
from matplotlib.figure import Figure

from nnbench.show import figures, html
from nnbench.show.html import Part
from nnbench.show.progress import Bar
from nnbench.show.table import Cell, Table
from nnbench.show.terminal import note, print_sentences, print_table, say
from nnbench.show.text import file_name, markdown, no_formula, plainer, printable

NASTY = [
    "[/]",
    "list[int]",
    "[red]d.csv",
    ":warning:",
    "\x1b[2J\x1b]0;title\x07",
    "\u202egnp.exe",
    "two\nlines\u2028or\x85three",
    "half \udc80 a pair",
    "$\\frac{$ and $x$",
    "@everyone ![x](http://evil) <!-- | <script>alert(1)</script>",
    "x" * 10_000,
    "a b " * 2_500,
    "漢字 é \u00a0 עברית",
]
ANY = some.text(some.characters(), max_size=3000) | some.sampled_from(NASTY)
TABLES = MarkdownIt("commonmark", {"html": True}).enable("table")


@given(ANY)
def test_what_is_printable_is_one_line_of_characters_that_can_be_seen(text):
    shown = printable(text)
    assert len(shown) <= 1000
    assert all(one.isprintable() or unicodedata.category(one) == "Zs" for one in shown)
    shown.encode()
    assert printable(shown) == shown


@pytest.mark.parametrize("text", ["list[int]", "[/]", "漢字 é", "a" * 255, "/" + "x/" * 490])
def test_what_looks_like_what_it_is_stays_as_it_is(text):
    assert printable(text) == text


def test_of_a_long_name_both_ends_its_length_and_its_difference_are_seen():
    names = ["begin" + middle + "x" * 9_989 + "end" for middle in "ab" * 1 + "c"]
    shown = [printable(name) for name in names]
    assert len(set(shown)) == 3
    for one in shown:
        assert one.startswith("begin")
        assert one.endswith("end")
        assert "(9,998 characters" in one


@pytest.mark.parametrize("text", ["a" * 500, "a" * 400 + " " + "b" * 99, "a" * 300 + " b" * 100])
def test_the_length_that_is_said_is_that_of_the_whole_text(text):
    names = [text, text[:100] + "c" + text[101:], text[:-40] + "d" + text[-39:]]
    shown = [printable(name, 70) for name in names]
    assert len(set(shown)) == 3
    assert all("(500 characters, " in one and len(one) <= 70 for one in shown)


def read_markdown(row):
    """The texts of a table's cells, and what else than text and code is in them."""
    tokens = TABLES.parse(f"| a | b |\n| --- | --- |\n{row}\n")
    cells = [one for one in tokens if one.type == "inline"][2:]
    inside = [part for one in cells for part in one.children]
    texts = ["".join(p.content for p in one.children if p.type == "text") for one in cells]
    others = {p.content or p.type for p in inside if p.type != "text"}
    return texts, others - {"<code>", "</code>"}


@given(ANY, ANY)
def test_in_markdown_a_text_is_nothing_but_itself(one, other):
    cells, others = read_markdown(f"| {markdown(one)} | {markdown(other)} |")
    assert others == set()
    wanted = [printable(text, 100) for text in (one, other)]
    assert [cell.strip() for cell in cells] == [text.strip() for text in wanted]
    assert len(markdown(one)) < 250


@pytest.mark.parametrize("text", ["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(1)", "\t=1", "\r=1"])
def test_a_spreadsheet_takes_text_for_text(text):
    assert no_formula(text) == "'" + text
    assert no_formula("step") == "step"


@given(ANY)
def test_a_part_of_a_files_name_leads_nowhere(text):
    name = file_name(text)
    assert "/" not in name
    assert len(name.encode()) <= 150


def test_what_a_stream_cannot_encode_is_written_plainer():
    failure = UnicodeEncodeError("ascii", "1–2 × é", 0, 7, "")
    assert plainer(failure) == ("1-2 x \\xe9", 7)


@pytest.mark.parametrize("text", NASTY)
def test_every_way_to_the_terminal_shows_it(capsys, text):
    table = Table(text, [text, "b"], [[Cell(text, text), Cell(text)]], caption=text)
    print_table(table, 5000)
    say(text, text)
    print_sentences([text], wrap=False)
    note(text)
    with Bar(1, "trials") as bar:
        bar.show(0, text)
    told = capsys.readouterr()
    for character in told.out + told.err:
        assert character == "\n" or character.isprintable() or character == "\u00a0"
    beginning = printable(text)[:40].rstrip()
    assert told.out.count(beginning) >= 7
    assert beginning in told.err
    assert len(told.out) < 60_000


def test_a_note_is_broken_between_words_on_a_terminal_but_not_in_a_command(capsys, monkeypatch):
    plan, command = "12 launches of 1 block, about 30 s " * 4, "next: nnbench run 6,6 " + "7 " * 40
    note(plan)
    assert len(capsys.readouterr().err.splitlines()) == 1
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "60")
    note(plan, command)
    *told, last = capsys.readouterr().err.splitlines()
    assert max(map(len, told)) <= 60
    assert " ".join(told) == plan.strip()
    assert last == command


def test_a_page_shows_it(tmp_path, no_pictures):
    parts = [
        Part(text, text, Table(text, [text], [[Cell(text, text)]]), code="a\nb" + text)
        for text in NASTY
    ]
    words = {"title": NASTY[9], "subtitle": NASTY[4], "sentences": NASTY, "warnings": NASTY}
    page = html.write(tmp_path / "page.html", parts=parts, **words).read_text(encoding="utf-8")
    assert "<script>" not in page
    for hidden in "\x1b\x07\x85\u2028\u202e":
        assert hidden not in page
    assert "\\x1b[2J" in page
    assert "\\udc80" in page
    assert "a\nb[/]" in page
    assert "10,000 characters" in page
    assert len(page) < 60_000


def test_a_chart_shows_it_and_no_mathematics():
    figure = Figure()
    left, right = figure.subplots(1, 2)
    left.set_yticks(range(len(NASTY)), NASTY)
    left.set_title(NASTY[8])
    left.plot([0, 1], [0, 12], label=NASTY[8])
    left.annotate(NASTY[10], (0, 0))
    right.plot([1, 1e4], [1e-3, 2e-3])
    right.set(xscale="log", yscale="log")
    figures.legend_above(figure)
    figures.footnote(figure, NASTY[11])
    for _ in range(2):
        assert figures.png(figure, 40).startswith(b"\x89PNG")
    drawn = [text.get_text() for text in figure.findobj(figures.Text)]
    assert NASTY[8] in drawn
    assert "list[int]" in drawn
    assert "10²" in drawn
    assert not [text for text in drawn if "mathdefault" in text or len(text) > 250]
