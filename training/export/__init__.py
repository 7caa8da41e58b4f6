"""Keras → ONNX, call by call: `to_onnx` translates, `file` adds card and proof."""

from training.export.graph import ExportError
from training.export.half import rounded
from training.export.translate import to_onnx

__all__ = ["ExportError", "rounded", "to_onnx"]
