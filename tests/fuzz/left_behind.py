"""What a call leaves on the disk and may not."""

import html
import re

from fuzz.calls import Fault

CHANGED_ANYHOW = re.compile(r"/\.git(/|$)|/\.nnbench(/|$)")
MOST_OF_A_COMMENT = 65_536
PRODUCTS = {"annotate": "nnbench-history.json", "fetch": "bank_note_original.csv"}


def faults(world, before, answer):
    """What is wrong with the files that a call left; `before` is the world's state before it."""
    yield from _changes(world, before, answer)
    yield from _pages(world, before, answer)


def _changes(world, before, answer):
    """Files that a call changed, and may not."""
    after = world.state()
    own = PRODUCTS.get(answer.command[1] if answer.command[1:] else "")
    for path in sorted(before.keys() | after.keys()):
        was, now = before.get(path), after.get(path)
        if was == now or CHANGED_ANYHOW.search(str(path)):
            continue
        if not path.is_relative_to(world.folder):
            yield Fault("something is left outside", "", str(path.relative_to(world.base)))
        elif (
            answer.started is not None
            or path.name == own
            or path.suffix in (".html", ".png", ".svg")
        ):
            continue
        elif was is not None:
            kind = "a file is overwritten" if now is not None else "a file is removed"
            yield Fault(kind, "", str(path.relative_to(world.folder)))
        elif answer.status == 2:
            what = str(path.relative_to(world.folder))
            yield Fault("a refused command leaves something", "", what)


def _pages(world, before, answer):
    """Foreign text that is code on a page or in a comment."""
    for path in world.state().keys() - before.keys():
        if path.suffix == ".html":
            text = path.read_text(errors="replace")
            if "<script>alert(1)" in text or re.search(r"<img[^>]*onerror=alert", text):
                yield Fault("a script on a page", "", path.name)
            if strange := _bidirectional(html.unescape(text)):
                yield Fault("right to left on a page", "", f"{strange} in {path.name}")
        elif path.suffix == ".md":
            text = path.read_text(errors="replace")
            bare = re.sub(r"(`+).+?\1", "", text)
            for word in ("@everyone", "<!--", "![x](", "<script>", "\u202e", "\x1b", "\u2028"):
                if word in bare:
                    yield Fault("foreign text is Markdown", "", f"{word!r} in {bare[:300]!r}")
            if len(text) > MOST_OF_A_COMMENT:
                yield Fault("a comment is too long", "", f"{len(text):,} letters")


def _bidirectional(text):
    return sorted(
        {f"U+{ord(one):04X}" for one in text if one in "\u202a\u202b\u202d\u202e\u2066\u2067"}
    )
