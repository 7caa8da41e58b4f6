"""A finished run → its model file, judged once by the test images.

They are encoded files that go through the service's own path: bytes → pixels → ONNX.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from app.classifier import Classifier, Probabilities
from training.answers import answers
from training.calibrate import calibrate, fold
from training.card import card_of
from training.data import Data
from training.evaluate import confusion, measure
from training.export.file import model_file
from training.networks import load
from training.progress import Progress
from training.proof import proof_images
from training.robustness import CHANGED, robustness
from training.run import NoRun, Run, read, validation_folder
from training.train import predict
from training.validation import split


def temperature_of(run: Run, data: Data) -> float:
    """What to divide the logits of a run by, so that it is as sure as it may be.

    By the training images that it left out, else by those that the run of its recipe did which was
    made for that (`training.build`); 1 where there are none.
    """
    judge = run if run.validation else _validation_run(run)
    if judge is None:
        return 1.0
    _, held_out = split(data, judge.validation)
    if not len(held_out):
        return 1.0
    probabilities = predict(load(judge.last), judge.recipe, data, held_out)
    return calibrate(probabilities, data.y_train[held_out]).temperature


def _validation_run(run: Run) -> Run | None:
    try:
        found = read(validation_folder(run.folder.parent, run.recipe.name))
    except NoRun:
        return None
    return found if found.finished and found.is_like(run) else None


def exported(run: Run, data: Data, temperature: float, facts: Mapping[str, object]) -> bytes:
    """The model file of a run; `facts` of its card are what is known beyond the run.

    The logits are divided by `temperature`. Raises ExportError.
    """
    model = load(run.last)
    fold(model, temperature)
    card = card_of(run, data).model_copy(update=facts)
    return model_file(model, card, proof_images(data), run.recipe.normalise, half=True)


def finish(
    run: Run,
    data: Data,
    temperature: float,
    progress: Progress,
    other_seeds: Mapping[str, float] | None = None,
) -> bytes:
    """The model file of a run with what the test images say of it on its card.

    `other_seeds` are the accuracies of other runs of the recipe. Raises ExportError, or
    ModelRefused if the file does not prove itself.
    """
    content = exported(run, data, temperature, {})
    probabilities = judged(content, data, progress)
    accuracy = float((probabilities.argmax(axis=1) == data.y_test).mean())
    metrics = measure(
        probabilities,
        data.y_test,
        data.labels,
        f"the {len(data.y_test):,} test images as encoded files, through the service's own path",
        {str(run.seed): accuracy, **(other_seeds or {})},
        temperature,
    )
    progress.stage("test images, changed", CHANGED)
    facts = {
        "metrics": metrics,
        "confusion": confusion(probabilities, data.y_test, len(data.labels)),
        "robustness": robustness(Classifier(content), data.test_images, data.y_test, progress.step),
    }
    content = exported(run, data, temperature, facts)
    Classifier(content)  # as the service reads it
    return content


def judged(content: bytes, data: Data, progress: Progress) -> Probabilities:
    """What a model file says of each test image, N×K."""
    images = data.test_images
    progress.stage("test images", len(images))

    def counted() -> Iterator[bytes]:
        for number, image in enumerate(images, start=1):
            yield image
            progress.step(number)

    return np.asarray(answers(Classifier(content), counted()))
