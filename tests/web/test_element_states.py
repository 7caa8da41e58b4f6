"""<image-classifier> while it waits, and where there is no answer or no sure one."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

from tests.conftest import SEVEN
from tests.web.conftest import Elsewhere, MakeTab, OpenExample, violations
from tests.web.element import RECORD, choose, element, example, picture, rows, told
from tests.web.scripted import Script


def test_an_origin_that_is_not_let_in_is_told_what_is_wrong(
    make_tab: MakeTab, elsewhere: Elsewhere, service: str
) -> None:
    tab = make_tab(elsewhere.origin, service)
    page = tab.page
    page.add_init_script(RECORD)
    page.goto(elsewhere.put(example(service)))
    choose(page)
    expect(page.get_by_role("alert")).to_have_text(
        f"No answer from {service.removeprefix('http://')}. "
        "Is the service running, and does it let this page in?"
    )
    expect(page.get_by_role("button", name="Try again")).to_be_visible()
    assert [event["type"] for event in told(page)] == ["start", "error"]
    assert told(page)[1]["code"] == "unreachable"
    assert violations(page) == []
    tab.expect_fault("CORS policy")
    tab.expect_fault("Failed to load resource")


@pytest.mark.parametrize(
    ("file", "code", "sentence"),
    [
        (picture("a.png", b"?"), "unsupported_image", "This is not an image"),
        (picture("a.heic", b"\0\0\0\x18ftypheic"), "unsupported_image", "This is a HEIC photo"),
        (picture("a.png", b""), "empty_body", "The file is empty"),
        (picture("a.png", SEVEN.read_bytes()[:60]), "invalid_image", "The image is damaged"),
        (picture("a.png", bytes(11_000_000)), "body_too_large", "The file is too large"),
    ],
    ids=["no image", "HEIC", "empty", "cut short", "too large"],
)
def test_what_is_refused_is_said_with_its_remedy(
    open_example: OpenExample, file: dict[str, Any], code: str, sentence: str
) -> None:
    tab = open_example()
    choose(tab.page, file)
    expect(tab.page.get_by_role("alert")).to_contain_text(sentence)
    assert told(tab.page)[-1]["code"] == code
    assert tab.page.evaluate("() => [...new FormData(document.forms[0])]") == []
    assert violations(tab.page) == []
    tab.expect_fault("Failed to load resource")
    choose(tab.page)
    expect(tab.page.get_by_role("listitem")).to_have_count(3)
    expect(tab.page.get_by_role("alert")).to_be_hidden()


def problem(status: int, code: str) -> dict[str, Any]:
    return {"title": "T", "status": status, "detail": "D.", "code": code, "request_id": "r-7"}


def answer(**shares: float) -> dict[str, Any]:
    rows = [{"label": label, "probability": share} for label, share in shares.items()]
    return {"model": "m", "version": "0", "predictions": rows}


def test_an_unsure_answer_says_so_in_words(open_scripted: OpenExample, script: Script) -> None:
    script.will(200, answer(four=0.41, nine=0.38, one=0.21))
    page = open_scripted().page
    choose(page)
    expect(page.get_by_text("Not sure: four (41.0 %) or nine (38.0 %)")).to_be_visible()
    expect(page.get_by_role("status")).to_have_text(
        "Not sure. First: four, 41.0 %. Second: nine, 38.0 %."
    )
    assert violations(page) == []


def test_one_row_on_show_still_tells_whether_the_model_is_sure(
    open_scripted: OpenExample, script: Script
) -> None:
    script.will(200, answer(four=0.51, nine=0.49))
    page = open_scripted(('top-k="3"', 'top-k="1" model="m n"')).page
    choose(page)
    expect(page.get_by_text("Not sure: four (51.0 %) or nine (49.0 %)")).to_be_visible()
    assert rows(page) == ["four 51.0 %"]
    assert script.asked[0][1] == "/predict?model=m+n&top_k=2"


def test_a_busy_service_is_waited_for_in_sight(open_scripted: OpenExample, script: Script) -> None:
    script.will(503, problem(503, "overloaded"), Retry_After="1")
    script.will(200, answer(seven=0.9, one=0.1))
    tab = open_scripted()
    choose(tab.page)
    waiting = "The service is busy. Trying again in 2 s."  # 1 and up to a quarter more, rounded up
    expect(tab.page.get_by_role("region").get_by_text(waiting)).to_be_visible()
    expect(tab.page.get_by_role("status")).to_have_text(waiting)
    assert violations(tab.page) == []
    expect(tab.page.get_by_role("listitem")).to_have_count(2)
    assert [event["type"] for event in told(tab.page)] == ["start", "result"]
    tab.expect_fault("503")


@pytest.mark.parametrize(
    ("status", "code", "sentence"),
    [
        (503, "overloaded", "The service is busy. Try again in a moment."),
        (503, "not_ready", "The model is not in service."),
        (500, "internal", "give its operator the request number r-7."),
        (418, "brand_new", "T. D."),
    ],
)
def test_what_fails_can_be_tried_again(
    open_scripted: OpenExample, script: Script, status: int, code: str, sentence: str
) -> None:
    script.will(status, problem(status, code), Retry_After="61")
    script.will(200, answer(seven=0.9))
    tab = open_scripted()
    choose(tab.page)
    expect(tab.page.get_by_role("alert")).to_contain_text(sentence)
    tab.expect_fault("Failed to load resource")
    tab.page.get_by_role("button", name="Try again").click()
    expect(tab.page.get_by_role("listitem")).to_have_count(1)
    assert [event["file"] for event in told(tab.page)] == ["seven.png"] * 4


def test_a_long_wait_is_announced_and_can_be_cancelled(
    open_scripted: OpenExample, script: Script
) -> None:
    script.silent = True
    page = open_scripted().page
    choose(page)
    cancel = page.get_by_role("button", name="Cancel")
    expect(page.get_by_role("region")).to_have_attribute("aria-busy", "true")
    expect(page.get_by_role("status")).to_have_text("Classifying …")
    assert violations(page) == []
    cancel.click()
    expect(cancel).to_be_hidden()
    expect(page.get_by_role("status")).to_have_text("Cancelled.")
    assert [event["type"] for event in told(page)] == ["start", "abort"]
    assert page.evaluate("document.activeElement.shadowRoot.activeElement.type") == "file"


def test_escape_and_leaving_the_document_cancel_too(
    open_scripted: OpenExample, script: Script
) -> None:
    script.silent = True
    page = open_scripted().page
    choose(page)
    element(page).press("Escape")
    expect(page.get_by_role("status")).to_have_text("Cancelled.")
    choose(page)
    end = element(page).evaluate(
        """(e) => new Promise((resolve) => {
          for (const type of ["classify-abort", "classify-error"]) {
            e.addEventListener(type, () => resolve(type));
          }
          e.remove();
        })"""
    )
    assert end == "classify-abort"
    assert [event["type"] for event in told(page)] == ["start", "abort", "start"]


def test_the_next_image_takes_the_place_of_one_that_is_on_its_way(
    open_scripted: OpenExample, script: Script
) -> None:
    script.silent = True
    page = open_scripted().page
    choose(page)
    page.wait_for_function("told.length === 1")
    choose(page, picture("second.png", SEVEN.read_bytes()))
    page.wait_for_function("told.length === 3")
    expect(page.get_by_role("region")).to_have_attribute("aria-busy", "true")
    script.silent = False
    script.will(200, answer(two=0.9, one=0.1))
    choose(page, picture("third.png", SEVEN.read_bytes()))
    expect(page.get_by_role("listitem")).to_have_count(2)
    expect(page.get_by_role("status")).to_have_text("Result: two, 90.0 %. Second: one, 10.0 %.")
    assert [(event["type"], event["file"]) for event in told(page)] == [
        ("start", "seven.png"),
        ("start", "second.png"),
        ("abort", "seven.png"),
        ("start", "third.png"),
        ("abort", "second.png"),
        ("result", "third.png"),
    ]


def test_a_call_by_a_script_resolves_and_rejects_as_the_events_say(
    open_scripted: OpenExample, script: Script
) -> None:
    script.will(200, answer(seven=0.9))
    script.will(422, problem(422, "invalid_image"))
    tab = open_scripted()
    outcome = element(tab.page).evaluate(
        """async (e) => {
          const canvas = document.createElement("canvas");
          const first = await e.classify(canvas);
          const second = await e.classify(new Blob(["?"])).catch((error) => error.code);
          const reason = AbortSignal.abort("enough");
          const third = await e.classify(new Blob(["?"]), { signal: reason }).catch((why) => why);
          e.clear();
          return [first.predictions[0].label, second, third, e.value, e.file];
        }"""
    )
    assert outcome == ["seven", "invalid_image", "enough", None, None]
    assert len(script.asked) == 2
    tab.expect_fault("422")
