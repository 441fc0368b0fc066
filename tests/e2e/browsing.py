"""A real browser for tests: Debian's chromium, driven by playwright; skipped where there is none, required in CI."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


def require_browser() -> None:
    """Skip the test where no browser is installed; in CI that is a failure."""
    if CHROMIUM is None:
        if os.environ.get("CI"):
            pytest.fail("CI must have a browser: install Debian's chromium")
        pytest.skip("there is no chromium on this machine")
    pytest.importorskip("playwright", reason="playwright drives the browser")


@contextmanager
def browser_page(*, width: int, height: int) -> Iterator[Any]:
    """Open a page that does not verify certificates: the browser does not know the sandbox's CA."""
    require_browser()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        try:
            page = browser.new_page(ignore_https_errors=True, viewport={"width": width, "height": height})
            page.context.set_default_timeout(150_000)  # milliseconds: a busy machine is slow, and its pages are right
            yield page
        finally:
            browser.close()
