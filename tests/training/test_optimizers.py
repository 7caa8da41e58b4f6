from __future__ import annotations

from dataclasses import replace
from typing import Any

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from training.optimizer import Optimizer
from training.optimizers import build

pytestmark = pytest.mark.train

ADAMW = Optimizer("adamw", learning_rate=0.5, warmup=0.2, weight_decay=0.1)
MUON = replace(ADAMW, kind="muon", warmup=0.0, weight_decay=0.0)
both = pytest.mark.parametrize("kind", ["adamw", "muon"])


def rate(optimizer: Any, step: int) -> float:
    return float(optimizer._learning_rate(step))


@both
def test_the_learning_rate_climbs_to_its_peak_and_falls_along_a_cosine_to_0(kind: Any) -> None:
    optimizer = build(replace(ADAMW, kind=kind), steps=100)
    a_quarter_down = 0.5 * (1 + np.cos(np.pi / 4)) / 2
    rates = [rate(optimizer, step) for step in (0, 10, 20, 40, 60, 100)]
    assert rates == pytest.approx([0, 0.25, 0.5, a_quarter_down, 0.25, 0], abs=1e-6)


def test_without_a_warm_up_the_learning_rate_starts_at_its_peak() -> None:
    assert rate(build(replace(ADAMW, warmup=0.0), steps=100), 0) == pytest.approx(0.5)


@both
def test_kernels_decay_and_biases_and_normalisation_do_not(kind: Any) -> None:
    model = keras.Sequential(
        [
            keras.Input((4, 4, 3)),
            keras.layers.Conv2D(2, 3, name="conv"),
            keras.layers.BatchNormalization(name="norm"),
            keras.layers.Flatten(),
            keras.layers.Dense(3, name="answer"),
        ]
    )
    for weight in model.trainable_variables:
        weight.assign(keras.ops.ones(weight.shape))
    optimizer = build(replace(ADAMW, kind=kind, warmup=0.0), steps=100)
    nothing = [keras.ops.zeros(weight.shape) for weight in model.trainable_variables]
    optimizer.apply(nothing, model.trainable_variables)
    for weight in model.trainable_variables:
        left = 1 - 0.5 * 0.1 if weight.name == "kernel" else 1
        assert np.asarray(weight) == pytest.approx(left), weight.path


def step(
    shape: tuple[int, ...], gradient: NDArray[np.float32], kind: Any, chosen: Optimizer = MUON
) -> NDArray[np.float32]:
    """What one step takes off a weight of zeros, divided by the learning rate."""
    weight = keras.Variable(np.zeros(shape), dtype="float32", name="kernel")
    optimizer = build(replace(chosen, kind=kind), steps=100)
    optimizer.apply([keras.ops.convert_to_tensor(gradient)], [weight])
    return np.asarray(-np.asarray(weight) / 0.5, np.float32)


