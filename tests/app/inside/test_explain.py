from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from app.classifier import Classifier
from app.errors import InvalidParameter
from app.inside.explain import choices, explain
from app.inside.occlusion import occlusion
from app.inside.session import Inside
from app.preprocess import pixels_from
from tests.app.inside import nets
from tests.conftest import SEVEN, colour_model, mosaic_model

BLANK = np.zeros((8, 8, 3), np.uint8)
MODELS = Path(__file__).parents[3] / "models"

NETS: dict[str, tuple[bytes, bytes | None]] = {
    "mnist-1conv": ((MODELS / "mnist-1conv.onnx").read_bytes(), None),
    "mnist-2conv": ((MODELS / "mnist-2conv.onnx").read_bytes(), None),
    "gap": (nets.gap_net(), None),
    "foreign mean": (nets.foreign_net("mean"), nets.FOREIGN_CARD),
    "foreign max": (nets.foreign_net("max"), nets.FOREIGN_CARD),
    "foreign flat": (nets.foreign_net("flat"), nets.FOREIGN_CARD),
    "residual": (nets.residual_net(), None),
    "pixels, N×H×W×C, flat": (mosaic_model(), None),
    "pixels, N×H×W×C, mean": (colour_model(), None),
}
EXPECTED = {  # layer, height × width of the map, start, step
    "mnist-1conv": ("unroll", "conv1", [26, 26], [1.5, 1.5], [1, 1]),
    "mnist-2conv": ("unroll", "conv2", [11, 11], [4, 4], [2, 2]),
    "gap": ("cam", "r2", [6, 5], [1, 1], [2, 2]),
    "foreign mean": ("cam", "r3", [6, 5], [0.5, 0.5], [2, 2]),
    "foreign max": ("cam", "r3", [6, 5], [0.5, 0.5], [2, 2]),
    "foreign flat": ("unroll", "r3", [6, 5], [0.5, 0.5], [2, 2]),
    "residual": ("cam", "r", [12, 10], [0.5, 0.5], [1, 1]),
    "pixels, N×H×W×C, flat": ("unroll", None, [6, 8], [0.5, 0.5], [1, 1]),
    "pixels, N×H×W×C, mean": ("cam", None, [4, 4], [0.5, 0.5], [1, 1]),
}


def map_of(answer: dict[str, Any]) -> NDArray[np.float32]:
    found = answer["map"]
    values = np.frombuffer(base64.b64decode(found["data"]), "<f4")
    return values.reshape(found["shape"])


def scores(classifier: Classifier, inside: Inside, pixels: NDArray[np.uint8]) -> Any:
    assert inside.network.logits is not None
    return inside.run(pixels, [inside.network.logits])[inside.network.logits][0]


@pytest.mark.parametrize("name", NETS)
def test_the_map_of_an_exact_method_and_its_rest_add_up_to_the_score(name: str) -> None:
    classifier, inside = nets.opened(*NETS[name])
    pixels = nets.picture(classifier)
    if classifier.card.preprocess.layout == "digit":
        pixels = pixels_from(SEVEN.read_bytes(), classifier.card.preprocess)
    logits = scores(classifier, inside, pixels)
    for index, label in enumerate(classifier.card.labels):
        answer = explain(classifier, inside, pixels, label, "auto")
        assert answer["exact"]
        assert answer["passes"] == 0
        assert answer["logit"] == pytest.approx(float(logits[index]), rel=1e-5, abs=1e-5)
        total = float(map_of(answer).sum(dtype=np.float64)) + answer["rest"]
        assert total == pytest.approx(answer["logit"], rel=1e-4, abs=1e-4)


@pytest.mark.parametrize("name", NETS)
def test_the_map_is_the_finest_that_can_be_reached_and_says_where_its_cells_are(name: str) -> None:
    classifier, inside = nets.opened(*NETS[name])
    answer = explain(classifier, inside, nets.picture(classifier), None, "auto")
    found = answer["map"]
    assert (
        answer["method"],
        answer["layer"],
        found["shape"],
        found["start"],
        found["step"],
    ) == EXPECTED[name]
    assert answer["methods"] == [answer["method"], "occlusion"]


