"""Odd commits of git."""

from fuzz.damage.values import Damage
from hypothesis import strategies as st

COMMITS = {
    "no UTF-8": b"caf\xe9 \xff\xfe",
    "U+2028": "a\u2028b\u0085c".encode(),
    "form feeds": b"a\x0cb\x0bc\x1cd",
    "carriage returns": b"a\rb\r\nc",
    "an escape sequence": b"\x1b[31mred",
    "a closing tag": b"[/] [red]x",
    "Markdown": b"@everyone <!-- | ![x](http://example.org)",
    "a script": b"<script>alert(1)</script>",
    "right to left": "a\u202eb".encode(),
    "no message": b"",
    "tabs": b"\ta\tb\t",
    "10,000 characters": b"x" * 10_000,
    "a formula of matplotlib": rb"$\frac{",
    "a surrogate": b"a\xed\xa0\x80b",
}
HEADS = {
    "year 3,000,000": "author A <a@example.org> 94608000000000 +0000",
    "before 1970": "author A <a@example.org> -1000 +0000",
    "no date": "author A <a@example.org>",
    "no author": "author  <> 1700000000 +9999",
    "another encoding": "author A <a@example.org> 1700000000 +0000\nencoding UTF-7",
    "an unknown encoding": "author A <a@example.org> 1700000000 +0000\nencoding nonsense",
}


def damages():
    """Odd messages and heads of a commit."""
    message = st.builds(Damage, st.just("message"), value=st.sampled_from(list(COMMITS)))
    head = st.builds(Damage, st.just("head"), value=st.sampled_from(list(HEADS)))
    return st.one_of(message, message, head)