def gradient_of(shape: tuple[int, ...], seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def test_muon_takes_off_a_matrix_whose_directions_are_about_equally_strong() -> None:
    shape = (3, 3, 4, 16)
    taken = step(shape, gradient_of(shape), "muon").reshape(36, 16)
    strengths = np.linalg.svd(taken, compute_uv=False) / (0.2 * np.sqrt(36))  # Moonlight's scale
    assert 0.6 < strengths.min() < strengths.max() < 1.3  # five steps of Newton and Schulz
    gradients = np.linalg.svd(gradient_of(shape).reshape(36, 16), compute_uv=False)
    assert gradients.max() / gradients.min() > 3


def test_muon_does_to_a_kernel_what_keras_does_to_the_matrix_that_it_is() -> None:
    shape = (3, 3, 4, 16)
    matrix = keras.Variable(np.zeros((36, 16)), dtype="float32", name="kernel")
    keras.optimizers.Muon(0.5, weight_decay=None).apply(
        [keras.ops.convert_to_tensor(gradient_of(shape).reshape(36, 16))], [matrix]
    )
    expected = -np.asarray(matrix).reshape(shape) / 0.5
    assert step(shape, gradient_of(shape), "muon") == pytest.approx(expected, abs=1e-6)


def test_what_muon_leaves_to_adamw_may_have_a_learning_rate_of_its_own() -> None:
    shape, ratio = (3, 3, 4, 16), 0.3
    slower = replace(MUON, adamw_learning_rate=ratio * MUON.learning_rate)
    for weight_shape, share in ((shape, 1), ((16,), ratio)):
        gradient = gradient_of(weight_shape)
        expected = share * step(weight_shape, gradient, "muon")
        assert step(weight_shape, gradient, "muon", slower) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("size", [0.01, 100.0])
def test_a_kernel_of_fixed_norm_is_moved_by_the_learning_rates_share_of_it(size: float) -> None:
    shape = (3, 3, 4, 16)
    start, gradient = gradient_of(shape, seed=1), gradient_of(shape)
    weight = keras.Variable(size * start, dtype="float32", name="kernel")
    build(replace(MUON, fixed_norm=True), steps=100).apply(
        [keras.ops.convert_to_tensor(gradient)], [weight]
    )
    kept = start / np.linalg.norm(start) * np.sqrt(16)  # as large as 16 kernels of norm 1
    orthogonal = step(shape, gradient, "muon") / (0.2 * np.sqrt(36))  # without Moonlight's scale
    assert np.asarray(weight) == pytest.approx(kept - 0.5 * orthogonal, abs=1e-5)
    assert 0.8 < np.linalg.norm(orthogonal) / np.linalg.norm(kept) < 1.2


def test_a_fixed_norm_is_part_of_what_is_saved() -> None:
    optimizer = build(replace(MUON, fixed_norm=True), steps=100)
    saved = keras.optimizers.serialize(optimizer)
    assert keras.optimizers.deserialize(saved).fixed_norm


@pytest.mark.parametrize("shape", [(16,), (36, 16)])
def test_only_kernels_of_convolutions_have_a_fixed_norm(shape: tuple[int, ...]) -> None:
    gradient = gradient_of(shape)
    fixed = step(shape, gradient, "muon", replace(MUON, fixed_norm=True))
    assert np.array_equal(fixed, step(shape, gradient, "muon"))


@pytest.mark.parametrize(("momentum", "kept"), [(None, 0.95), (0.5, 0.5)])
def test_muon_remembers_earlier_gradients_by_its_momentum(
    momentum: float | None, kept: float
) -> None:
    optimizer: Any = build(replace(MUON, momentum=momentum), steps=100)
    weight = keras.Variable(np.zeros((1, 1, 2, 2)), dtype="float32", name="kernel")
    gradients = gradient_of((2, 1, 1, 2, 2))
    for gradient in gradients:
        optimizer.apply([keras.ops.convert_to_tensor(gradient)], [weight])
    expected = kept * gradients[0] + gradients[1]
    assert np.asarray(optimizer.momentums[0]) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("shape", [(16,), (36, 16)])
def test_what_is_no_convolution_is_adamws_under_muon_too(shape: tuple[int, ...]) -> None:
    gradient = gradient_of(shape)
    assert np.array_equal(step(shape, gradient, "muon"), step(shape, gradient, "adamw"))


@pytest.mark.parametrize(
    ("steps", "momentum"), [(10**6, 0.999), (8000, 0.999), (2000, 0.996), (8, 0.0), (1, 0.0)]
)
def test_a_short_training_averages_over_an_eighth_of_its_steps_at_most(
    steps: int, momentum: float
) -> None:
    assert build(replace(ADAMW, average=0.999), steps).ema_momentum == pytest.approx(momentum)


def test_weights_are_averaged_over_the_steps_if_asked() -> None:
    weight = keras.Variable(np.zeros(1), dtype="float32", name="kernel")
    optimizer = build(replace(ADAMW, warmup=0.0, weight_decay=0.0, average=0.9), steps=10**6)
    seen = []
    for _ in range(5):
        optimizer.apply([keras.ops.ones((1,))], [weight])
        seen.append(float(np.asarray(weight)[0]))
    average = seen[0]
    for value in seen[1:]:
        average = 0.9 * average + 0.1 * value
    optimizer.finalize_variable_values([weight])
    assert float(np.asarray(weight)[0]) == pytest.approx(average, rel=1e-5)
