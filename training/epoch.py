"""One epoch: a network learns from every batch once, while the next one is made.

In place of Keras' `fit`, which on TensorFlow waits after each epoch for a thread that sleeps 10 ms,
then 20, then 40 and so on: what was learnt in 9.2 seconds took 20.3. Knows nothing of recipes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import keras

from training.batches import Batch, Batches

Means = dict[str, float]


def learn(model: keras.Model, batches: Batches, step: Callable[[int, Means], None]) -> Means:
    """Train a compiled model on each batch; returns the mean `loss` and metrics of all images.

    After each batch `step` is called with how many there were and the means so far.
    """
    images, means = 0, Means()
    for number, batch in enumerate(_made_ahead(batches), start=1):
        measured = model.train_on_batch(*batch, return_dict=True)
        images += len(batch[0])
        for name, value in measured.items():
            before = means.get(name, 0.0)
            means[name] = before + (float(value) - before) * len(batch[0]) / images
        step(number, means)
    return means


def _made_ahead(batches: Batches) -> Iterator[Batch]:
    with ThreadPoolExecutor(1) as maker:
        ahead = maker.submit(batches.__getitem__, 0)
        for index in range(1, len(batches)):
            batch, ahead = ahead.result(), maker.submit(batches.__getitem__, index)
            yield batch
        yield ahead.result()
