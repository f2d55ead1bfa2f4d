"""The React board of the page, bundled as front ends are, in a browser."""

from __future__ import annotations

import shutil
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Dialog, Page, expect

from memberstaff.access import Role
from tests.clients.conftest import bundle
from tests.clock import TODAY
from tests.infrastructure.process import free_port
from tests.installation import PASSWORD, Installation, email

PAGE = '<!doctype html><html lang="en"><meta charset="utf-8"><body><script type="module" src="main.js"></script></body>'


class Quiet(SimpleHTTPRequestHandler):
    """Serves the files of a folder."""

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@pytest.fixture
async def folder(workshop: Path, tmp_path: Path) -> Path:
    """A site with the board."""
    shutil.copy(await bundle(workshop, "examples/main.tsx", "--platform", "browser"), tmp_path)
    (tmp_path / "index.html").write_text(PAGE)
    return tmp_path


@pytest.fixture
def site(folder: Path) -> Iterator[str]:
    """Its origin: another host than the server's, as a development server is."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def installation_settings(site: str) -> dict[str, Any]:
    """The site is known to the server."""
    return {"poll_seconds": 0.05, "allowed_origins": [site]}


@asynccontextmanager
async def board(browser: Browser, site: str, *answers: str) -> AsyncIterator[tuple[Page, list[str]]]:
    """The board, for somebody who answers its questions so; and the errors that they would find in the console."""
    rest, errors = list(answers), list[str]()

    async def answer(dialog: Dialog) -> None:
        await dialog.accept(rest.pop(0))

    page = await browser.new_page()
    page.on("dialog", answer)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    await page.goto(site)
    yield page, errors
    await page.close()


async def test_a_board_in_react_is_live(browser: Browser, site: str, installation: Installation) -> None:
    words = (installation.address.http, email(Role.MARKER), PASSWORD)
    async with board(browser, site, *words) as (page, errors):
        rows = page.get_by_role("listitem")
        await expect(rows).to_have_text(["Amina: UNMARKED", "Björn: UNMARKED", "Chloé: UNMARKED", "Дмитрий: UNMARKED"])
        await installation.marker.mark(installation.staff["Björn"], TODAY, status="LATE")
        await expect(rows).to_have_text(["Amina: UNMARKED", "Björn: LATE", "Chloé: UNMARKED", "Дмитрий: UNMARKED"])
        assert errors == []


async def test_a_board_in_react_says_why_it_shows_nothing(
    browser: Browser, site: str, installation: Installation
) -> None:
    words = (installation.address.http, email(Role.MARKER), "wrong")
    async with board(browser, site, *words) as (page, errors):
        await expect(page.get_by_role("alert")).to_have_text("The email or the password is wrong.")
        assert errors == []


async def test_a_board_in_react_says_that_it_waits_for_a_server_that_cannot_be_reached(
    browser: Browser, site: str
) -> None:
    words = (f"http://127.0.0.1:{free_port()}", email(Role.MARKER), PASSWORD)
    async with board(browser, site, *words) as (page, _):
        await expect(page.get_by_role("status")).to_have_text("No answer yet: Failed to fetch")
