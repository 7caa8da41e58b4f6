"""What can go wrong, as one small tree; each class carries its HTTP status and a short code.

Knows nothing of the web framework: `app.problems` turns these into responses. A message says the
rule, what was received and the remedy, and never repeats the input itself.

    ConvoluError
    ├── BadRequest                       (below HTTP, before any route) 400
    ├── EmptyBody · NoFile · BadMultipart · BadJson · BadBase64         400
    ├── Unauthorized                                                    401
    ├── UnknownModel · UnknownSample · FileReplaced                     404
    ├── RequestTimeout                                                  408
    ├── BodyTooLarge · TooManyImages                                    413
    ├── UnsupportedImage · UnsupportedMediaType                         415
    ├── InvalidImage · ImageTooLarge · InvalidParameter                 422
    ├── OpaqueModel · NoEmbedding                                       422
    ├── HeadersTooLarge                                                 431
    ├── Overloaded · NotReady                                           503
    └── ModelRefused (while loading; never the answer to a request)     500
"""

from __future__ import annotations

from typing import ClassVar, Literal


class ConvoluError(Exception):
    """Base of all that Convolu raises on purpose; `str(error)` is the message for people."""

    status = 500
    code = "internal"
    title = "Something went wrong in the service"
    retry_after_seconds: int | None = None
    headers: ClassVar[dict[str, str]] = {}  # of the response that tells of it


class BadRequest(ConvoluError):
    status, code, title = 400, "bad_request", "The request is not HTTP/1.1"


class EmptyBody(ConvoluError):
    status, code, title = 400, "empty_body", "The request or its file is empty"


class NoFile(ConvoluError):
    status, code, title = 400, "no_file", "The request holds no image"


class BadMultipart(ConvoluError):
    status, code, title = 400, "bad_multipart", "The multipart body cannot be read"


class BadJson(ConvoluError):
    status, code, title = 400, "bad_json", "The JSON body cannot be read"


class BadBase64(ConvoluError):
    status, code, title = 400, "bad_base64", "The image is not valid base64"


class Unauthorized(ConvoluError):
    status, code, title = 401, "unauthorized", "This needs an API key"
    headers: ClassVar = {"WWW-Authenticate": "Bearer"}  # RFC 6750, 3


class UnknownModel(ConvoluError):
    status, code, title = 404, "unknown_model", "There is no model of that name"


class UnknownSample(ConvoluError):
    status, code, title = 404, "unknown_sample", "The model has no picture of that number"


class FileReplaced(ConvoluError):
    status, code, title = 404, "file_replaced", "The file of the version in service is gone"


class RequestTimeout(ConvoluError):
    status, code, title = 408, "request_timeout", "The request took too long to arrive"
    headers: ClassVar = {"Connection": "close"}  # RFC 9110, 15.5.9


class BodyTooLarge(ConvoluError):
    status, code, title = 413, "body_too_large", "The request body is too large"


class TooManyImages(ConvoluError):
    status, code, title = 413, "too_many_images", "The request holds too many images"


class UnsupportedImage(ConvoluError):
    status, code, title = 415, "unsupported_image", "This is not an image of a supported format"


class UnsupportedMediaType(ConvoluError):
    status, code, title = 415, "unsupported_media_type", "This kind of body is not supported"


class InvalidImage(ConvoluError):
    status, code, title = 422, "invalid_image", "The image is broken"


class ImageTooLarge(ConvoluError):
    status, code, title = 422, "image_too_large", "The image has too many pixels"


class InvalidParameter(ConvoluError):
    status, code, title = 422, "invalid_parameter", "A parameter is not valid"


class OpaqueModel(ConvoluError):
    status, code, title = 422, "opaque_model", "This model cannot be looked into"


class NoEmbedding(ConvoluError):
    status, code, title = 422, "no_embedding", "This model has no embedding"


class HeadersTooLarge(ConvoluError):
    status, code, title = 431, "headers_too_large", "The request's headers are too large"


class Overloaded(ConvoluError):
    """Refused to keep what was accepted quick; `limit` says which bound was met, for metrics."""

    status, code, title = 503, "overloaded", "The service is busy"
    retry_after_seconds = 1

    def __init__(
        self,
        message: str,
        limit: Literal[
            "queue_size", "queue_seconds", "held_bytes", "connections", "memory", "inside"
        ],
    ) -> None:
        super().__init__(message)
        self.limit = limit


class NotReady(ConvoluError):
    status, code, title = 503, "not_ready", "The service is not ready"
    retry_after_seconds = 1


class ModelRefused(ConvoluError):
    code, title = "model_refused", "The model file is refused"

    def __init__(self, reason: str) -> None:
        # It quotes the file, which may come from anywhere, and it goes to the log: one plain line.
        super().__init__("".join(char if char.isprintable() else "?" for char in reason))
