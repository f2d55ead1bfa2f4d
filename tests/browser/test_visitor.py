"""The browser is a real one, and nothing that goes wrong in it goes unnoticed."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from memberstaff.server.app import create_app
from memberstaff.settings import Settings
from tests.api.toy import ToyHost, toy_schema
from tests.browser.visitor import visiting
from tests.serving import serving
from tests.waiting import until


async def test_without_a_build_a_person_reads_what_to_do(browser: Browser, tmp_path: Path) -> None:
    host = ToyHost(Settings())
    async with serving(create_app(toy_schema(), host, tmp_path / "none"), host.settings) as address:
        async with visiting(browser, address.http) as visitor:
            visitor.expects("503")
            await visitor.page.goto("/")
            await expect(visitor.page.get_by_role("heading")).to_have_text("The dashboard is not built")
            assert [problem.partition(" (")[0] for problem in visitor.problems] == [
                "console: Failed to load resource: the server responded with a status of 503"
            ]


@pytest.mark.parametrize(
    ("script", "problem"),
    [
        ("new Image().src = 'http://photos.localhost:9/x'", "request to another host: http://photos.localhost:9/x"),
        ("new Image().src = 'http://localhost:9/x.png'", "content policy: img-src http://localhost:9/x.png"),
        ("new WebSocket('ws://localhost:9/')", "content policy: connect-src ws://localhost:9/"),
        ("document.body.innerHTML = `<p style='color: red'>`", "content policy: style-src-attr inline"),
        ("console.error('oh')", "console: oh"),
        ("setTimeout(() => { throw new Error('ah') })", "uncaught: ah"),
    ],
)
async def test_what_goes_wrong_in_a_page_fails_its_test(
    browser: Browser, tmp_path: Path, script: str, problem: str
) -> None:
    (tmp_path / "index.html").write_text("<!doctype html><title>page</title><script src='/page.js'></script>")
    (tmp_path / "page.js").write_text(f"addEventListener('load', () => {{ {script} }})")
    host = ToyHost(Settings(image_origins=("http://photos.localhost:9",)))
    async with serving(create_app(toy_schema(), host, tmp_path), host.settings) as address:
        with pytest.raises(AssertionError) as failed:
            async with visiting(browser, address.http) as visitor:
                await visitor.page.goto("/")
                await expect(visitor.page).to_have_title("page")
                await until(lambda: any(problem in told for told in visitor.surprises))
    assert problem in str(failed.value)
