"""Pictures of the page: small, each stored once however often it is shown, all in one sheet.

A sheet is one image that a browser decodes once: 1,200 images of their own kept one busy for over
half a minute.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Callable

from PIL import Image

from app.preprocess import Preprocess, colour, orient
from training.report.markup import Markup, el

SIDE = 96  # pixels at most
COLUMNS = 32
_PIXELATED_BELOW = 64
_QUALITY = 80  # of WebP


class Pictures:
    """Thumbnails of encoded pictures, made when they are first shown."""

    def __init__(self, data: Callable[[int], bytes], preprocess: Preprocess) -> None:
        self._data, self._preprocess = data, preprocess
        self._thumbnails: list[Image.Image] = []
        self._places: dict[int, int] = {}  # number → place on the sheet

    def show(self, number: int, alt: str) -> Markup:
        """One picture; `alt` says what is to be seen."""
        if number not in self._places:
            self._places[number] = len(self._thumbnails)
            self._thumbnails.append(thumbnail(self._data(number), self._preprocess))
        row, column = divmod(self._places[number], COLUMNS)
        place = f"--row:{row};--column:{column}"
        return el("span", role="img", aria_label=alt, class_="picture", style=place)

    def style(self) -> Markup:
        """The style element with all that were shown; empty where there was none."""
        if not self._thumbnails:
            return Markup()
        side = max(max(one.size) for one in self._thumbnails)
        rows = -(-len(self._thumbnails) // COLUMNS)
        sheet = Image.new("RGBA", (side * COLUMNS, side * rows))
        for place, one in enumerate(self._thumbnails):
            row, column = divmod(place, COLUMNS)
            left, top = (side - one.width) // 2, (side - one.height) // 2
            sheet.paste(one, (column * side + left, row * side + top))
        file = io.BytesIO()
        sheet.save(file, "WEBP", quality=_QUALITY)
        rendering = "pixelated" if side < _PIXELATED_BELOW else "auto"
        data = base64.b64encode(file.getvalue()).decode()
        return Markup(
            f"<style>:root{{--rows:{rows};--columns:{COLUMNS}}}.picture{{image-rendering:{rendering};"
            f"background-image:url(data:image/webp;base64,{data})}}</style>"
        )


def thumbnail(data: bytes, preprocess: Preprocess) -> Image.Image:
    """Encoded picture → an image of at most SIDE pixels, upright, in the model's colours."""
    image: Image.Image = Image.open(io.BytesIO(data))
    image.draft(None, (SIDE, SIDE))
    image = colour(orient(image), preprocess)
    image.thumbnail((SIDE, SIDE))
    return image
