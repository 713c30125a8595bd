"""Damage to a JSON document. A place in it is a path such as /cases/0/training."""

import json

from fuzz.damage.values import FOREIGN, WRONG, Damage, raw
from hypothesis import strategies as st

HERE = "@@here@@"
EACH = (
    *("null", "true", "zero", "minus one", "400 digits", "1e999", "NaN", "empty text"),
    *("an escape sequence", "U+2028", "10,000 characters"),
    *("a list", "a mapping", "a list of lists"),
)
"""What is put in each place of a document when all places are tried."""


def places(node, path=""):
    """The paths of a JSON document's nodes; of long lists the first, second and last."""
    yield path
    if isinstance(node, dict):
        children = [(key, node[key]) for key in node]
    elif isinstance(node, list):
        chosen = sorted({0, 1, len(node) - 1} & set(range(len(node))))
        children = [(str(number), node[number]) for number in chosen]
    else:
        children = []
    for key, child in children:
        yield from places(child, f"{path}/{_escaped(key)}")


def _escaped(key):
    return key.replace("~", "~0").replace("/", "~1")


def _steps(path):
    return [one.replace("~1", "/").replace("~0", "~") for one in path.split("/")[1:]]


def _parent(document, path):
    *above, last = _steps(path)
    node = document
    for step in above:
        node = node[int(step)] if isinstance(node, list) else node[step]
    return node, int(last) if isinstance(node, list) else last


def node_at(document, path):
    if not path:
        return document
    node, key = _parent(document, path)
    return node[key]


def changed(document, damage):
    """The text of a JSON document after damage to one of its nodes."""
    holder = {"": json.loads(json.dumps(document))}
    node, key = _parent(holder, f"/{damage.place}")
    value = raw(damage.value) if damage.value else ""
    match damage.what:
        case "replace":
            node[key] = HERE
        case "drop":
            del node[key]
        case "repeat":
            if isinstance(node, list):
                node.insert(key, node[key])
            else:
                node[HERE] = node[key]
                value = json.dumps(key)
        case "rename":
            if isinstance(node, dict):
                items = [(HERE if name == key else name, one) for name, one in node.items()]
                node.clear()
                node.update(items)
            else:
                node[key] = HERE
        case "call":
            # The same text by another name wherever it stands, so that nothing is lost for it.
            called = json.dumps(node[key])[1:-1]
            return json.dumps(holder[""]).replace(f'"{called}"', value)
    return json.dumps(holder[""]).replace(f'"{HERE}"', value)


def damages_of(document):
    """Damage to a node of a JSON document."""
    inner = [place for place in places(document) if place]
    texts = [place for place in inner if isinstance(node_at(document, place), str)]
    values = st.sampled_from([*WRONG, *FOREIGN])
    kinds = [st.builds(Damage, st.just("replace"), st.sampled_from(["", *inner]), values)]
    if inner:
        some = st.sampled_from(inner)
        foreign = st.sampled_from(list(FOREIGN))
        kinds += [
            kinds[0],
            st.builds(Damage, st.sampled_from(["drop", "repeat"]), some),
            st.builds(Damage, st.just("rename"), some, foreign),
        ]
        if texts:
            kinds.append(st.builds(Damage, st.just("call"), st.sampled_from(texts), foreign))
    return st.one_of(kinds)


def damages(content):
    """Damage to a file of one JSON document."""
    return damages_of(json.loads(content))


def all_of(content):
    """What may become of a file: every value wrong or gone, half of it, something else."""
    yield from (b"", b"\x00", b"\xff\xfe", b"{", content[: len(content) // 2])
    yield from (raw(value).encode() for value in ("a deep list", "a deep mapping"))
    document = json.loads(content)
    for place in places(document):
        yield from (applied(content, Damage("replace", place, value)) for value in EACH)
        if place:
            yield applied(content, Damage("drop", place))


def applied(content, damage):
    """The file after damage."""
    return changed(json.loads(content), damage).encode()
