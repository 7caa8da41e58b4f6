"""What the page says of a layer, by the shipped models' own layer tables."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from app.classifier import Classifier
from tests.web.node import WEB, evaluate

MODELS = Path(__file__).parents[2] / "models"
VIEWS = {"mirrored", "shifted", "mean_of_views", "views", "both_views"}


@pytest.mark.parametrize("name", ["cifar10", "fashion-mnist"])
def test_of_views_the_page_does_not_say_that_numbers_change_one_by_one(name: str) -> None:
    card = Classifier((MODELS / f"{name}.onnx").read_bytes()).card
    layers = [row for row in card.layers or [] if row.name in VIEWS]
    assert len(layers) == (3 if name == "cifar10" else 2)
    for row in layers:
        layer = json.dumps({"type": row.type, "shape": row.output_shape})
        title, sentence, unchanged = evaluate(
            f'import {{ title, whySize }} from "{(WEB / "inside" / "layer_words.js").as_uri()}";'
            f'import {{ setLanguage, t }} from "{(WEB / "strings.js").as_uri()}";'
            'globalThis.document = { documentElement: { lang: "en" } };'
            f'await setLanguage("en"); const layer = {layer};'
            "const { sentence } = whySize(layer, layer.shape);"
            'console.log(JSON.stringify([title(layer), sentence, t("inside.why.unchanged")]));'
        )
        assert title != row.type
        assert sentence
        assert sentence != unchanged
