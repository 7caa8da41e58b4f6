"""The table of sentences: both languages whole, every key there and in use."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import onnxruntime
import pytest

from tests.web.node import evaluate

ROOT = Path(__file__).parents[2]
WEB = ROOT / "app" / "web"
CODE = {
    path: path.read_text()
    for path in sorted(WEB.rglob("*.js"))
    if path.parent.name != "words" and path.name != "strings.js"
}
# Of docs/api.md, what no page of ours can provoke: it sends one image a request, as a form, by a
# browser, and asks for no embedding. Should one come all the same, the service's words are shown.
NEVER_MET = {
    "bad_base64", "bad_json", "bad_request", "headers_too_large", "method_not_allowed",
    "no_embedding", "no_file", "too_many_images",
}  # fmt: skip
OF_THE_CLIENT = {"heic", "timeout", "unexpected", "unreachable"}  # no answers of the service


def run(code: str) -> Any:
    module = (WEB / "strings.js").as_uri()
    shared = (WEB / "embed" / "strings.js").as_uri()
    return evaluate(
        f'import * as words from "{module}"; import * as shared from "{shared}";\n'
        f'await words.setLanguage("ko"); await words.setLanguage("en");\n{code}'
    )


@pytest.fixture(scope="module")
def table() -> dict[str, dict[str, str]]:
    """Language → key → sentence, the page's groups among them."""
    given: dict[str, dict[str, str]] = run("console.log(JSON.stringify(shared.sentences()));")
    return given


def test_both_languages_have_the_same_keys_in_the_same_order(
    table: dict[str, dict[str, str]],
) -> None:
    assert list(table) == ["en", "ko"]
    assert list(table["en"]) == list(table["ko"])


def test_both_languages_have_the_same_placeholders(table: dict[str, dict[str, str]]) -> None:
    def placeholders(sentence: str) -> list[str]:
        return sorted(re.findall(r"\{(\w+)\}", sentence))

    for key, sentence in table["en"].items():
        assert placeholders(sentence) == placeholders(table["ko"][key]), key


def test_no_sentence_is_empty_or_left_in_english(table: dict[str, dict[str, str]]) -> None:
    for key, sentence in table["ko"].items():
        assert sentence.strip() == sentence != "", key
        words = re.sub(r"\{\w+\}", "", table["en"][key])
        if re.search("[a-z]{4}", words):
            assert re.search("[가-힣]", sentence), key


def used_keys(keys: set[str]) -> tuple[set[str], set[str]]:
    """Keys that the code names, and those of `keys` that it makes of a beginning and a name."""
    code = "\n".join(CODE.values())
    groups = "|".join({key.split(".")[0] for key in keys})
    named = set(re.findall(rf'"((?:{groups})\.[\w.]+)"', code))
    beginnings = tuple(re.findall(rf"`((?:{groups})\.[\w.]*)\$\{{", code))
    return named, {key for key in keys if beginnings and key.startswith(beginnings)}


def test_every_sentence_that_is_asked_for_exists(table: dict[str, dict[str, str]]) -> None:
    named, _ = used_keys(set(table["en"]))
    assert named - set(table["en"]) == set()
    asked = set(re.findall(r'\bt\("([^"]+)"', "\n".join(CODE.values())))
    assert asked - set(table["en"]) == set()


def test_no_sentence_is_unused(table: dict[str, dict[str, str]]) -> None:
    keys = set(table["en"])
    named, made = used_keys(keys)
    assert keys - named - made == set()


@pytest.mark.parametrize("model", sorted((ROOT / "models").glob("*.onnx")), ids=lambda p: p.stem)
def test_every_fact_of_the_recipes_that_come_along_has_words(
    table: dict[str, dict[str, str]], model: Path
) -> None:
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    recipe = json.loads(session.get_modelmeta().custom_metadata_map["recipe"])

    def facts(nested: dict[str, Any], prefix: str = "model.recipe.") -> list[str]:
        return [
            key
            for name, value in nested.items()
            for key in (
                facts(value, f"{prefix}{name}.") if isinstance(value, dict) else [prefix + name]
            )
        ]

    elsewhere = {"name", "description", "data", "preprocess"}  # on other cards of the page
    said = facts({name: fact for name, fact in recipe.items() if name not in elsewhere})
    assert set(said) - set(table["en"]) == set()


def test_every_error_that_a_page_can_meet_has_its_sentence(
    table: dict[str, dict[str, str]],
) -> None:
    section = (ROOT / "docs" / "api.md").read_text().partition("## Errors")[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if re.match(r"\| \d", line)]
    codes = {code for row in rows for code in re.findall(r"`(\w+)`", row.split("|")[2])}
    said = {key.rpartition(".")[2] for key in table["en"] if key.startswith("classify.error.")}
    assert said - OF_THE_CLIENT == codes - NEVER_MET


@pytest.mark.parametrize(
    ("wanted", "chosen"),
    [
        (["ko-KR", "en"], "ko"),
        (["KO"], "ko"),
        (["en-GB", "ko"], "en"),
        (["de", "ko"], "ko"),
        (["de", "fr"], "en"),
        ([], "en"),
        (["kok"], "en"),
    ],
    ids=["Korea", "capitals", "Britain", "second choice", "neither", "none", "Konkani"],
)
def test_the_first_language_that_a_person_reads_is_chosen(wanted: list[str], chosen: str) -> None:
    assert run(f"console.log(JSON.stringify(words.languageOf({json.dumps(wanted)})));") == chosen


@pytest.mark.parametrize(
    ("call", "fault"),
    [
        ('words.t("common.nothing")', "no sentence common.nothing"),
        ('words.t("common.answer", { label: "7" })', "needs percent"),
        ('shared.setLanguage("xx")', "no language xx"),
        ('shared.extend({ en: { "common.clear": "" } })', "two sentences common.clear"),
    ],
    ids=["no such key", "no value", "no such language", "twice"],
)
def test_what_is_missing_is_a_fault_and_never_shown_as_text(call: str, fault: str) -> None:
    code = f"try {{ {call}; }} catch (error) {{ console.log(JSON.stringify(error.message)); }}"
    assert fault in run(code)


def test_the_page_speaks_the_language_that_is_set() -> None:
    code = (
        'const before = words.t("common.clear"); await words.setLanguage("ko");'
        'console.log(JSON.stringify([before, words.t("common.clear"), words.language]));'
    )
    assert run(code) == ["Clear", "지우기", "ko"]


def test_values_are_put_in_as_they_are() -> None:
    code = (
        'const values = { label: "$&{percent}", percent: "$1" };'
        'console.log(JSON.stringify(words.t("common.answer", values)));'
    )
    assert run(code) == "$&{percent}: $1"
