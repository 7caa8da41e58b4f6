from __future__ import annotations

import base64
import hashlib
import json
import math
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from app.card import Card, Proof, ProofImage
from app.classifier import Classifier
from app.errors import FileReplaced
from app.routes.models import PIECE_BYTES, _check, _pieces
from tests.app.pictures import FORMATS
from tests.conftest import (
    COLOURS,
    RED,
    MakeClient,
    check_problem,
    colour_card,
    colour_model,
    encode,
)


def proven_card(*pictures: bytes) -> Card:
    """The card of `colour_model` with a proof of red pictures."""
    share = [math.exp(2) / (math.exp(2) + 2)] + [1 / (math.exp(2) + 2)] * 2
    images = [
        ProofImage(data=base64.b64encode(picture), probabilities=share) for picture in pictures
    ]
    proof = Proof(images=images, tolerance=1e-4 if pictures == (RED,) else 0.1)
    return colour_card(proof, description="Which colour prevails.")


def test_every_model_is_listed_with_what_one_needs_to_ask_it(client: TestClient) -> None:
    (model,) = client.get("/models").json()["models"]
    assert model["name"] == "colours"
    assert model["labels"] == COLOURS
    assert model["default"] is True
    assert model["proven"] is False
    assert model["samples"] == 0
    assert model["version"] == client.post("/predict", content=RED).json()["version"]


def test_a_models_card_is_whole_but_for_the_proofs_pictures(
    make_client: MakeClient, models_folder: Path
) -> None:
    card = proven_card(RED)
    (models_folder / "colours.onnx").write_bytes(colour_model(card))
    response = make_client().get("/models/colours")
    body = response.json()
    assert body["proven"] is True
    assert body["card"]["proof"] == {"tolerance": 1e-4, "images": 1}
    assert base64.b64encode(RED).decode() not in response.text
    whole = json.loads(card.model_dump_json())
    assert {key: body["card"][key] for key in whole if key != "proof"} == {
        key: value for key, value in whole.items() if key != "proof"
    }


def test_an_unknown_model_is_404_with_the_known_names(client: TestClient) -> None:
    response = client.get("/models/none")
    assert response.status_code == 404
    assert "colours" in response.json()["detail"]


# --- The file ---


def large_model(letter: str = "x") -> bytes:
    """A file of several pieces."""
    return colour_model(colour_card(description=letter * (3 * PIECE_BYTES)))


@pytest.mark.parametrize("model", [colour_model(), large_model()], ids=["small", "large"])
def test_the_file_is_that_of_the_version_in_service(
    make_client: MakeClient, models_folder: Path, model: bytes
) -> None:
    (models_folder / "colours.onnx").write_bytes(model)
    client = make_client()
    response = client.get("/models/colours/file")
    assert response.status_code == 200
    assert response.content == model
    version = client.get("/models/colours").json()["version"]
    assert Classifier(response.content).version == version
    assert response.headers["etag"] == f'"{version}"'
    assert response.headers["content-length"] == str(len(model))
    assert response.headers["content-type"] == "application/octet-stream"
    assert response.headers["content-disposition"] == "attachment; filename*=utf-8''colours.onnx"


def test_a_name_with_any_letters_is_quoted(make_client: MakeClient, models_folder: Path) -> None:
    (models_folder / '색 ".onnx').write_bytes(colour_model())
    response = make_client().get("/models/색 %22/file")
    assert response.content == colour_model()
    named = response.headers["content-disposition"]
    assert named == "attachment; filename*=utf-8''%EC%83%89%20%22.onnx"


def test_a_file_is_not_sent_under_a_version_that_it_is_not(
    make_client: MakeClient, models_folder: Path
) -> None:
    client = make_client()
    (models_folder / "colours.onnx").write_bytes(b"refused, so that the old version serves on")
    response = client.get("/models/colours/file")
    check_problem(response, 404)
    assert response.json()["code"] == "file_replaced"
    assert client.post("/predict", content=RED).status_code == 200


def test_a_file_that_is_gone_is_404(make_client: MakeClient, models_folder: Path) -> None:
    client = make_client(watch_seconds=3600)
    (models_folder / "colours.onnx").unlink()
    response = client.get("/models/colours/file")
    check_problem(response, 404)
    assert response.json()["code"] == "file_replaced"


def test_a_file_that_is_written_while_it_is_sent_is_never_sent_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "a.onnx"
    path.write_bytes(large_model())
    pieces = _pieces(path, Classifier(large_model()).version)
    sent = [next(pieces)]
    path.write_bytes(large_model("y"))
    with pytest.raises(FileReplaced):
        sent.extend(pieces)
    assert PIECE_BYTES < sum(len(piece) for piece in sent) < len(large_model())


def test_a_large_file_is_never_held_whole(tmp_path: Path) -> None:
    path, content = tmp_path / "a.onnx", bytes(200 * PIECE_BYTES)
    path.write_bytes(content)
    version = hashlib.sha256(content).hexdigest()[:12]
    tracemalloc.start()
    assert _check(path, version) == len(content)
    assert sum(len(piece) for piece in _pieces(path, version)) == len(content)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 10 * PIECE_BYTES


# --- The pictures of its proof ---


@pytest.mark.parametrize("format_name", FORMATS)
def test_a_sample_is_the_picture_as_it_is_in_the_file(
    make_client: MakeClient, models_folder: Path, format_name: str
) -> None:
    picture = encode(Image.fromarray(np.full((8, 8, 3), (255, 0, 0), np.uint8)), format_name)
    (models_folder / "colours.onnx").write_bytes(colour_model(proven_card(RED, picture)))
    client = make_client()
    assert client.get("/models").json()["models"][0]["samples"] == 2
    first, second = (client.get(f"/models/colours/samples/{number}") for number in (1, 2))
    assert (first.content, first.headers["content-type"]) == (RED, "image/png")
    assert second.content == picture
    assert second.headers["content-type"] == f"image/{format_name.lower()}"


@pytest.mark.parametrize("number", ["0", "2", "-1", "9" * 300])
def test_a_number_that_no_picture_has_is_404(
    make_client: MakeClient, models_folder: Path, number: str
) -> None:
    (models_folder / "colours.onnx").write_bytes(colour_model(proven_card(RED)))
    response = make_client().get(f"/models/colours/samples/{number}")
    check_problem(response, 404)
    assert response.json()["code"] == "unknown_sample"


def test_a_model_without_a_proof_has_no_pictures(client: TestClient) -> None:
    check_problem(client.get("/models/colours/samples/1"), 404)


@pytest.mark.parametrize("number", ["one", "1.5", "1e0", "%00", "9" * 5000])
def test_what_is_no_number_is_422(client: TestClient, number: str) -> None:
    check_problem(client.get(f"/models/colours/samples/{number}"), 422)


@pytest.mark.parametrize("path", ["file", "samples/1"])
def test_an_unknown_model_has_neither_file_nor_pictures(client: TestClient, path: str) -> None:
    response = client.get(f"/models/none/{path}")
    check_problem(response, 404)
    assert response.json()["code"] == "unknown_model"


@pytest.mark.parametrize("path", ["file", "samples/1"])
def test_both_need_a_key_where_there_are_keys(
    make_client: MakeClient, tmp_path: Path, path: str
) -> None:
    (tmp_path / "keys").touch()
    check_problem(make_client(api_keys_file=tmp_path / "keys").get(f"/models/colours/{path}"), 401)
