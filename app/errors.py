"""What can go wrong, as one small tree; each class carries its HTTP status and a short code.

Knows nothing of the web framework: `app.problems` turns these into responses. A message says the
rule, what was received and the remedy, and never repeats the input itself.

    ConvoluError
    ├── EmptyBody · NoFile · BadMultipart · BadJson · BadBase64        400
    ├── UnknownModel                                                   404
    ├── BodyTooLarge · TooManyImages                                   413
    ├── UnsupportedImage · UnsupportedMediaType                        415
    ├── InvalidImage · ImageTooLarge · InvalidParameter                422
    ├── Overloaded · NotReady                                          503
    └── ModelRefused (while loading; never the answer to a request)    500
"""

from __future__ import annotations


class ConvoluError(Exception):
    """Base of all that Convolu raises on purpose; `str(error)` is the message for people."""

    status = 500
    code = "internal"
    title = "Something went wrong in the service"
    retry_after_seconds: int | None = None


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


class UnknownModel(ConvoluError):
    status, code, title = 404, "unknown_model", "There is no model of that name"


class BodyTooLarge(ConvoluError):
    status, code, title = 413, "body_too_large", "The request body is too large"


class TooManyImages(ConvoluError):
    status, code, title = 413, "too_many_images", "The request holds too many images"


class UnsupportedImage(ConvoluError):
    status, code, title = 415, "unsupported_image", "This is not an image of a supported format"


class UnsupportedMediaType(ConvoluError):
    status, code, title = 415, "unsupported_media_type", "The Content-Type is not supported"


class InvalidImage(ConvoluError):
    status, code, title = 422, "invalid_image", "The image is broken"


class ImageTooLarge(ConvoluError):
    status, code, title = 422, "image_too_large", "The image has too many pixels"


class InvalidParameter(ConvoluError):
    status, code, title = 422, "invalid_parameter", "A parameter is not valid"


class Overloaded(ConvoluError):
    status, code, title = 503, "overloaded", "The service is busy"
    retry_after_seconds = 1


class NotReady(ConvoluError):
    status, code, title = 503, "not_ready", "The service is not ready"
    retry_after_seconds = 1


class ModelRefused(ConvoluError):
    code, title = "model_refused", "The model file is refused"

    def __init__(self, reason: str) -> None:
        # It quotes the file, which may come from anywhere, and it goes to the log: one plain line.
        super().__init__("".join(char if char.isprintable() else "?" for char in reason))
