from __future__ import annotations

import keras
import numpy as np
import pytest

from training.networks.dirac import Dirac

pytestmark = pytest.mark.train


@pytest.mark.parametrize(("channels", "filters"), [(3, 5), (4, 4), (6, 2)])
def test_each_kernel_passes_one_channel_on_while_there_are_any(channels: int, filters: int) -> None:
    kernel = np.asarray(Dirac()((3, 3, channels, filters)))
    image = np.random.default_rng(0).random((1, 4, 4, channels)).astype(np.float32)
    answer = np.asarray(keras.ops.conv(image, kernel, padding="same"))
    passed = min(channels, filters)
    np.testing.assert_array_equal(answer[..., :passed], image[..., :passed])


def test_the_kernels_that_are_left_start_at_random() -> None:
    kernel = np.asarray(Dirac(seed=1)((3, 3, 2, 9)))
    rest = kernel[..., 2:]
    limit = np.sqrt(6 / (9 * (2 + 9)))
    assert 0.9 * limit < np.abs(rest).max() <= limit
    assert len(np.unique(rest)) == rest.size


def test_it_is_read_back_by_its_name() -> None:
    read = keras.initializers.deserialize(keras.initializers.serialize(Dirac(seed=3)))
    assert isinstance(read, Dirac)
    assert read.seed == 3
