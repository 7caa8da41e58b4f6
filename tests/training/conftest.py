import pytest

from training.backend import choose_backend

choose_backend()  # before any test module imports Keras


def pytest_configure(config: pytest.Config) -> None:
    # Keras copies TensorFlow's variables with np.array, for which they lack NumPy 2's `copy`.
    config.addinivalue_line(
        "filterwarnings",
        "ignore:__array__ implementation doesn't accept a copy keyword"
        ":DeprecationWarning:keras.src.backend.tensorflow.core",
    )
