"""What each kind of file may do: showing reads no file, and how it is done stands in one place."""

from pathlib import PurePath

from house import House

HOUSE = House()
SHOWN = ("words.py", "tables.py", "charts.py")
KNOWN_TO_THE_TOOLKIT = {"errors", "phases", "machine", "show"}
OPENING = {
    *("open", ".open", ".read_text", ".read_bytes", ".write_text", ".write_bytes", ".mkdir"),
    *(".touch", ".unlink", ".iterdir", ".glob", ".rglob"),
}


def of_kind(names):
    return [file for file in HOUSE.trees if PurePath(file).name in names]


def calling(files, names):
    return [f"{file} calls {name}" for file in files for name in HOUSE.calls(file) if name in names]


def test_the_toolkit_knows_no_subject():
    found = [
        str(one)
        for one in HOUSE.imports
        if one.room == "show" and one.to in HOUSE.rooms - KNOWN_TO_THE_TOOLKIT
    ]
    assert found == []


def test_what_is_shown_opens_no_path():
    assert calling(of_kind(SHOWN), OPENING) == []


def test_what_is_shown_receives_what_it_tells():
    found = [
        str(one)
        for one in HOUSE.imports
        if one.file in of_kind(SHOWN) and one.to in ("store", "measure") and not one.typed
    ]
    assert found == []


def test_figures_are_saved_and_annotated_in_one_place():
    others = [file for file in HOUSE.trees if file != "show/figures.py"]
    assert calling(others, {".savefig", ".supxlabel"}) == []


def test_only_the_toolkit_prints_with_rich():
    found = [
        str(one)
        for one in HOUSE.imports
        if one.module.split(".")[0] == "rich" and one.room != "show"
    ]
    assert found == []


def test_figures_are_drawn_where_all_rooms_draw():
    found = [
        str(one)
        for one in HOUSE.imports
        if one.module.split(".")[0] == "matplotlib" and one.room != "show" and not one.typed
        if PurePath(one.file).name not in ("charts.py", "page.py")
    ]
    assert found == []


def test_words_know_of_no_path():
    found = [
        str(one)
        for one in HOUSE.imports
        if one.file in of_kind(("words.py",)) and one.module == "pathlib"
    ]
    assert found == []
