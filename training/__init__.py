"""Convolu, the workshop: trains Keras CNNs and writes each as one self-describing ONNX file."""
