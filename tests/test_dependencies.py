"""What is installed is safe: floors in pyproject.toml, locks above them, and a bill of materials.

The numbers are the first releases without the holes that a service open to the public would have.
"""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parent.parent
LOCKS = ["serve.txt", "test.txt"]
SAFE_FROM = {
    "httptools": "0.7",
    "onnxruntime": "1.32",
    "pillow": "13",
    "python-multipart": "0.0.32",
    "starlette": "1.6",
    "uvicorn": "0.51",
}
SAFE_FROM_IF_IT_COMES_ALONG = {"h11": "0.16"}

Locked = list[tuple[str, Version, set[str]]]


def stated() -> dict[str, Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return {(asked := Requirement(line)).name: asked for line in project["dependencies"]}


def locked(name: str) -> Locked:
    """Every package of a lock: name, version, SHA-256 of its files."""
    text = (ROOT / "requirements" / name).read_text()
    blocks = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)[1:]
    return [
        (found[1], Version(found[2]), set(re.findall(r"--hash=sha256:([0-9a-f]{64})", block)))
        for block in blocks
        if (found := re.match(r"([a-z0-9.-]+)==(\S+)", block))
    ]


@pytest.mark.parametrize("name", list(SAFE_FROM))
def test_the_project_asks_for_releases_without_known_holes(name: str) -> None:
    floors = [Version(part.version) for part in stated()[name].specifier if part.operator == ">="]
    assert floors
    assert max(floors) >= Version(SAFE_FROM[name])


@pytest.mark.parametrize("lock", LOCKS)
def test_the_locks_hold_no_release_with_known_holes(lock: str) -> None:
    versions = {name: version for name, version, _ in locked(lock)}
    assert set(SAFE_FROM) <= set(versions)
    for name, floor in (SAFE_FROM | SAFE_FROM_IF_IT_COMES_ALONG).items():
        assert versions.get(name, Version(floor)) >= Version(floor), name


@pytest.mark.parametrize("lock", LOCKS)
def test_the_locks_hold_what_the_project_asks_for_with_hashes(lock: str) -> None:
    for name, version, hashes in locked(lock):
        assert hashes, name
        if name in stated():
            assert version in stated()[name].specifier, name
    assert {name for name, _, _ in locked(lock)} >= set(stated())


@pytest.mark.parametrize("lock", LOCKS)
def test_the_locks_name_no_index(lock: str) -> None:
    text = (ROOT / "requirements" / lock).read_text()
    assert "://" not in text
    assert "--index" not in text
    assert "--extra-index" not in text


def bill() -> dict[str, Any]:
    found = json.loads((ROOT / "requirements" / "serve.cdx.json").read_text())
    assert isinstance(found, dict)
    return found


def test_the_bill_of_materials_is_the_serving_lock() -> None:
    parts: Locked = [
        (part["name"], Version(part["version"]), hashes_of(part)) for part in bill()["components"]
    ]
    assert sorted(parts, key=str) == sorted(locked("serve.txt"), key=str)


def hashes_of(part: dict[str, Any]) -> set[str]:
    hashes = [each for source in part["externalReferences"] for each in source["hashes"]]
    assert {each["alg"] for each in hashes} == {"SHA-256"}
    return {each["content"] for each in hashes}


def test_the_bill_of_materials_is_cyclonedx() -> None:
    """https://cyclonedx.org/docs/1.6/json/: what scanners match on."""
    assert bill()["bomFormat"] == "CycloneDX"
    assert bill()["specVersion"] == "1.6"
    assert bill()["version"] == 1
    assert bill()["metadata"]["component"]["name"] == "convolu"
    for part in bill()["components"]:
        assert part["type"] == "library"
        assert part["purl"] == f"pkg:pypi/{part['name']}@{part['version']}"
    references = [part["bom-ref"] for part in bill()["components"]]
    assert len(set(references)) == len(references)


def test_the_bill_of_materials_is_the_same_wherever_and_whenever_it_is_made() -> None:
    assert "serialNumber" not in bill()
    assert "timestamp" not in bill()["metadata"]
    for part in bill()["components"]:
        assert {each["url"] for each in part["externalReferences"]} == {f"pkg:pypi/{part['name']}"}
    assert "file:" not in json.dumps(bill())
