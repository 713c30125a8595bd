"""Does every link of the built pages lead somewhere, and does every page open offline?

    python docs/links.py docs/_build/html

Exit status 1 for a link inside that leads nowhere, and for a script, style or picture that a page
loads from the net. Links to other sites are tried, a few seconds each; one that cannot be reached
is named and fails nothing, as there may be no network here.
"""

import sys
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LIMIT_S = 5
LOADS = {"script": "src", "link": "href", "img": "src", "source": "srcset", "iframe": "src"}


class Page(HTMLParser):
    """What a page links to, what it loads, and the places in it that can be linked to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.loaded: set[str] = set()
        self.anchors: set[str] = {""}
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        """Note what an element names."""
        named = {name: value for name, value in attributes if value}
        self.anchors |= {named[name] for name in ("id", "name") if name in named}
        if tag == "a" and "href" in named:
            self.links.add(named["href"])
        if tag in LOADS and LOADS[tag] in named:
            self.loaded.add(named[LOADS[tag]])


def read(folder: Path) -> dict[Path, Page]:
    """Every page below a folder."""
    files = [file for file in sorted(folder.rglob("*.html")) if "_static" not in file.parts]
    return {file.resolve(): Page(file.read_text()) for file in files}


def faults(pages: dict[Path, Page]) -> list[str]:
    """What leads nowhere, and what is loaded from the net."""
    found = []
    for file, page in pages.items():
        for link in sorted(page.links | page.loaded):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                if link in page.loaded and parts.scheme != "data":
                    found.append(f"{file.name}: loads {link} from the net")
                continue
            target = (file.parent / unquote(parts.path)).resolve() if parts.path else file
            if not target.is_file():
                found.append(f"{file.name}: {link} is not there")
            elif target in pages and unquote(parts.fragment) not in pages[target].anchors:
                found.append(f"{file.name}: {link} names no place there")
    return found


def elsewhere(pages: dict[Path, Page]) -> list[str]:
    """All links to other sites."""
    links = {link.partition("#")[0] for page in pages.values() for link in page.links}
    return sorted(link for link in links if urlsplit(link).scheme in ("http", "https"))


def unreached(link: str) -> str | None:
    """Why a site cannot be reached; None where it can."""
    asked = urllib.request.Request(link, method="HEAD", headers={"User-Agent": "nnbench docs"})
    try:
        urllib.request.urlopen(asked, timeout=LIMIT_S).close()
    except urllib.error.HTTPError as answer:
        # Some sites refuse such questions, but are there.
        return str(answer) if answer.code in (404, 410) else None
    except OSError as failure:
        return str(failure)
    return None


def main() -> int:
    """Check all; 1 where something inside is wrong."""
    pages = read(Path(sys.argv[1]))
    wrong = faults(pages)
    links = elsewhere(pages)
    with ThreadPoolExecutor(8) as pool:
        for link, problem in zip(links, pool.map(unreached, links), strict=True):
            if problem:
                print(f"not reached from here: {link} ({problem})")
    print("\n".join(wrong) or f"{len(pages)} pages, every link inside leads somewhere")
    return 1 if wrong or not pages else 0


if __name__ == "__main__":
    sys.exit(main())
