from __future__ import annotations

import base64
import json
import math
from pathlib import Path

from starlette.testclient import TestClient

from app.card import Proof, ProofImage
from tests.conftest import COLOURS, RED, MakeClient, colour_card, colour_model


def test_every_model_is_listed_with_what_one_needs_to_ask_it(client: TestClient) -> None:
    (model,) = client.get("/models").json()["models"]
    assert model["name"] == "colours"
    assert model["labels"] == COLOURS
    assert model["default"] is True
    assert model["proven"] is False
    assert model["version"] == client.post("/predict", content=RED).json()["version"]


def test_a_models_card_is_whole_but_for_the_proofs_pictures(
    make_client: MakeClient, models_folder: Path
) -> None:
    share = [math.exp(2) / (math.exp(2) + 2)] + [1 / (math.exp(2) + 2)] * 2
    image = ProofImage(data=base64.b64encode(RED), probabilities=share)
    card = colour_card(Proof(images=[image]), description="Which colour prevails.")
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
