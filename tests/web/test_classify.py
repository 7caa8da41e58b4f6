"""The view Classify as a person meets it: every way in, every state, by mouse and by keyboard."""

from __future__ import annotations

import csv
import io
import json
import re
from base64 import b64decode, b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import FilePayload, Page, Route, expect

from tests.app.test_serve import announced_url, log_read_aside, started
from tests.conftest import GREEN, RED, SEVEN, colour_model
from tests.web.conftest import MakeTab, live_service, violations

PHOTO = Path(__file__).parents[2] / "benchmarks" / "pictures" / "photo.jpg"
CHOOSE = "input[type=file] >> nth=0"


def png(pixels: NDArray[np.uint8]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def headline(page: Page) -> Any:
    return page.locator(".headline strong")


def sideways(page: Page) -> int:
    """By how many pixels the page is wider than the window."""
    wide: int = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    return wide


@pytest.fixture(scope="module")
def colours(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A service that knows red, green and blue, and reads at most a megabyte."""
    folder = tmp_path_factory.mktemp("models")
    (folder / "colours.onnx").write_bytes(colour_model())
    with live_service(
        "--models",
        str(folder),
        "--default-model",
        "colours",
        CONVOLU_MAX_UPLOAD_BYTES="1000000",
    ) as url:
        yield url


# --- Ways in ---


def test_a_sample_is_answered_shown_as_the_network_saw_it_and_timed(
    service: str, make_tab: MakeTab
) -> None:
    page = make_tab(service).page
    page.goto(service)
    expect(page.get_by_text("This network knows 10 classes")).to_be_visible()  # never an empty box
    page.get_by_role("button", name="Sample 4").click()
    expect(headline(page)).to_have_text("3")
    expect(page.locator(".bars li")).to_have_count(10)
    expect(page.get_by_role("status").filter(has_text="Result: 3")).to_be_attached()
    expect(page.locator(".times")).to_contain_text("network")
    seen = page.get_by_role("img", name="as the network saw it")
    card = page.request.get(f"{service}/models/mnist-2conv/samples/4").body()
    shown = seen.evaluate("image => image.src").removeprefix("data:image/png;base64,")
    expected = np.asarray(Image.open(io.BytesIO(card)))
    assert (np.asarray(Image.open(io.BytesIO(b64decode(shown)))) == expected).all()
    expect(page.locator(".steps")).to_contain_text("left as it is")


def test_all_of_it_goes_by_keyboard_alone(service: str, make_tab: MakeTab) -> None:
    page = make_tab(service).page
    page.goto(service)
    expect(page.get_by_role("button", name="Sample 8")).to_be_visible()

    def tab_to(name: str) -> None:
        for _ in range(60):
            page.keyboard.press("Tab")
            focused = page.evaluate(
                "document.activeElement.ariaLabel ?? document.activeElement.textContent"
            )
            if focused.strip() == name:
                return
        raise AssertionError(f"{name} is not reached by Tab")

    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # skip to the content
    assert page.evaluate("document.activeElement.id") == "main"
    tab_to("Sample 8")
    page.keyboard.press("Enter")
    expect(headline(page)).to_have_text("7")
    assert page.evaluate("document.activeElement.ariaLabel") == "Sample 8"  # focus stays
    tab_to("Look inside")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("#/inside"))
    page.go_back()
    expect(headline(page)).to_have_text("7")


def test_the_file_chooser_opens_by_keyboard(service: str, make_tab: MakeTab) -> None:
    page = make_tab(service).page
    page.goto(service)
    chooser = page.locator(CHOOSE)
    # A browser opens it after this click; Chromium does not always tell the test that it has.
    chooser.evaluate(
        "input => input.addEventListener('click', (e) => { e.preventDefault(); input.asked = 1; })"
    )
    chooser.focus()
    page.keyboard.press("Space")
    expect(chooser).to_have_js_property("asked", 1)
    chooser.set_input_files(SEVEN)
    expect(headline(page)).to_have_text("7")


def test_a_drawn_7_is_recognised_and_the_blank_paper_asks_for_nothing(
    service: str, make_tab: MakeTab
) -> None:
    page = make_tab(service).page
    page.goto(service)
    page.get_by_role("button", name="Draw").click()
    paper = page.locator(".paper canvas")
    box = paper.bounding_box()
    assert box is not None
    left, top, side = box["x"], box["y"], box["width"]
    page.mouse.move(left + 0.3 * side, top + 0.2 * side)
    page.mouse.down()
    page.mouse.move(left + 0.7 * side, top + 0.2 * side, steps=8)
    page.mouse.move(left + 0.45 * side, top + 0.85 * side, steps=8)
    page.mouse.up()
    expect(headline(page)).to_have_text("7")
    expect(page.locator(".steps")).to_contain_text("made light on dark")
    assert violations(page) == []
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("This network knows 10 classes")).to_be_visible()
    expect(headline(page)).to_have_count(0)


def test_a_photo_in_the_clipboard_is_pasted_with_the_keys(colours: str, make_tab: MakeTab) -> None:
    page = make_tab(colours, permissions=["clipboard-read", "clipboard-write"]).page
    page.goto(colours)
    expect(page.locator(".tools")).to_be_visible()
    page.evaluate(
        f"(data) => navigator.clipboard.write([new ClipboardItem({{ 'image/png': {BLOB} }})])",
        b64encode(GREEN).decode(),
    )
    page.keyboard.press("Control+v")
    expect(headline(page)).to_have_text("green")
    page.get_by_role("button", name="Paste").click()
    expect(headline(page)).to_have_text("green")


BLOB = 'new Blob([Uint8Array.from(atob(data), (c) => c.charCodeAt(0))], { type: "image/png" })'
DROP = f"""(data) => {{
  const transfer = new DataTransfer();
  transfer.items.add(new File([{BLOB}], "dropped.png", {{ type: "image/png" }}));
  for (const type of ["dragover", "drop"]) {{
    document.querySelector("footer").dispatchEvent(
      new DragEvent(type, {{ dataTransfer: transfer, bubbles: true, cancelable: true }}));
  }}
}}"""


def test_a_file_may_be_dropped_anywhere(colours: str, make_tab: MakeTab) -> None:
    page = make_tab(colours).page
    page.goto(colours)
    expect(page.locator(".tools")).to_be_visible()
    page.evaluate(DROP, b64encode(RED).decode())
    expect(headline(page)).to_have_text("red")
    expect(page.get_by_role("button", name="Draw")).to_have_count(0)  # it is not for digits


def test_a_photo_is_taken_on_a_phone_with_its_own_camera(colours: str, make_tab: MakeTab) -> None:
    page = make_tab(colours, has_touch=True, is_mobile=True, viewport=PHONE).page
    page.goto(colours)
    photo = page.locator("input[capture=environment]")
    photo.set_input_files(PHOTO)
    expect(page.locator(".bars li")).to_have_count(3)
    assert sideways(page) <= 0


PHONE = {"width": 320, "height": 640}


def test_many_files_become_a_table_to_keep(colours: str, make_tab: MakeTab) -> None:
    tab = make_tab(colours)
    page = tab.page
    page.goto(colours)
    files = [("=red.png", RED), ("green.png", GREEN), ("none.txt", b"no picture")]
    payloads: list[FilePayload] = [
        {"name": name, "mimeType": "image/png", "buffer": data} for name, data in files
    ]
    page.locator(CHOOSE).set_input_files(payloads)
    table = page.get_by_role("region", name="3 pictures").get_by_role("row")
    expect(page.get_by_text("3 of 3 answered, 1 refused")).to_be_visible()
    expect(table.nth(1)).to_contain_text("red")
    expect(table.nth(2)).to_contain_text("green")
    expect(table.nth(3)).to_contain_text("Save it as JPEG")
    assert violations(page) == []
    with page.expect_download() as download:
        page.get_by_role("button", name="CSV").click()
    rows = list(csv.reader(download.value.path().read_text().splitlines()))
    # A spreadsheet must not take a file's name for a formula.
    assert [row[:2] + row[3:] for row in rows] == [
        ["file", "label", "error"],
        ["'=red.png", "red", ""],
        ["green.png", "green", ""],
        ["none.txt", "", "unsupported_image"],
    ]
    with page.expect_download() as download:
        page.get_by_role("button", name="JSON").click()
    kept = json.loads(download.value.path().read_text())
    assert [one.get("error") for one in kept] == [None, None, "unsupported_image"]
    assert kept[0]["predictions"][0]["label"] == "red"
    page.get_by_role("button", name="Show green.png").click()
    expect(headline(page)).to_have_text("green")
    tab.expect_fault("status of 415")


# --- States ---


def test_an_answer_that_is_not_sure_says_so(colours: str, make_tab: MakeTab) -> None:
    page = make_tab(colours).page
    page.goto(colours)
    halves = np.zeros((4, 4, 3), np.uint8)
    halves[:, :2, 0] = halves[:, 2:, 1] = 255
    page.locator(CHOOSE).set_input_files(
        {
            "name": "halves.png",
            "mimeType": "image/png",
            "buffer": png(halves),
        }
    )
    expect(page.locator(".note.doubt")).to_contain_text("Not sure: red")
    expect(page.locator(".note.doubt")).to_contain_text("or green")
    assert violations(page) == []


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("text.txt", b"no picture", "This is not an image that the service can read"),
        ("phone.heic", b"\0\0\0\x18ftypheic", "This is a HEIC photo"),
        ("half.png", RED[:40], "The image is damaged or cut short"),
        ("none.png", b"", "The file is empty"),
    ],
    ids=["no picture", "HEIC", "damaged", "empty"],
)
def test_a_picture_that_is_refused_says_why_and_what_to_do(
    colours: str, make_tab: MakeTab, name: str, data: bytes, says: str
) -> None:
    tab = make_tab(colours)
    tab.page.goto(colours)
    tab.page.locator(CHOOSE).set_input_files({"name": name, "mimeType": "", "buffer": data})
    expect(tab.page.get_by_role("alert")).to_contain_text(says)
    assert violations(tab.page) == []
    tab.page.locator(CHOOSE).set_input_files(
        {"name": "red.png", "mimeType": "image/png", "buffer": RED}
    )
    expect(headline(tab.page)).to_have_text("red")
    expect(tab.page.get_by_role("alert")).to_have_count(0)
    tab.expect_fault("status of 4")  # the browser writes refusals to its console


def test_a_picture_that_is_too_large_is_made_smaller_if_asked(
    colours: str, make_tab: MakeTab
) -> None:
    tab = make_tab(colours)
    page = tab.page
    page.goto(colours)
    noise = np.random.default_rng(7).integers(0, 8, (1200, 1200, 3)).astype(np.uint8)
    noise[..., 2] += 240
    data = png(noise)
    assert len(data) > 1_000_000
    page.locator(CHOOSE).set_input_files(
        {"name": "large.png", "mimeType": "image/png", "buffer": data}
    )
    expect(page.get_by_role("alert")).to_contain_text("The file is too large")
    page.get_by_role("button", name="Make it smaller").click()
    expect(headline(page)).to_have_text("blue")
    tab.expect_fault("status of 413")


def test_a_busy_service_is_asked_again_when_it_says(service: str, make_tab: MakeTab) -> None:
    tab = make_tab(service)
    page = tab.page
    refused: list[str] = []

    def once(route: Route) -> None:
        if refused:
            return route.continue_()
        refused.append(route.request.url)
        return route.fulfill(
            status=503,
            headers={"Retry-After": "1", "Content-Type": "application/problem+json"},
            body=json.dumps({"title": "Busy", "detail": "", "status": 503, "code": "overloaded"}),
        )

    page.goto(service)
    page.route("**/predict*", once)
    page.get_by_role("button", name="Sample 1", exact=True).click()
    expect(page.get_by_role("status").filter(has_text="The service is busy")).to_be_visible()
    expect(page.get_by_role("button", name="Cancel")).to_be_visible()
    assert violations(page) == []
    expect(headline(page)).to_have_text("0")
    tab.expect_fault("status of 503")


def test_an_older_answer_that_arrives_late_is_dropped(service: str, make_tab: MakeTab) -> None:
    page = make_tab(service).page
    held: list[Route] = []

    def hold_the_first(route: Route) -> None:
        if held:
            route.continue_()
        else:
            held.append(route)

    page.goto(service)
    page.route("**/predict*", hold_the_first)
    page.get_by_role("button", name="Sample 3").click()
    expect(page.locator(".working")).to_be_visible()
    page.get_by_role("button", name="Sample 6").click()
    expect(headline(page)).to_have_text("5")


def test_the_answer_stands_while_what_the_network_saw_is_waited_for(
    service: str, make_tab: MakeTab
) -> None:
    page = make_tab(service).page
    page.clock.install()
    page.goto(service)
    held: list[Route] = []
    page.route("**/seen*", lambda route: held.append(route))
    page.get_by_role("button", name="Sample 8").click()
    expect(headline(page)).to_have_text("7")
    page.clock.run_for(1000)  # milliseconds: more than after which one is told to wait
    expect(headline(page)).to_have_text("7")
    expect(page.locator(".working")).to_have_count(0)


def test_the_answer_stands_where_what_the_network_saw_cannot_be_had(
    service: str, make_tab: MakeTab
) -> None:
    tab = make_tab(service)
    page = tab.page
    page.goto(service)
    page.route("**/seen*", lambda route: route.fulfill(status=500, body="{}"))
    page.get_by_role("button", name="Sample 8").click()
    expect(
        page.get_by_role("region", name="What the network saw").get_by_role("alert")
    ).to_be_visible()
    expect(headline(page)).to_have_text("7")
    tab.expect_fault("status of 500")


def test_a_service_that_goes_is_asked_until_it_is_back(make_tab: MakeTab) -> None:
    with started("--port", "0", "--workers", "1", "--default-model", "mnist-2conv") as process:
        url = announced_url(process)
        tab = make_tab(url)
        page = tab.page
        with log_read_aside(process):
            page.goto(url)
            page.get_by_role("button", name="Sample 2").click()
            expect(headline(page)).to_have_text("1")
    page.locator(CHOOSE).set_input_files(SEVEN)
    expect(page.locator("#gone")).to_contain_text("No answer from")
    port = url.rpartition(":")[2]
    with started("--port", port, "--workers", "1", "--default-model", "mnist-2conv") as process:
        announced_url(process)
        with log_read_aside(process):
            expect(headline(page)).to_have_text("7", timeout=30_000)
            expect(page.locator("#gone")).to_be_empty()
    tab.expect_fault("ERR_CONNECTION")


# --- Languages, sizes, colours ---


def test_the_reader_chooses_the_language_and_it_is_kept(service: str, make_tab: MakeTab) -> None:
    page = make_tab(service, locale="ko-KR").page
    page.goto(service)
    page.get_by_role("button", name="예시 8").click()
    expect(headline(page)).to_have_text("7")
    words = re.findall(r"[A-Za-z]{3,}", page.locator("main").inner_text())
    assert set(words) <= {"PNG", "MNIST", "curl", "Python", "JavaScript", *CODE}
    assert page.locator("html").get_attribute("lang") == "ko"
    page.locator("#language").select_option("en")
    expect(headline(page)).to_have_text("7")  # the picture stays, and its answer
    expect(page.get_by_text("What the network saw")).to_be_visible()
    page.reload()
    expect(page.get_by_text("What is in the picture?")).to_be_visible()


CODE = {"http", "predict", "model", "mnist", "conv", "file", "sample", "png"}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 1280])
def test_nothing_stands_in_the_way_of_anyone(
    service: str, make_tab: MakeTab, scheme: str, width: int
) -> None:
    page = make_tab(service, color_scheme=scheme, viewport={"width": width, "height": 700}).page
    page.goto(service)
    expect(page.locator(".tools")).to_be_visible()
    assert violations(page) == []
    page.get_by_role("button", name="Sample 11").click()
    expect(page.locator(".seen")).to_be_visible()
    assert violations(page) == []
    assert sideways(page) <= 0
