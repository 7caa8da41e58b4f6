"""The lecture's four networks, and the variants of each: strides, padding, pooling, head.

Without further arguments each is what the lecture has. `image` is height, width and channels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Unpack

from training.variants import Changes, Variant

if TYPE_CHECKING:
    import keras

WINDOW = 3  # of every convolution, as in the lecture
POOL = 2


class EmptyFeatureMap(ValueError):
    """A window is larger than the feature map it slides over; the message names the layer."""


def mnist_1conv(
    image: tuple[int, int, int] = (28, 28, 1), classes: int = 10, **changes: Unpack[Changes]
) -> keras.Model:
    """One convolution, for digits; 693,962 parameters."""
    net = _Stack("mnist-1conv", image, Variant(**changes))
    net.convolution(32)
    net.pooling("max")
    net.head()
    net.dense(128)
    return net.answer(classes)


def mnist_2conv(
    image: tuple[int, int, int] = (28, 28, 1), classes: int = 10, **changes: Unpack[Changes]
) -> keras.Model:
    """Two convolutions, max and average pooling, for digits; 121,930 parameters."""
    net = _Stack("mnist-2conv", image, Variant(**changes))
    net.convolution(32)
    net.pooling("max")
    net.convolution(64)
    net.pooling("average")
    net.head()
    net.dense(64)
    return net.answer(classes)


def cifar10_simple(
    image: tuple[int, int, int] = (32, 32, 3),
    classes: int = 10,
    dropout: tuple[float, float] = (0.25, 0.5),
    **changes: Unpack[Changes],
) -> keras.Model:
    """One convolution and two dropouts, for small photos; 3,692,938 parameters."""
    net = _Stack("cifar10-simple", image, Variant(**changes))
    net.convolution(32)
    net.pooling("max")
    net.dropout(dropout[0])
    net.head()
    net.dense(512)
    net.dropout(dropout[1])
    return net.answer(classes)


def cats_dogs(
    image: tuple[int, int, int] = (160, 160, 3), classes: int = 2, **changes: Unpack[Changes]
) -> keras.Model:
    """Three convolutions, for photos of any classes; 5,402,050 parameters for two."""
    net = _Stack("cats-dogs", image, Variant(**changes))
    net.convolution(32)
    net.pooling("max")
    net.convolution(64)
    net.pooling("max")
    net.convolution(128)
    net.pooling("max")
    net.dropout(0.25)
    net.head()
    net.dense(128)
    net.dropout(0.5)
    return net.answer(classes)


class _Stack:
    """Layers laid on each other, each as the variant wants it, until the last one answers."""

    def __init__(self, name: str, image: tuple[int, int, int], variant: Variant) -> None:
        from keras import Input

        self._name, self._variant = name + variant.suffix, variant
        self._layers: list[Any] = [Input(image, name="image")]
        self._shape = (1, *image)  # of the last feature map
        self._counts: dict[str, int] = {}

    def convolution(self, filters: int) -> None:
        from keras import layers

        name = self._numbered("conv")
        strides, padding = self._variant.strides or 1, self._variant.padding or "valid"
        self._slide(
            layers.Conv2D(filters, WINDOW, strides, padding, activation="relu", name=name),
            WINDOW if padding == "valid" else 1,
        )

    def pooling(self, lecture: Literal["max", "average"]) -> None:
        from keras import layers

        kinds = {"max": layers.MaxPooling2D, "average": layers.AveragePooling2D}
        kind = kinds[self._variant.pooling or lecture]
        self._slide(kind(POOL, name=self._numbered("pool")), POOL)

    def head(self) -> None:
        """Feature map → vector."""
        from keras import layers

        kinds = {
            "flatten": layers.Flatten,
            "global-average": layers.GlobalAveragePooling2D,
            "global-max": layers.GlobalMaxPooling2D,
        }
        head = self._variant.head or "flatten"
        self._layers.append(kinds[head](name=head.replace("-", "_")))

    def dropout(self, rate: float) -> None:
        from keras import layers

        self._layers.append(layers.Dropout(rate, name=self._numbered("dropout")))

    def dense(self, units: int) -> None:
        from keras import layers

        self._layers.append(layers.Dense(units, activation="relu", name=self._numbered("dense")))

    def answer(self, classes: int) -> keras.Model:
        """The last layer; returns the finished network."""
        from keras import Sequential, layers

        name = self._numbered("dense")
        self._layers.append(layers.Dense(classes, activation="softmax", name=name))
        return Sequential(self._layers, name=self._name)

    def _numbered(self, kind: str) -> str:
        self._counts[kind] = self._counts.get(kind, 0) + 1
        return f"{kind}{self._counts[kind]}"

    def _slide(self, layer: Any, window: int) -> None:
        _, height, width, _ = self._shape
        if min(height, width) < window:
            raise EmptyFeatureMap(
                f"{self._name}: {layer.name} slides a window of {window}×{window} over a feature "
                f"map of {height}×{width}, which leaves nothing. Use padding same, strides 1 or "
                "larger images."
            )
        self._layers.append(layer)
        self._shape = layer.compute_output_shape(self._shape)
