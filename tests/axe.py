"""axe-core in the browser of the tests: what of a page is not for everyone.

It comes from the npm registry by npm, once, into a folder that outlives the tests.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

VERSION = "4.10.3"
LIMIT_S = 90


def _folder() -> Path:
    caches = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(caches) / "nnbench-tests" / f"axe-core-{VERSION}"


def source() -> str:
    """Its code. Skips the test where it cannot be had, but never where CI is set."""
    path = _folder() / "node_modules" / "axe-core" / "axe.min.js"
    if not path.is_file():
        _fetch()
    if path.is_file():
        return path.read_text(encoding="utf-8")
    missing = f"axe-core {VERSION} could not be had from the npm registry"
    if os.environ.get("CI", "").lower() in ("true", "1"):
        pytest.fail(missing)
    pytest.skip(missing)


def _fetch() -> None:
    npm = shutil.which("npm")
    if npm is None:
        return
    _folder().mkdir(parents=True, exist_ok=True)
    command = [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", "--no-save"]
    try:
        subprocess.run(
            [*command, "--prefix", str(_folder()), f"axe-core@{VERSION}"],
            timeout=LIMIT_S,
            capture_output=True,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return


def violations(browser) -> list[str]:
    """What axe finds on the page that is open: each rule, and the first places that break it."""
    browser.execute_script(source())
    found = browser.execute_async_script(
        "const done = arguments[0];"
        "axe.run(document, {resultTypes: ['violations']}).then(r => done(JSON.stringify("
        "r.violations.map(v => `${v.id}: ${v.help}: "
        "${v.nodes.slice(0, 3).map(n => n.html.slice(0, 120)).join(' | ')}`))))"
    )
    return json.loads(found)
