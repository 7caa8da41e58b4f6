"""One ONNX Runtime session and its card: a batch of pixels → probabilities, and embeddings.

A classifier is only handed out proven: the pictures inside the file are replayed through
`app.preprocess` and the graph, and must give the probabilities that training saw. Knows nothing of
folders, of queues or of HTTP.
"""

from __future__ import annotations

import hashlib
import io
import os

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.card import Card, Normalise, Proof, card_from_json, card_from_metadata
from app.decode import DecodeBudget
from app.errors import ConvoluError, ModelRefused
from app.preprocess import Pixels, pixels_and_steps, pixels_from
from app.steps import Step

# ONNX Runtime on Linux reports to its maker from 1.29 on, unless it is told not to before it loads.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import onnxruntime

Batch = NDArray[np.uint8]  # N × height × width × channels
Probabilities = NDArray[np.float32]  # N × classes
Embeddings = NDArray[np.float32]  # N × embedding_dim

MAX_EMBEDDING_DIM = 16_384  # the networks in use have 512 to 4,096
_EMBEDDING = "embedding"  # the output's name


class Classifier:
    """A model that is loaded, checked against its card and proven.

    `model` is the content of an ONNX file; `card_json` the card beside it, for models from
    elsewhere that carry none; `decode_budget` what its images share with those of other models.
    Raises ModelRefused with the reason.
    """

    def __init__(
        self,
        model: bytes,
        card_json: bytes | None = None,
        decode_budget: DecodeBudget | None = None,
    ) -> None:
        self._decode_budget = decode_budget
        self.version = hashlib.sha256(model).hexdigest()[:12]
        self._session = open_session(model)
        try:
            self.card: Card = (
                card_from_metadata(self._session.get_modelmeta().custom_metadata_map)
                if card_json is None
                else card_from_json(card_json)
            )
            self._input_name, self._output_name, has_embedding = self._check_graph()
        except UnicodeDecodeError as exc:
            raise ModelRefused("its names or its metadata are not UTF-8") from exc
        self._check_answers()
        self.embedding_dim = self._check_embedding() if has_embedding else None
        self.proven = self.card.proof is not None

    def classify(self, batch: Batch) -> Probabilities:
        """uint8 N×H×W×C → float32 N×classes; each row is a softmax and sums to 1."""
        return self._as_probabilities(self._run(batch, self._output_name)[0])

    def classify_and_embed(self, batch: Batch) -> tuple[Probabilities, Embeddings]:
        """The same, and float32 N×embedding_dim from the same run; not if that is None."""
        output, embeddings = self._run(batch, self._output_name, _EMBEDDING)
        return self._as_probabilities(output), embeddings

    def pixels_from(self, data: bytes) -> Pixels:
        """Encoded image → the pixels that this model wants."""
        return pixels_from(data, self.card.preprocess, self._decode_budget)

    def pixels_and_steps(self, data: bytes) -> tuple[Pixels, list[Step]]:
        """The same pixels, and what was done to get them."""
        return pixels_and_steps(data, self.card.preprocess, self._decode_budget)

    @property
    def sample(self) -> bytes:
        """An encoded picture to try it with: the first of its proof, or a blank one."""
        if self.card.proof is not None:
            return self.card.proof.images[0].data
        file = io.BytesIO()
        Image.new("L", (self.card.preprocess.width, self.card.preprocess.height)).save(file, "PNG")
        return file.getvalue()

    def check_sample(self, answer: Probabilities) -> None:
        """Raise ModelRefused if `sample` got another answer than training saw."""
        if self.card.proof is not None:
            _compare(1, answer, self.card.proof)

    def _run(self, batch: Batch, *outputs: str) -> list[NDArray[np.float32]]:
        feed = {self._input_name: normalised(batch, self.card.normalise)}
        found: list[NDArray[np.float32]] = self._session.run(outputs, feed)
        return found

    def _as_probabilities(self, output: NDArray[np.float32]) -> Probabilities:
        return _softmax(output) if self.card.output == "logits" else output

    def _check_graph(self) -> tuple[str, str, bool]:
        """Names of the graph's input and output, and whether it has an embedding too.

        Their types must be what the card implies. Raises ModelRefused.
        """
        inputs = self._session.get_inputs()
        if len(inputs) != 1:
            raise ModelRefused(
                f"its graph has {len(inputs)} inputs; a classifier has one, the image"
            )
        outputs = {output.name: output for output in self._session.get_outputs()}
        embedding = outputs.pop(_EMBEDDING, None) if len(outputs) > 1 else None
        output = outputs.get("probabilities") or next(iter(outputs.values()))
        wanted_type = "tensor(uint8)" if self.card.normalise is None else "tensor(float)"
        if inputs[0].type != wanted_type:
            raise ModelRefused(
                f"its input is {inputs[0].type}, the card says {wanted_type}; "
                "a float input needs `normalise` in its card"
            )
        if output.type != "tensor(float)":
            raise ModelRefused(f"its output is {output.type}; expected tensor(float)")
        if embedding is not None and embedding.type != "tensor(float)":
            raise ModelRefused(f"its embedding is {embedding.type}; expected tensor(float)")
        return inputs[0].name, output.name, embedding is not None

    def _check_answers(self) -> None:
        """Run it: one blank picture, two, then the proof. Raises ModelRefused."""
        labels = self.card.labels
        for n in (1, 2):
            blank = self._blank(n)
            try:
                probabilities = self.classify(blank)
            except Exception as exc:  # ONNX Runtime raises its own tree, with messages of its own
                raise ModelRefused(
                    f"it does not run on {blank.shape} pixels: {_first_line(exc)}"
                ) from exc
            if probabilities.shape != (n, len(labels)):
                raise ModelRefused(
                    f"it answers with shape {probabilities.shape} for {n} images; "
                    f"its card has {len(labels)} labels"
                )
            if not np.allclose(probabilities.sum(axis=1), 1, atol=1e-3) or probabilities.min() < 0:
                raise ModelRefused(
                    "its output is not a softmax; if it ends in logits, "
                    'the card must say "output": "logits"'
                )
        if self.card.proof is not None:
            self._replay(self.card.proof)

    def _check_embedding(self) -> int:
        """How many numbers an embedding has. Raises ModelRefused."""
        one, two = (self.classify_and_embed(self._blank(n))[1] for n in (1, 2))
        dim = one.size
        if (one.shape, two.shape) != ((1, dim), (2, dim)) or not 1 <= dim <= MAX_EMBEDDING_DIM:
            raise ModelRefused(
                f"its embedding has shape {one.shape} for 1 image and {two.shape} for 2; "
                f"it needs a row of 1 to {MAX_EMBEDDING_DIM:,} numbers for each"
            )
        return dim

    def _blank(self, n: int) -> Batch:
        wanted = self.card.preprocess
        return np.zeros((n, wanted.height, wanted.width, wanted.channels), np.uint8)

    def _replay(self, proof: Proof) -> None:
        for number, image in enumerate(proof.images, start=1):
            try:
                answer = self.classify(self.pixels_from(image.data)[None])[0]
            except ConvoluError as exc:
                raise ModelRefused(f"picture {number} of its proof cannot be read: {exc}") from exc
            _compare(number, answer, proof)


