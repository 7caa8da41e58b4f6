"""What many tests are built from: pictures, and tiny models whose answers are known by hand."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import hypothesis
import numpy as np
import onnx
import pytest
from httpx2 import Response
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from starlette.testclient import TestClient

from app.card import Card, Proof
from app.main import create_app
from app.preprocess import Preprocess
from app.settings import Settings

# The same examples on every run and every machine: a failure is a change, never a draw.
hypothesis.settings.register_profile("same", derandomize=True, deadline=None, database=None)
hypothesis.settings.load_profile("same")

IMAGES = Path(__file__).parent / "images"
SEVEN = Path(__file__).parents[1] / "docs" / "images" / "seven.png"  # an MNIST test digit
COLOURS = ["red", "green", "blue"]


def encode(
    pixels: NDArray[np.uint8] | Image.Image, format_name: str = "PNG", **options: object
) -> bytes:
    """Pixels H×W×3 or H×W, or a Pillow image → an encoded file."""
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    file = io.BytesIO()
    image.save(file, format_name, **options)
    return file.getvalue()


def plain(colour: tuple[int, int, int], size: tuple[int, int] = (8, 8)) -> bytes:
    """A PNG of one colour; size is width × height."""
    return encode(Image.new("RGB", size, colour))


RED, GREEN, BLUE = plain((255, 0, 0)), plain((0, 255, 0)), plain((0, 0, 255))


def colour_model(
    card: Card | None = None, gain: float = 2.0, output: str = "probabilities"
) -> bytes:
    """A model that says which colour prevails: softmax(gain · mean of each channel, from 0 to 1).

    A red picture gets [e², 1, 1] / (e² + 2) = 0.787 for red with the gain 2.
    """
    scale = numpy_helper.from_array(np.float32(gain / 255), "scale")
    nodes = [
        helper.make_node("Cast", ["image"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["float", "axes"], ["mean"], keepdims=0),
        helper.make_node("Mul", ["mean", "scale"], ["logits"]),
        helper.make_node("Softmax", ["logits"], [output], axis=-1),
    ]
    return _model(
        nodes,
        ("image", TensorProto.UINT8, ["N", 4, 4, 3]),
        (output, TensorProto.FLOAT, ["N", 3]),
        [scale, numpy_helper.from_array(np.array([1, 2]), "axes")],
        colour_card() if card is None else card,
    )


def mosaic_model() -> bytes:
    """A model whose answer changes with every pixel and its place: random weights, 8 × 6 in RGB."""
    random = np.random.default_rng(7)
    weights = (random.standard_normal((6 * 8 * 3, 8)) / 400).astype(np.float32)
    nodes = [
        helper.make_node("Cast", ["image"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Flatten", ["float"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=-1),
    ]
    labels = [f"class {number}" for number in range(8)]
    return _model(
        nodes,
        ("image", TensorProto.UINT8, ["N", 6, 8, 3]),
        ("probabilities", TensorProto.FLOAT, ["N", 8]),
        [numpy_helper.from_array(weights, "weights")],
        colour_card(name="mosaic", labels=labels, preprocess=Preprocess(6, 8)),
    )


def foreign_model() -> bytes:
    """As a framework elsewhere writes it: float32 NCHW in, logits out, no card."""
    nodes = [
        helper.make_node("ReduceMean", ["input.1", "axes"], ["495"], keepdims=0),
    ]
    return _model(
        nodes,
        ("input.1", TensorProto.FLOAT, ["batch", 3, 4, 4]),
        ("495", TensorProto.FLOAT, ["batch", 3]),
        [numpy_helper.from_array(np.array([2, 3]), "axes")],
    )


def _model(
    nodes: list[onnx.NodeProto],
    image: tuple[str, int, list[str | int]],
    output: tuple[str, int, list[str | int]],
    weights: list[onnx.TensorProto],
    card: Card | None = None,
) -> bytes:
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info(*image)],
        [helper.make_tensor_value_info(*output)],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    if card is not None:
        helper.set_model_props(model, card.to_metadata())
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def faulty_model() -> bytes:
    """A model with a fault that no check at load can find: it cannot run on a bright picture."""
    table = numpy_helper.from_array(np.full((100, 3), 1 / 3, np.float32), "table")
    nodes = [
        helper.make_node("Cast", ["image"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMax", ["float", "axes"], ["brightest"], keepdims=0),
        helper.make_node("Cast", ["brightest"], ["row"], to=TensorProto.INT64),
        helper.make_node("Gather", ["table", "row"], ["probabilities"]),  # row 255 of 100
    ]
    return _model(
        nodes,
        ("image", TensorProto.UINT8, ["N", 4, 4, 3]),
        ("probabilities", TensorProto.FLOAT, ["N", 3]),
        [table, numpy_helper.from_array(np.array([1, 2, 3]), "axes")],
        colour_card(),
    )


def colour_card(proof: Proof | None = None, **changes: object) -> Card:
    """The card of `colour_model`."""
    facts = {"name": "colours", "labels": COLOURS, "preprocess": Preprocess(4, 4), "proof": proof}
    return Card.model_validate(facts | changes)


def check_problem(response: Response, status: int) -> None:
    """The one shape of errors, RFC 9457."""
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert list(body) == ["type", "title", "status", "detail", "code", "request_id"]
    assert body["status"] == status
    assert body["request_id"] == response.headers["x-request-id"]
    assert re.fullmatch("[a-z0-9_]+", body["code"])
    assert body["detail"].endswith(".")
    assert len(response.content) <= 1024


@pytest.fixture
def models_folder(tmp_path: Path) -> Path:
    """A folder with one model in it: colours.onnx."""
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / "colours.onnx").write_bytes(colour_model())
    return folder


MakeClient = Callable[..., TestClient]


@pytest.fixture
def make_client(models_folder: Path) -> Iterator[MakeClient]:
    """A factory of clients: each talks to a service of its own, started and stopped for real."""
    with ExitStack() as stack:

        def make(raise_server_exceptions: bool = True, **changes: object) -> TestClient:
            settings = Settings.model_validate({"models": models_folder} | changes)
            client = TestClient(
                create_app(settings), raise_server_exceptions=raise_server_exceptions
            )
            return stack.enter_context(client)

        yield make


@pytest.fixture
def client(make_client: MakeClient) -> TestClient:
    """A client of a service with the model `colours`."""
    return make_client()
