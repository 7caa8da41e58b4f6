"""Keras's own export to ONNX: the rival of `training.export`, in an environment of its own.

    KERAS_BACKEND=torch python keras_export.py NAME SIDE CLASSES WEIGHTS.weights.h5 OUT.onnx

NAME is a network of keras.applications. Nothing but its export, with Keras's own defaults.
"""

from __future__ import annotations

import sys

import keras
import numpy as np

name, side, classes, weights, out = sys.argv[1:]
shape = (int(side), int(side), 3)
model = getattr(keras.applications, name)(weights=None, input_shape=shape, classes=int(classes))
model.load_weights(weights)
model(np.zeros((1, *shape), np.float32))  # the export wants a model that has been called
model.export(out, format="onnx", verbose=False)
