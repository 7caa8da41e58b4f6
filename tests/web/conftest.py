"""A browser, a live service with the models that come along, and a host elsewhere.

Of every page that a test opens, each error in its console, each exception and each request to a
host that was not named fails the test.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from importlib.resources import files
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Request, Route, sync_playwright

from tests.app.test_serve import announced_url, log_read_aside, started
from tests.web.element import RECORD, example
from tests.web.scripted import Script, local_server, scripted

AXE = (files("axe_playwright_python") / "axe.min.js").read_text()


# Of this package and no longer: the synchronous Playwright keeps an event loop running in its
# thread, and no other test could then start one.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    path = os.environ.get("PLAYWRIGHT_CHROMIUM") or shutil.which("chromium")
    if path is None:
        pytest.skip("no Chromium is here (Debian package chromium, or PLAYWRIGHT_CHROMIUM=path)")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@dataclass
class Elsewhere:
    """An HTTP server on an origin of its own, and what it serves."""

    origin: str
    pages: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)

    def put(self, html: str, **headers: str) -> str:
        """The address of a page with this text and these headers (`_` for `-`)."""
        self.pages["/page"] = html
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}
        return f"{self.origin}/page"


@pytest.fixture(scope="package")
def elsewhere() -> Iterator[Elsewhere]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            text = site.pages.get(urlsplit(self.path).path)
            self.send_response(204 if text is None else 200)  # 204: a browser's /favicon.ico
            for name, value in (site.headers | {"Content-Type": "text/html"}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write((text or "").encode())

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with local_server(Handler) as origin:
        site = Elsewhere(origin)
        yield site


@contextmanager
def live_service(*arguments: str, **environment: str) -> Iterator[str]:
    """A service with the models in models/, as its address."""
    given = ("--port", "0", "--workers", "1", "--default-model", "mnist-2conv", *arguments)
    with started(*given, **environment) as process:
        url = announced_url(process)
        with log_read_aside(process):
            yield url


@pytest.fixture(scope="package")
def service() -> Iterator[str]:
    """One that lets no other origin in."""
    with live_service() as url:
        yield url


@pytest.fixture(scope="package")
def open_service(elsewhere: Elsewhere) -> Iterator[str]:
    """One that lets `elsewhere` in."""
    with live_service("--cors-origin", elsewhere.origin) as url:
        yield url


@pytest.fixture
def script() -> Iterator[Script]:
    with scripted() as said:
        yield said


@dataclass
class Tab:
    """A page under watch."""

    page: Page
    faults: list[str] = field(default_factory=list)

    def expect_fault(self, part: str) -> None:
        """What a test provokes: at least one fault with this in it, which then is none."""
        assert [fault for fault in self.faults if part in fault], self.faults
        self.faults = [fault for fault in self.faults if part not in fault]


MakeTab = Callable[..., Tab]


@pytest.fixture
def make_tab(browser: Browser) -> Iterator[MakeTab]:
    """A factory: the origins that may be asked, then options of Playwright's `new_context`."""
    tabs: list[Tab] = []
    with ExitStack() as stack:

        def make(*origins: str, **options: Any) -> Tab:
            context: BrowserContext = stack.enter_context(browser.new_context(**options))
            tab = Tab(context.new_page())
            allowed = {urlsplit(origin).netloc for origin in origins}

            def check(route: Route, request: Request) -> None:
                if urlsplit(request.url).netloc in allowed:
                    route.fallback()
                else:
                    tab.faults.append(f"a request to another host: {request.url}")
                    route.abort()

            context.route(lambda url: url.startswith(("http", "ws")), check)
            tab.page.on("pageerror", lambda error: tab.faults.append(f"exception: {error}"))
            tab.page.on(
                "console",
                lambda message: (
                    tab.faults.append(f"console: {message.text}")
                    if message.type == "error"
                    else None
                ),
            )
            tabs.append(tab)
            return tab

        yield make
        faults = [fault for tab in tabs for fault in tab.faults]
    assert not faults


OpenExample = MakeTab


@pytest.fixture
def open_example(make_tab: MakeTab, elsewhere: Elsewhere, open_service: str) -> OpenExample:
    """A factory: the example on an origin that the service lets in, in a tab with these options."""

    def make(*changes: tuple[str, str], also: tuple[str, ...] = (), **options: Any) -> Tab:
        html = example(open_service)
        for old, new in changes:
            assert old in html
            html = html.replace(old, new)
        tab = make_tab(elsewhere.origin, open_service, *also, **options)
        tab.page.add_init_script(RECORD)
        tab.page.goto(elsewhere.put(html))
        tab.page.evaluate("customElements.whenDefined('image-classifier').then(() => null)")
        return tab

    return make


@pytest.fixture
def open_scripted(open_example: OpenExample, script: Script) -> OpenExample:
    """A factory: the same, asking a server that says what the test wants."""

    def make(*changes: tuple[str, str], **options: Any) -> Tab:
        asks = ("<image-classifier", f'<image-classifier src="{script.origin}"')
        return open_example(asks, *changes, also=(script.origin,), **options)

    return make


def violations(page: Page) -> list[str]:
    """What axe-core finds, a line each; run by the debugger, so that no policy forbids it."""
    page.evaluate(AXE)
    found: dict[str, Any] = page.evaluate("() => axe.run()")
    return [
        f"{rule['id']}: {node['html'][:200]} {node.get('failureSummary', '')}"
        for rule in found["violations"]
        for node in rule["nodes"]
    ]
