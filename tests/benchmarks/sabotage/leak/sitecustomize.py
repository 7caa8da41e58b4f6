"""A megabyte is kept for every tenth image."""

from app.classifier import Classifier

kept = []
pixels_from = Classifier.pixels_from


def leaking(self, *arguments):
    kept.append(bytes([1]) * 100_000)
    return pixels_from(self, *arguments)


Classifier.pixels_from = leaking
