"""Damage to the bytes of any file."""

from fuzz.damage.values import Damage
from hypothesis import strategies as st

BYTES = {
    "empty": lambda content: b"",
    "NULs": lambda content: b"\0" * len(content),
    "a byte that is no UTF-8 before it": lambda content: b"\xff\xfe" + content,
    "a byte order mark before it": lambda content: b"\xef\xbb\xbf" + content,
    "twice": lambda content: content + content,
    "a blank line before it": lambda content: b"\n\n" + content,
    "another file's bytes": lambda content: b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8,
}
AT = ("cut", "flip", "insert NULs", "insert no UTF-8", "lose 16 bytes")

PLACES = ("missing", "a folder", "a link to itself", "a link to nothing")
"""What may be in a file's place. They are no damage of its bytes."""


def applied(content, damage):
    """Bytes after damage at a place, which is a share of them in thousandths."""
    if damage.what in BYTES:
        return BYTES[damage.what](content)
    at = int(damage.place) * len(content) // 1000
    match damage.what:
        case "cut":
            return content[:at]
        case "flip":
            return content[:at] + bytes([content[at] ^ 255]) + content[at + 1 :]
        case "insert NULs":
            return content[:at] + b"\0" * 8 + content[at:]
        case "insert no UTF-8":
            return content[:at] + b"\xff\xc0" + content[at:]
        case "lose 16 bytes":
            return content[:at] + content[at + 16 :]
    raise ValueError(damage)


def damages():
    """Damage to the bytes of any file, or another thing in its place."""
    shares = st.integers(0, 999).map(str)
    whole = st.builds(Damage, st.sampled_from([*BYTES, *PLACES]))
    return st.one_of(whole, st.builds(Damage, st.sampled_from(AT), shares))
