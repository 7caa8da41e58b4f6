"""Convolu, the service: POST an image to /predict, get softmax class probabilities."""

__version__ = "0.1.0"
