"""client.js in Node and in the browser, against a real service and a server told what to say."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import SEVEN
from tests.web.conftest import Elsewhere, MakeTab
from tests.web.node import EMBED, evaluate
from tests.web.scripted import Script

ROOT = Path(__file__).parents[2]

PROBLEM = {
    "type": "about:blank",
    "title": "The service is busy",
    "status": 503,
    "detail": "It has 256 images waiting. Send it again.",
    "code": "overloaded",
    "request_id": "seven",
}
ANSWER = {"model": "m", "version": "0", "predictions": [{"label": "7", "probability": 0.9}]}
# What is thrown, in words that JSON has.
PROGRAM = """
const { client, url, picture } = GIVEN;
const { ClassifierError, createClient } = await import(client);
const file = new File([Buffer.from(picture, "base64")], "seven.png", { type: "image/png" });
const fault = ({ name, status, code, title, detail, requestId, retryAfterSeconds }) => (
  { name, status, code, title, detail, requestId, retryAfterSeconds }
);
const waits = [];
const onRetry = (seconds, error) => waits.push([seconds, error.code]);
async function test() { BODY }
console.log(JSON.stringify(await test()));
"""


def run(url: str, body: str) -> Any:
    """What an async function with this body returns, given `url`, `file` and `createClient`."""
    given = {
        "client": (EMBED / "client.js").as_uri(),
        "url": url,
        "picture": b64encode(SEVEN.read_bytes()).decode(),
    }
    return evaluate(PROGRAM.replace("GIVEN", json.dumps(given)).replace("BODY", body))


def test_a_prediction_is_the_answer_with_its_times_and_its_request_id(service: str) -> None:
    answer = run(service, "return createClient(url).predict(file, { topK: 2 });")
    assert [row["label"] for row in answer["predictions"]] == ["7", "2"]
    assert answer["model"] == "mnist-2conv"
    assert re.fullmatch("[A-Za-z0-9._-]{1,64}", answer["requestId"])
    assert answer["milliseconds"]["total"] > 0


def test_the_times_within_the_service_are_read_from_its_header(script: Script) -> None:
    script.will(200, ANSWER, Server_Timing="queue;dur=0.2, decode;dur=1.9, network;dur=0.6")
    milliseconds = run(script.origin, "return createClient(url).predict(file);")["milliseconds"]
    del milliseconds["total"]
    assert milliseconds == {"queue": 0.2, "decode": 1.9, "network": 0.6}


def test_times_that_the_service_does_not_tell_are_null(script: Script) -> None:
    script.will(200, ANSWER)
    milliseconds = run(script.origin, "return createClient(url).predict(file);")["milliseconds"]
    assert milliseconds.keys() == {"total", "queue", "decode", "network"}
    assert milliseconds["queue"] is milliseconds["decode"] is milliseconds["network"] is None


def test_the_file_goes_as_a_form_under_its_name_with_the_headers_given(script: Script) -> None:
    script.will(200, ANSWER)
    run(
        script.origin + "/under/a/path",
        """
        const client = createClient(url, { headers: { "X-API-Key": "k" } });
        return client.predict(file, { model: "a b" });
        """,
    )
    method, path, headers, body = script.asked[0]
    assert (method, path) == ("POST", "/under/a/path/predict?model=a+b")
    assert headers["content-type"].startswith("multipart/form-data; boundary=")
    assert headers["x-api-key"] == "k"
    assert b'name="file"; filename="seven.png"' in body
    assert SEVEN.read_bytes() in body


def test_a_busy_service_is_asked_again_when_it_says(script: Script) -> None:
    for _ in range(2):
        script.will(503, PROBLEM, Retry_After="1")
    script.will(200, ANSWER)
    answer, waits = run(
        script.origin, "return [await createClient(url, { onRetry }).predict(file), waits];"
    )
    assert answer["predictions"] == ANSWER["predictions"]
    assert len(script.asked) == 3
    assert all(b - a >= 1 for a, b in zip(script.times, script.times[1:], strict=False))
    assert [code for _, code in waits] == ["overloaded", "overloaded"]
    assert all(1 <= seconds <= 1.25 for seconds, _ in waits)


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("retries", [0, 1, 2])
def test_it_gives_up_after_the_retries_it_was_allowed(
    script: Script, status: int, retries: int
) -> None:
    script.will(status, PROBLEM | {"status": status})
    fault = run(
        script.origin,
        f"return createClient(url, {{ retries: {retries} }}).predict(file).catch(fault);",
    )
    assert (fault["status"], fault["code"]) == (status, "overloaded")
    assert len(script.asked) == 1 + retries


def test_a_wait_of_over_a_minute_is_told_and_not_waited_for(script: Script) -> None:
    script.will(503, PROBLEM, Retry_After="61")
    fault = run(script.origin, "return createClient(url).predict(file).catch(fault);")
    assert fault["retryAfterSeconds"] == 61
    assert len(script.asked) == 1


@pytest.mark.parametrize("status", [400, 401, 404, 413, 415, 422, 500])
def test_what_is_refused_for_good_is_asked_once(script: Script, status: int) -> None:
    script.will(status, PROBLEM | {"status": status})
    fault = run(script.origin, "return createClient(url).predict(file).catch(fault);")
    assert fault["status"] == status
    assert len(script.asked) == 1


def test_a_problem_becomes_an_error_that_says_all_of_it(service: str) -> None:
    fault = run(
        service,
        'return createClient(url).predict(new Blob(["no image"])).catch((error) => '
        "[error instanceof ClassifierError, fault(error)]);",
    )
    assert fault[0] is True
    error = fault[1]
    assert error["name"] == "ClassifierError"
    assert (error["status"], error["code"]) == (415, "unsupported_image")
    assert error["title"] == "This is not an image of a supported format"
    assert error["detail"].endswith(".")
    assert error["requestId"]
    assert error["retryAfterSeconds"] is None


@pytest.mark.parametrize(
    ("status", "body"),
    [(502, b"<h1>Bad gateway</h1>"), (200, b"<h1>Welcome</h1>"), (404, {"error": "?"}), (200, b"")],
    ids=["a proxy's error", "some other page", "some other JSON", "nothing"],
)
def test_what_is_no_answer_of_the_service_is_called_unexpected(
    script: Script, status: int, body: object
) -> None:
    script.will(status, body, X_Request_ID="seven")
    fault = run(script.origin, "return createClient(url).predict(file).catch(fault);")
    assert (fault["code"], fault["status"], fault["requestId"]) == ("unexpected", status, "seven")


def test_a_server_that_is_not_there_is_asked_again_and_then_called_unreachable() -> None:
    fault, waits = run(
        "http://127.0.0.1:1",
        "return [await createClient(url, { onRetry }).predict(file).catch(fault), waits];",
    )
    assert (fault["code"], fault["status"]) == ("unreachable", 0)
    assert [code for _, code in waits] == ["unreachable", "unreachable"]
    assert 0.25 <= waits[0][0] <= 0.3125
    assert 0.5 <= waits[1][0] <= 0.625


def test_an_answer_that_does_not_come_in_time_is_a_timeout_and_not_repeated(script: Script) -> None:
    script.silent = True
    fault, waits = run(
        script.origin,
        """
        const client = createClient(url, { timeoutMilliseconds: 50, onRetry });
        return [await client.predict(file).catch(fault), waits];
        """,
    )
    assert (fault["code"], fault["status"]) == ("timeout", 0)
    assert waits == []


def test_who_aborts_gets_his_own_reason_and_nothing_is_asked_again(script: Script) -> None:
    script.silent = True
    reason, asked, waits = run(
        script.origin,
        """
        const stop = new AbortController();
        let asked = 0;
        const then = (...request) => {
          asked += 1;
          queueMicrotask(() => stop.abort("enough"));
          return fetch(...request);
        };
        const client = createClient(url, { fetch: then, onRetry });
        const reason = await client.predict(file, { signal: stop.signal }).catch((why) => why);
        return [reason, asked, waits];
        """,
    )
    assert (reason, asked, waits) == ("enough", 1, [])


def test_an_abort_ends_the_wait_before_the_next_attempt(script: Script) -> None:
    script.will(503, PROBLEM, Retry_After="50")
    reason = run(
        script.origin,
        """
        const stop = new AbortController();
        const onRetry = () => queueMicrotask(() => stop.abort("enough"));
        const client = createClient(url, { onRetry });
        return client.predict(file, { signal: stop.signal }).catch((reason) => reason);
        """,
    )
    assert reason == "enough"
    assert len(script.asked) == 1


def test_what_was_aborted_before_is_never_sent(script: Script) -> None:
    reason = run(
        script.origin,
        """
        const signal = AbortSignal.abort("no");
        return createClient(url).predict(file, { signal }).catch((reason) => reason);
        """,
    )
    assert reason == "no"
    assert script.asked == []


def test_many_files_are_answered_in_order_and_a_bad_one_spoils_only_itself(service: str) -> None:
    results, progress = run(
        service,
        """
        const told = [];
        const results = await createClient(url).predictMany([file, new Blob(["?"]), file], {
          onProgress: ({ done, of, index, answer, error }) => (
            told.push([done, of, index, Boolean(answer), Boolean(error)])
          ),
        });
        const said = ({ answer, error }) => answer?.predictions[0].label ?? error.code;
        return [results.map(said), told];
        """,
    )
    assert results == ["7", "unsupported_image", "7"]
    assert [row[:2] for row in progress] == [[1, 3], [2, 3], [3, 3]]
    assert sorted(row[2:] for row in progress) == [
        [0, True, False],
        [1, False, True],
        [2, True, False],
    ]


@pytest.mark.parametrize("concurrency", [1, 2, 3])
def test_no_more_files_are_on_their_way_than_said(script: Script, concurrency: int) -> None:
    script.will(200, ANSWER)
    most = run(
        script.origin,
        f"""
        let now = 0, most = 0;
        const counted = async (...request) => {{
          most = Math.max(most, ++now);
          try {{ return await fetch(...request); }} finally {{ now -= 1; }}
        }};
        const client = createClient(url, {{ fetch: counted }});
        await client.predictMany(Array(6).fill(file), {{ concurrency: {concurrency} }});
        return most;
        """,
    )
    assert most == concurrency
    assert len(script.asked) == 6


def test_many_files_stop_with_the_signal(script: Script) -> None:
    script.will(200, ANSWER)
    reason, told = run(
        script.origin,
        """
        const stop = new AbortController(), told = [];
        const asked = createClient(url).predictMany(Array(6).fill(file), {
          concurrency: 1, signal: stop.signal,
          onProgress: ({ done }) => { told.push(done); if (done === 2) stop.abort("enough"); },
        });
        return [await asked.catch((reason) => reason), told];
        """,
    )
    assert (reason, told) == ("enough", [1, 2])
    assert len(script.asked) == 2


def test_models_cards_and_readiness_are_read(service: str) -> None:
    models, card, ready = run(
        service,
        """
        const client = createClient(url + "/");
        return [await client.models(), await client.model("mnist-1conv"), await client.ready()];
        """,
    )
    names = sorted(path.stem for path in (ROOT / "models").glob("*.onnx"))
    assert [model["name"] for model in models["models"]] == names
    assert card["card"]["labels"] == list("0123456789")
    assert ready["ready"] is True


def test_not_being_ready_is_an_answer_and_being_busy_is_none(script: Script) -> None:
    script.will(503, PROBLEM | {"ready": False, "models": [], "refused": {"a.onnx": "no"}})
    assert run(script.origin, "return createClient(url).ready();")["refused"] == {"a.onnx": "no"}
    assert len(script.asked) == 1
    script.answers.clear()
    script.will(503, PROBLEM)
    call = "return createClient(url, { retries: 0 }).ready().catch(fault);"
    assert run(script.origin, call)["name"] == "ClassifierError"


@pytest.mark.parametrize(
    ("call", "request_line"),
    [
        ('embed(file, { model: "m" })', "POST /embed?model=m"),
        ("seen(file)", "POST /seen"),
        ('seen(file, { model: "m" })', "POST /seen?model=m"),
        ('inside(file, { layer: "conv/1", channel: 0 })', "POST /inside?layer=conv%2F1&channel=0"),
        (
            'explain(file, { model: "m", label: "a&b", method: "cam" })',
            "POST /explain?model=m&class=a%26b&method=cam",
        ),
    ],
    ids=["embed", "seen", "seen by a model", "inside", "explain"],
)
def test_every_other_call_asks_what_it_is_told_to(
    script: Script, call: str, request_line: str
) -> None:
    script.will(200, {"model": "m"})
    assert run(script.origin, f"return createClient(url).{call};") == {"model": "m"}
    assert " ".join(script.asked[0][:2]) == request_line


def test_the_addresses_of_samples_and_files_keep_strange_names_whole() -> None:
    addresses = run(
        "http://127.0.0.1:1/at",
        """
        const client = createClient(url);
        return [client.sampleUrl("a/b", 2), client.fileUrl("ä")];
        """,
    )
    assert addresses == [
        "http://127.0.0.1:1/at/models/a%2Fb/samples/2",
        "http://127.0.0.1:1/at/models/%C3%A4/file",
    ]


IN_BROWSER = """
async ([script, url]) => {
  const { createClient } = await import(script);
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 28;
  const pen = canvas.getContext("2d");
  pen.fillStyle = "white";
  pen.fillRect(13, 4, 3, 20);
  return createClient(url).predict(canvas).catch(({ code }) => code);
}
"""


def test_a_canvas_of_another_origin_is_answered_with_its_request_id(
    make_tab: MakeTab, elsewhere: Elsewhere, open_service: str
) -> None:
    page = make_tab(elsewhere.origin, open_service).page
    page.goto(elsewhere.put("<!doctype html>"))
    answer = page.evaluate(IN_BROWSER, [f"{open_service}/embed/client.js", open_service])
    assert answer["predictions"][0]["label"] == "1"
    assert answer["requestId"]


def test_a_service_that_does_not_let_the_origin_in_is_called_unreachable(
    make_tab: MakeTab, elsewhere: Elsewhere, service: str
) -> None:
    tab = make_tab(elsewhere.origin, service)
    tab.page.goto(elsewhere.put("<!doctype html>"))
    answer = tab.page.evaluate(IN_BROWSER, [f"{service}/embed/client.js", service])
    assert answer == "unreachable"
    tab.expect_fault("CORS policy")
    tab.expect_fault("Failed to load resource")
