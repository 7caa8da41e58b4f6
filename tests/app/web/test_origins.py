"""What a browser makes of the pages' headers: who may use the camera, who may load what."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.app.test_serve import announced_url, log_read_aside, started
from tests.conftest import colour_model

CHROMIUM = shutil.which("chromium")
# A camera and a microphone that Chromium makes up, and whose use it grants.
FAKE_DEVICES = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not here to open the pages")


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("models")
    (folder / "colours.onnx").write_bytes(colour_model())
    with started("--port", "0", "--workers", "1", "--models", str(folder)) as process:
        address = announced_url(process)
        with log_read_aside(process):
            yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", *FAKE_DEVICES]
        )
        yield browser
        browser.close()


PHOTOGRAPH = """async () => {
  const stream = await navigator.mediaDevices.getUserMedia({ video: true });
  const video = document.createElement("video");
  video.srcObject = stream;
  await video.play();
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
  canvas.getContext("2d").drawImage(video, 0, 0);
  for (const track of stream.getTracks()) track.stop();
  const image = new Image();
  image.src = URL.createObjectURL(await new Promise((done) => canvas.toBlob(done)));
  await image.decode();
  return image.width > 0 && image.width === video.videoWidth;
}"""
FAILS = (
    "async (constraints) => navigator.mediaDevices.getUserMedia(constraints).then(() => '', String)"
)


def test_the_page_can_take_a_picture_with_the_camera_and_show_it(
    browser: Browser, url: str
) -> None:
    page = browser.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.goto(url)
    assert page.evaluate(PHOTOGRAPH) is True
    assert said == []  # no header that Chromium does not understand, nothing blocked


@pytest.mark.parametrize(
    ("path", "device"), [("/", "audio"), ("/docs", "audio"), ("/docs", "video")]
)
def test_no_page_has_a_device_that_it_does_not_need(
    browser: Browser, url: str, path: str, device: str
) -> None:
    page = browser.new_page()
    page.goto(url + path)
    assert page.evaluate(FAILS, {device: True}).startswith("NotAllowedError")


LOADS = "(address) => import(address).then(() => true, () => false)"


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[str]:
    """The address of an empty page on another site, as strict as a page may be."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere) as server:
        Thread(target=server.serve_forever).start()
        yield f"http://localhost:{server.server_port}/"
        server.shutdown()


class Elsewhere(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
        self.end_headers()
        self.wfile.write(b"<!doctype html>")

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.mark.parametrize(("path", "loads"), [("/embed/client.js", True), ("/web/key.js", False)])
def test_another_page_may_load_what_is_to_be_embedded_and_no_more(
    browser: Browser, url: str, elsewhere: str, path: str, loads: bool
) -> None:
    page = browser.new_page()
    page.goto(elsewhere)
    assert page.evaluate(LOADS, url + path) is loads
