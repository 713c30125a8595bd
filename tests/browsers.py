"""A browser to look at pages with: one that is here, else one that Selenium can bring."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from selenium import webdriver
from selenium.common.exceptions import WebDriverException

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
DRIVERS = ("chromedriver", "chromium.chromedriver", "/usr/lib/chromium-browser/chromedriver")
LIMIT_S = 90
"""How long Selenium may look for, and fetch, what is not here."""

ASK_SELENIUM = """
import json, sys
from selenium.webdriver.common.selenium_manager import SeleniumManager
print(json.dumps(SeleniumManager().binary_paths(sys.argv[1:])))
"""


class NoBrowserError(Exception):
    """There is no browser, and none could be had; says why."""


def open_browser() -> webdriver.Chrome:
    """Start a browser without a window. Raises NoBrowserError where there is none."""
    here = _found(BROWSERS)
    reasons = []
    for name, look in (("here", _on_path), ("from Selenium", _from_selenium)):
        try:
            return _started(*look(here))
        except NoBrowserError as problem:
            reasons.append(f"{name}: {problem}")
    raise NoBrowserError("; ".join(reasons))


def _found(names: tuple[str, ...]) -> str | None:
    return next((path for name in names if (path := shutil.which(name))), None)


def _on_path(browser: str | None) -> tuple[str, str]:
    driver = _found(DRIVERS)
    if browser is None:
        raise NoBrowserError(f"none of {', '.join(BROWSERS)}")
    if driver is None:
        raise NoBrowserError(f"{browser} without a chromedriver")
    return browser, driver


def _from_selenium(browser: str | None) -> tuple[str, str]:
    """A driver for this browser, or both; what Selenium fetches it keeps in its own cache."""
    wanted = ["--browser", "chrome", *(["--browser-path", browser] if browser else [])]
    process = subprocess.Popen(
        [sys.executable, "-c", ASK_SELENIUM, *wanted],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "SE_AVOID_STATS": "true", "SE_TIMEOUT": str(LIMIT_S // 2)},
        start_new_session=True,
    )
    try:
        told, errors = process.communicate(timeout=LIMIT_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, 9)
        process.communicate()
        raise NoBrowserError(f"nothing came within {LIMIT_S} s") from None
    try:
        paths = json.loads(told)
        return browser or paths["browser_path"], paths["driver_path"]
    except (ValueError, KeyError):
        said = re.search(r"'message': ['\"](.*?)['\"],", errors)
        raise NoBrowserError(said[1] if said else errors.strip()[-200:] or "no answer") from None


def _started(browser: str, driver: str) -> webdriver.Chrome:
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for flag in (
        *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
        *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
        "--disable-dev-shm-usage",
    ):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = webdriver.ChromeService(executable_path=driver)
    try:
        return webdriver.Chrome(options=options, service=service)
    except (WebDriverException, OSError) as problem:
        first = str(problem).strip().splitlines()[0]
        raise NoBrowserError(f"{Path(browser).name} does not start ({first})") from None


def open_at(
    browser: webdriver.Chrome, page: Path, width: int = 1280, *, dark: bool = False, media: str = ""
) -> None:
    """Open a page in a window so wide, on a light or dark screen, or as paper shows it."""
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": [scheme]})
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    browser.get(page.as_uri())


def clear_media(browser: webdriver.Chrome) -> None:
    """Give the browser its own window and colours again."""
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