def test_a_head_that_is_not_straight_has_no_exact_method() -> None:
    classifier, inside = nets.opened(nets.opaque_head_net())
    pixels = nets.picture(classifier)
    answer = explain(classifier, inside, pixels, None, "auto")
    assert answer["methods"] == ["occlusion"]
    assert (answer["exact"], answer["logit"], answer["rest"]) == (False, None, None)
    with pytest.raises(InvalidParameter, match=r"this model allows auto, occlusion\.$"):
        explain(classifier, inside, pixels, None, "unroll")


def test_without_a_class_the_most_probable_one_is_explained() -> None:
    classifier, inside = nets.opened(nets.gap_net())
    pixels = nets.picture(classifier)
    probabilities = classifier.classify(pixels[None])[0]
    answer = explain(classifier, inside, pixels, None, "auto")
    assert answer["label"] == nets.LABELS[int(probabilities.argmax())]
    assert answer["probability"] == probabilities.max()
    other = explain(classifier, inside, pixels, "고양이", "auto")
    assert other["label"] == "고양이"
    assert other["probability"] == probabilities[2]


def test_an_unknown_class_is_refused_with_the_known_ones() -> None:
    classifier, inside = nets.opened(nets.gap_net())
    with pytest.raises(InvalidParameter, match=r"^class: .* are cat, dog, 고양이\.$"):
        explain(classifier, inside, nets.picture(classifier), "mouse", "auto")


@pytest.mark.parametrize("head", ["flat", "pooled"])
@pytest.mark.parametrize("method", ["auto", "occlusion"])
def test_where_one_patch_alone_matters_every_method_finds_it(head: str, method: str) -> None:
    classifier, inside = nets.opened(nets.patch_net(head))
    answer = explain(classifier, inside, nets.patch_pixels(), "there", method)
    assert answer["exact"] == (method == "auto")
    found, grid = map_of(answer), answer["map"]
    rows, columns = (
        grid["start"][axis] + np.arange(grid["shape"][axis]) * grid["step"][axis] for axis in (0, 1)
    )
    there = ((rows > 8) & (rows < 12))[:, None] & ((columns > 4) & (columns < 8))
    assert found[there].min() > 2 * found[~there].max()
    if method == "auto":
        assert not found[~there].any()


def test_occlusion_covers_every_cell_and_never_touches_the_picture() -> None:
    seen: list[NDArray[np.uint8]] = []

    def classify(batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        seen.append(batch)
        return np.full((len(batch), 2), 0.5, np.float32)

    pixels = np.random.default_rng(1).integers(0, 200, (28, 30, 3), np.uint8)
    before = pixels.copy()
    found, passes = occlusion(classify, pixels, classify(pixels[None])[0], 1)
    assert found.shape == (8, 8)
    assert not found.any()
    assert passes == 49 == sum(map(len, seen[1:]))
    assert max(map(len, seen)) == 16
    assert (pixels == before).all()
    changed = np.concatenate(seen[1:]) != pixels
    assert changed.any(axis=(0, 3)).mean() > 0.98  # a pixel may be the mean already
    mean = pixels.mean(axis=(0, 1)).round()
    assert (seen[1][0][0, 0] == mean).all()


@pytest.mark.parametrize(("height", "width"), [(1, 1), (2, 9), (4, 4), (8, 8), (9, 7)])
def test_occlusion_takes_a_picture_of_any_size(height: int, width: int) -> None:
    def classify(batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        share = batch.mean(axis=(1, 2, 3)).astype(np.float32) / 512
        return np.stack([share, 1 - share], axis=1)

    pixels = np.random.default_rng(2).integers(0, 256, (height, width, 1), np.uint8)
    found, passes = occlusion(classify, pixels, classify(pixels[None])[0], 0)
    assert found.shape == (min(8, height), min(8, width))
    assert np.isfinite(found).all()
    assert 1 <= passes <= 49


@pytest.mark.parametrize("probability", [0.0, 1e-30, 1.0])
def test_a_probability_at_either_end_has_log_odds_all_the_same(probability: float) -> None:
    def classify(batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        return np.repeat(np.array([[probability, 1 - probability]], np.float32), len(batch), axis=0)

    assert np.isfinite(occlusion(classify, BLANK, classify(BLANK[None])[0], 0)[0]).all()


def test_an_error_names_as_many_choices_as_fit() -> None:
    assert choices(["a", "b"]) == "a, b"
    named = choices([f"class {number}" for number in range(1000)])
    assert named.startswith("class 0, class 1, ")
    assert named.endswith(" more")
    assert len(named) < 650
    assert choices(["x" * 401]) == "1 more"
