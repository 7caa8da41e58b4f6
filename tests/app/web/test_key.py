"""key.js against a real service, in Node, with as much of a page as the script touches."""

from __future__ import annotations

import json
import shutil
import subprocess
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.keys import new_key
from tests.app.test_serve import DEADLINE_SECONDS, announced_url, log_read_aside, started
from tests.conftest import RED, colour_model

SCRIPT = Path(__file__).parents[3] / "app" / "web" / "key.js"
# The person answers the dialog with what is in `typed`, one after the other, then no more.
PAGE = """
const { script, url, picture, typed, stored } = GIVEN;
const asked = [];
class Element {
  parts = {}; listeners = {}; textContent = ""; value = ""; hidden = false;
  get children() { return ["0", "1", "2"].map((number) => this.querySelector(number)); }
  querySelector(selector) { return (this.parts[selector] ??= new Element()); }
  setAttribute() {}
  addEventListener(type, listener) { this.listeners[type] = listener; }
  showModal() {
    asked.push(this.querySelector("#key-fault").textContent);
    if (typed.length) setTimeout(() => {
      this.querySelector("input").value = typed.shift();
      this.querySelector("form").onsubmit({ preventDefault() {} });
    });
  }
  close() { this.listeners.close(); }
}
const bar = new Element(), dialog = new Element();
const [state, enter, forget] = bar.children;
const storage = new Map(stored ? [["convolu-key", stored]] : []);
let loads = 0;
globalThis.document = {
  getElementById: () => bar, createElement: () => dialog, body: { append() {} },
};
globalThis.sessionStorage = {
  getItem: (name) => storage.get(name) ?? null,
  setItem: (name, value) => storage.set(name, value),
  removeItem: (name) => storage.delete(name),
};
globalThis.location = { reload: () => ++loads };
const { call, curlOptions } = await import("data:text/javascript," + encodeURIComponent(script));
const seen = () => ({
  asked, bar: bar.hidden ? "" : state.textContent,
  enter: !bar.hidden && !enter.hidden, forget: !bar.hidden && !forget.hidden,
  stored: Object.fromEntries(storage), curl: curlOptions(), loads,
});
const body = new FormData();
body.append("file", new Blob([Buffer.from(picture, "base64")]), "a.png");
const headers = { "X-Request-ID": "seven" };
const predict = () => call(url + "/predict", { method: "POST", body, headers });
"""


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str, str]]:
    """The addresses of a service without keys and of one with, and the key."""
    folder = tmp_path_factory.mktemp("page")
    (folder / "colours.onnx").write_bytes(colour_model())
    key, line = new_key("page")
    (folder / "keys").write_text(line)
    arguments = ("--port", "0", "--workers", "1", "--models", str(folder))
    with (
        started(*arguments) as free,
        started(*arguments, CONVOLU_API_KEYS_FILE=str(folder / "keys")) as keyed,
    ):
        urls = announced_url(free), announced_url(keyed)
        with log_read_aside(free), log_read_aside(keyed):
            yield *urls, key