def _compare(number: int, answer: Probabilities, proof: Proof) -> None:
    expected = proof.images[number - 1].probabilities
    if len(expected) != len(answer):
        raise ModelRefused(f"picture {number} of its proof has the wrong number of classes")
    difference = float(np.abs(answer - np.array(expected, np.float32)).max())
    if not difference <= proof.tolerance:
        raise ModelRefused(
            f"its proof fails: picture {number} differs by {difference:.2g} from what "
            f"training saw; at most {proof.tolerance:g} is allowed"
        )


def normalised(batch: Batch, normalise: Normalise | None) -> NDArray[np.generic]:
    """uint8 N×H×W×C → what the graph expects: the same, or float32 as a foreign card says."""
    if normalise is None:  # the graph does it: Convolu's own files
        return batch
    mean, std = (np.array(one, np.float32) for one in (normalise.mean, normalise.std))
    floats = (batch.astype(np.float32) / np.float32(255) - mean) / std
    if normalise.layout == "NHWC":
        return floats
    return np.ascontiguousarray(floats.transpose(0, 3, 1, 2))


def open_session(model: bytes) -> onnxruntime.InferenceSession:
    """An ONNX Runtime session on one thread, of one file alone. Raises ModelRefused."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # the service runs one process per core
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # A model is one file: weights in other files are looked for where no file can be, and refused.
    options.add_session_config_entry(
        "session.model_external_initializers_file_folder_path", os.devnull
    )
    options.log_severity_level = 4  # what is wrong with a file is said once, by ModelRefused
    try:
        return onnxruntime.InferenceSession(
            model,
            options,
            providers=["CPUExecutionProvider"],
            enable_fallback=0,  # it would say on standard output that it tries the same again
        )
    except Exception as exc:  # ONNX Runtime's exceptions share no base of their own
        raise ModelRefused(f"ONNX Runtime cannot load it: {_first_line(exc)}") from exc


def _first_line(exc: Exception) -> str:
    return (str(exc).strip().splitlines() or [type(exc).__name__])[0][:300]


def _softmax(logits: NDArray[np.float32]) -> Probabilities:
    exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities: Probabilities = exponents / exponents.sum(axis=1, keepdims=True)
    return probabilities
