"""What is in an ONNX file, whether the service would take it, and what to do if not."""

from training.doctor.examine import Finding, Report, examine
from training.doctor.text import as_text, to_json

__all__ = ["Finding", "Report", "as_text", "examine", "to_json"]
