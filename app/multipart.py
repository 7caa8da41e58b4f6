"""A multipart/form-data body (RFC 7578) → the files in it, held in memory.

python-multipart does the parsing; this keeps the parts named `file`. Knows nothing of images or of
the rest of the request.
"""

from __future__ import annotations

from dataclasses import dataclass

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from app.errors import BadMultipart, NoFile, TooManyImages

FIELD = "file"
REMEDY = (
    f"Send a multipart field '{FIELD}' (curl -F {FIELD}=@picture.png), the raw bytes "
    '(curl --data-binary @picture.png), or JSON {"image": "<base64>"}.'
)
_MAX_FILENAME = 255


@dataclass(frozen=True)
class Upload:
    """One encoded image and the file name that came with it, if any."""

    data: bytes
    filename: str | None = None


def parse_multipart(body: bytes, boundary: bytes, max_images: int, max_parts: int) -> list[Upload]:
    """The parts named `file`, in order (RFC 7578). Raises BadMultipart, NoFile or TooManyImages."""
    form = _Form(max_images, max_parts)
    try:
        parser = MultipartParser(boundary, form.callbacks())  # type: ignore[arg-type]
        parser.write(body)
        parser.finalize()
    except FormParserError as exc:
        raise BadMultipart("The body does not follow RFC 7578. " + REMEDY) from exc
    if not boundary or not form.ended:
        raise BadMultipart("The body stops before its closing boundary. " + REMEDY)
    if not form.uploads:
        raise NoFile(f"No part of the form is named '{FIELD}'. " + REMEDY)
    return form.uploads


class _Form:
    """Collects what python-multipart's parser calls back with."""

    def __init__(self, max_images: int, max_parts: int) -> None:
        self.uploads: list[Upload] = []
        self.ended = False
        self._max_images = max_images
        self._max_parts = max_parts
        self._parts = 0
        self._header_name = self._header_value = b""
        self._disposition = b""
        self._data: list[bytes] = []

    def callbacks(self) -> dict[str, object]:
        return {
            "on_part_begin": self._part_begin,
            "on_header_field": self._header_field,
            "on_header_value": self._header_value_part,
            "on_header_end": self._header_end,
            "on_part_data": self._part_data,
            "on_part_end": self._part_end,
            "on_end": self._end,
        }

    def _part_begin(self) -> None:
        self._parts += 1
        if self._parts > self._max_parts:
            raise BadMultipart(f"At most {self._max_parts} parts fit in one form. Send fewer.")
        self._disposition, self._data = b"", []

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]

    def _header_value_part(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def _header_end(self) -> None:
        if self._header_name.lower() == b"content-disposition":
            self._disposition = self._header_value
        self._header_name = self._header_value = b""

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        self._data.append(data[start:end])

    def _part_end(self) -> None:
        _, options = parse_options_header(self._disposition)
        if options.get(b"name") != FIELD.encode():
            return
        if len(self.uploads) == self._max_images:
            raise TooManyImages(
                f"At most {self._max_images} images fit in one request. Send fewer."
            )
        filename = options.get(b"filename", b"").decode("utf-8", "replace")[:_MAX_FILENAME]
        self.uploads.append(Upload(b"".join(self._data), filename or None))

    def _end(self) -> None:
        self.ended = True
