"""Damage to lines of `key = value`, TOML or not."""

from fuzz.damage.values import FOREIGN, WRONG, Damage, raw
from hypothesis import strategies as st

TOML = {
    "nan": "nan",
    "inf": "-inf",
    "a date": "2026-01-01T00:00:00Z",
    "a table": "{a = 1}",
    "a deep table": "{a=" * 500 + "1" + "}" * 500,
    "a multi-line text": '"""\na\nb"""',
    "a hexadecimal": "0xff",
    "nothing": "",
}


def applied(content, damage):
    """The file after damage to a line of it."""
    lines = content.decode().splitlines()
    told = list(lines)
    position = int(damage.place)
    key, equals, _ = lines[position].partition("=")
    known = damage.value in TOML
    match damage.what:
        case "set":
            value = TOML[damage.value] if known else raw(damage.value)
            told[position] = f"{key}= {value}" if equals else f"{key} {value}"
        case "name":
            told[position] = raw(damage.value) + lines[position][len(key) :]
        case "drop":
            del told[position]
        case "repeat":
            told.insert(position, lines[position])
    return ("\n".join(told) + "\n").encode()


def damages(content):
    """Damage to a line of settings."""
    lines = content.decode().splitlines()
    positions = st.sampled_from([str(number) for number, line in enumerate(lines) if line])
    set_to = st.sampled_from([*TOML, *WRONG, *FOREIGN])
    name = st.builds(Damage, st.just("name"), positions, st.sampled_from(list(FOREIGN)))
    lost = st.builds(Damage, st.sampled_from(["drop", "repeat"]), positions)
    changed = st.builds(Damage, st.just("set"), positions, set_to)
    return st.one_of(changed, changed, name, lost)