def on_the_page(
    code: str, url: str, typed: tuple[str, ...] = (), stored: str | None = None
) -> dict[str, Any]:
    """Run `code` in the page → what it prints."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("node (Debian package nodejs) is not here to run the page's script")
    given = {
        "script": SCRIPT.read_text(),
        "url": url,
        "picture": b64encode(RED).decode(),
        "typed": typed,
        "stored": stored,
    }
    program = PAGE.replace("GIVEN", json.dumps(given), 1) + code
    done = subprocess.run(
        [node, "--input-type=module", "-"],
        input=program,
        capture_output=True,
        text=True,
        check=True,
        timeout=DEADLINE_SECONDS,
    )
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def test_without_keys_nobody_is_asked(services: tuple[str, str, str]) -> None:
    free, _, _ = services
    code = "const { status } = await predict(); console.log(JSON.stringify({ status, ...seen() }));"
    assert on_the_page(code, free) == {
        "status": 200,
        "asked": [],
        "bar": "",
        "enter": False,
        "forget": False,
        "stored": {},
        "curl": [],
        "loads": 0,
    }


def test_refused_requests_wait_for_one_valid_key_and_are_sent_again(
    services: tuple[str, str, str],
) -> None:
    _, keyed, key = services
    code = """
      const answers = await Promise.all([call(url + "/models"), predict(), predict()]);
      const predicted = await answers[1].json();
      const { status } = await predict();
      console.log(JSON.stringify({
        statuses: [...answers.map((one) => one.status), status],
        id: answers[1].headers.get("x-request-id"),
        label: predicted.predictions[0].label, ...seen(),
        typed: dialog.querySelector("input").value,
      }));
    """
    seen = on_the_page(code, keyed, ("wrong", f" {key}\n"))
    assert seen == {
        "statuses": [200, 200, 200, 200],
        "id": "seven",
        "label": "red",
        "asked": ["", "That key is not valid here, or no longer. Is it complete?"],
        "bar": "An API key is in use, in this tab only.",
        "enter": False,
        "forget": True,
        "stored": {"convolu-key": key},
        "curl": ['-H "Authorization: Bearer $CONVOLU_KEY"'],
        "loads": 0,
        "typed": "",
    }


def test_a_refusal_that_comes_late_costs_nobody_the_key_given_meanwhile(
    services: tuple[str, str, str],
) -> None:
    _, keyed, key = services
    code = """
      const straight = fetch;
      let release;
      const held = new Promise((resolve) => { release = resolve; });
      globalThis.fetch = async (target, options) => {
        const answer = await straight(target, options);
        if (target.endsWith("/models")) await held;
        return answer;
      };
      const late = call(url + "/models");
      const { status } = await predict();
      release();
      console.log(JSON.stringify({ statuses: [status, (await late).status], ...seen() }));
    """
    seen = on_the_page(code, keyed, (key,), stored="old")
    assert seen["statuses"] == [200, 200]
    assert len(seen["asked"]) == 1
    assert seen["stored"] == {"convolu-key": key}


def test_a_key_of_this_tab_is_used_until_it_is_forgotten(services: tuple[str, str, str]) -> None:
    _, keyed, key = services
    code = """
      const { status } = await predict();
      const before = seen();
      forget.listeners.click();
      console.log(JSON.stringify({ status, asked, before, after: seen() }));
    """
    seen = on_the_page(code, keyed, stored=key)
    assert (seen["status"], seen["asked"]) == (200, [])
    assert seen["before"]["stored"] == {"convolu-key": key}
    assert seen["after"]["stored"] == {}
    assert seen["after"]["curl"] == []
    assert seen["after"]["loads"] == 1


def test_who_gives_no_key_can_give_it_later_and_loses_nothing(
    services: tuple[str, str, str],
) -> None:
    _, keyed, key = services
    code = """
      const answer = predict();
      while (!asked.length) await new Promise((resolve) => setTimeout(resolve));
      dialog.close(); // as Escape does
      const waiting = seen();
      typed.push(typed_later);
      enter.listeners.click();
      console.log(JSON.stringify({ waiting, status: (await answer).status, after: seen() }));
    """.replace("typed_later", json.dumps(key))
    seen = on_the_page(code, keyed)
    assert seen["waiting"]["bar"] == "This service needs an API key: requests wait for it."
    assert (seen["waiting"]["enter"], seen["waiting"]["forget"]) == (True, False)
    assert seen["status"] == 200
    assert seen["after"]["stored"] == {"convolu-key": key}


def test_where_nothing_can_be_kept_a_key_lasts_as_long_as_the_page(
    services: tuple[str, str, str],
) -> None:
    _, keyed, key = services
    code = """
      sessionStorage.setItem = sessionStorage.removeItem = () => { throw new Error(); };
      const answers = [await predict(), await predict()];
      console.log(JSON.stringify({ statuses: answers.map((one) => one.status), ...seen() }));
    """
    seen = on_the_page(code, keyed, (key,))
    assert (seen["statuses"], seen["asked"], seen["stored"]) == ([200, 200], [""], {})
