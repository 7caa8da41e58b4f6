"""<image-classifier> on another origin: chosen, dropped, pasted, by keyboard, in a form."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.conftest import SEVEN
from tests.web.conftest import Elsewhere, MakeTab, OpenExample, violations
from tests.web.element import choose, element, told


def test_the_example_of_the_docs_answers_on_another_origin(open_example: OpenExample) -> None:
    page = open_example().page
    choose(page)
    expect(page.get_by_text("7: > 99.9 %")).to_be_visible()
    expect(page.get_by_role("list")).to_match_aria_snapshot("""
      - list:
        - listitem: 7 > 99.9 %
        - listitem: 2 < 0.1 %
        - listitem: 6 < 0.1 %
    """)
    expect(page.get_by_role("img", name="The image you chose")).to_be_visible()
    expect(page.get_by_role("status")).to_have_text("Result: 7, > 99.9 %. Second: 2, < 0.1 %.")
    assert violations(page) == []


def test_a_form_submits_the_label_and_asks_for_an_image_before(open_example: OpenExample) -> None:
    page = open_example().page
    send = page.get_by_role("button", name="Send the digit")
    send.click()
    assert "?" not in page.url  # it was not valid, so nothing was sent
    assert element(page).evaluate("(e) => [e.validity.valueMissing, e.validationMessage]") == [
        True,
        "Choose an image, and wait for its result.",
    ]
    assert page.evaluate("document.activeElement.localName") == "image-classifier"
    choose(page)
    expect(page.get_by_role("listitem")).to_have_count(3)
    send.click()
    page.wait_for_url("**/page?digit=7")


def test_a_form_that_is_reset_or_not_required_submits_nothing(open_example: OpenExample) -> None:
    page = open_example((" required", "")).page
    choose(page)
    expect(page.get_by_role("listitem")).to_have_count(3)
    read = "() => [...new FormData(document.forms[0])]"
    assert page.evaluate(read) == [["digit", "7"]]
    page.evaluate("document.forms[0].reset()")
    assert page.evaluate(read) == []
    expect(page.get_by_role("listitem")).to_have_count(0)
    page.get_by_role("button", name="Send the digit").click()
    page.wait_for_url("**/page?")


def test_the_whole_way_by_keyboard(open_example: OpenExample) -> None:
    page = open_example().page
    inner = "document.activeElement.shadowRoot?.activeElement?.type"
    # Waited for from the start: Chromium is told to hand choosers over only while somebody waits.
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Tab")
        assert page.evaluate(inner) == "file"
        page.keyboard.press("Space")
    chooser.value.set_files(SEVEN)
    expect(page.get_by_role("listitem")).to_have_count(3)
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Clear")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("listitem")).to_have_count(0)
    # The button is gone: the focus is where the next step is, not lost.
    assert page.evaluate(inner) == "file"
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Send the digit")).to_be_focused()


def test_an_image_can_be_dropped_on_all_of_it(open_example: OpenExample) -> None:
    page = open_example().page
    transfer = page.evaluate_handle(
        """async (bytes) => {
          const transfer = new DataTransfer();
          const options = { type: "image/png" };
          transfer.items.add(new File([new Uint8Array(bytes)], "dropped.png", options));
          return transfer;
        }""",
        list(SEVEN.read_bytes()),
    )
    element(page).dispatch_event("dragover", {"dataTransfer": transfer})
    element(page).dispatch_event("drop", {"dataTransfer": transfer})
    expect(page.get_by_role("listitem")).to_have_count(3)
    assert told(page)[0]["file"] == "dropped.png"


def test_an_image_can_be_pasted_while_the_focus_is_inside(open_example: OpenExample) -> None:
    tab = open_example()
    page = tab.page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.evaluate(
        """async (bytes) => {
          const image = new Blob([new Uint8Array(bytes)], { type: "image/png" });
          await navigator.clipboard.write([new ClipboardItem({ "image/png": image })]);
        }""",
        list(SEVEN.read_bytes()),
    )
    page.keyboard.press("Control+v")  # outside: not for us
    page.keyboard.press("Tab")
    page.keyboard.press("Control+v")
    expect(page.get_by_role("listitem")).to_have_count(3)
    assert [event["type"] for event in told(page)] == ["start", "result"]


def test_a_phone_offers_its_camera_and_a_desk_does_not(open_example: OpenExample) -> None:
    page = open_example(has_touch=True, is_mobile=True).page
    photo = page.get_by_label("Take a photo")
    expect(photo).to_have_attribute("capture", "environment")
    photo.set_input_files(SEVEN)
    expect(page.get_by_role("listitem")).to_have_count(3)
    expect(open_example().page.get_by_label("Take a photo")).to_be_hidden()
    bare = open_example((' capture="environment"', ""), has_touch=True, is_mobile=True).page
    expect(bare.get_by_label("Take a photo")).to_be_hidden()


def test_its_events_tell_of_a_start_and_a_result(open_example: OpenExample) -> None:
    page = open_example().page
    choose(page)
    expect(page.get_by_role("listitem")).to_have_count(3)
    start, result = told(page)
    assert (start["type"], start["file"]) == ("start", "seven.png")
    assert (result["type"], result["file"], result["label"]) == ("result", "seven.png", "7")
    value, name = element(page).evaluate("(e) => [e.value, e.file.name]")
    assert [row["label"] for row in value["predictions"]] == ["7", "2", "6"]
    assert name == "seven.png"


def test_a_start_that_is_prevented_sends_nothing(open_example: OpenExample) -> None:
    page = open_example().page
    page.evaluate("addEventListener('classify-start', (event) => event.preventDefault())")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    given = element(page).evaluate("(e) => e.classify(new Blob(['?']))")
    assert given is None
    assert asked == []
    assert [event["type"] for event in told(page)] == ["start"]


@pytest.mark.parametrize(
    "change",
    [("<image-classifier", "<image-classifier disabled"), ("<form>", "<form><fieldset disabled>")],
    ids=["by itself", "by a fieldset"],
)
def test_a_disabled_one_takes_and_submits_nothing(
    open_example: OpenExample, change: tuple[str, str]
) -> None:
    page = open_example(change).page
    expect(page.get_by_label("Choose an image")).to_be_disabled()
    transfer = page.evaluate_handle(
        "() => { const t = new DataTransfer(); t.items.add(new File(['?'], 'a.png')); return t; }"
    )
    element(page).dispatch_event("drop", {"dataTransfer": transfer})
    assert told(page) == []
    assert element(page).evaluate("(e) => e.matches(':disabled') && !e.willValidate")


def test_what_was_set_before_the_script_came_is_not_lost(
    make_tab: MakeTab, elsewhere: Elsewhere, open_service: str
) -> None:
    page = make_tab(elsewhere.origin, open_service).page
    page.goto(elsewhere.put("<!doctype html><image-classifier></image-classifier>"))
    set_first = "(e) => Object.assign(e, { topK: 5, model: 'mnist-1conv', disabled: true })"
    element(page).evaluate(set_first)
    page.add_script_tag(url=f"{open_service}/embed/image-classifier.js", type="module")
    page.evaluate("customElements.whenDefined('image-classifier').then(() => null)")
    read = "(e) => [e.getAttribute('top-k'), e.getAttribute('model'), e.disabled, e.src]"
    assert element(page).evaluate(read) == ["5", "mnist-1conv", True, f"{open_service}/"]
