from __future__ import annotations

import numpy as np
import pytest

from app.classifier import Classifier
from tests.conftest import colour_model, plain
from training.answers import BATCH, answers


@pytest.mark.parametrize("n", [1, BATCH - 1, BATCH, BATCH + 1, 2 * BATCH, 2 * BATCH + 3])
def test_many_files_are_answered_as_each_alone_and_in_order(n: int) -> None:
    classifier = Classifier(colour_model())
    colours = np.random.default_rng(n).integers(0, 256, (n, 3)).tolist()
    files = [plain((red, green, blue)) for red, green, blue in colours]
    alone = [classifier.classify(classifier.pixels_from(data)[None])[0] for data in files]
    together = answers(classifier, iter(files))
    assert together.shape == (n, 3)
    assert np.allclose(together, alone, atol=1e-6)
