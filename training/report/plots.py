"""matplotlib's drawings as SVG inside the page, in the page's colours, light and dark.

A drawing uses the colours below, which nobody else would. They become CSS variables when the SVG is
written: the same drawing is then right on white and on black. Knows nothing of what is drawn.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree
from zlib import crc32

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from training.report.markup import Markup, el

INK, QUIET, LINE = "#010203", "#010204", "#010205"
FIRST, SECOND, PAPER = "#010206", "#010207", "#010208"
_VARIABLES = {
    INK: "var(--ink)",
    QUIET: "var(--quiet)",
    LINE: "var(--line)",
    FIRST: "var(--first)",
    SECOND: "var(--second)",
    PAPER: "var(--card)",
}
_WIDTH, _HEIGHT = 360, 230  # CSS pixels: a phone's width, where letters are as large as elsewhere
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "convolu",  # the same drawing, the same file
    "font.family": "DejaVu Sans",  # comes with matplotlib: what text takes is measured in it
    "font.size": 10.5,
    "text.color": INK,
    "axes.labelcolor": QUIET,
    "axes.edgecolor": LINE,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 11,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "xtick.color": LINE,
    "ytick.color": LINE,
    "xtick.labelcolor": QUIET,
    "ytick.labelcolor": QUIET,
    "figure.facecolor": "none",
    "legend.frameon": False,
    "legend.fontsize": 10,
    "lines.linewidth": 1.6,
}
_SVG, _XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"


def plot(alt: str, draw: Callable[[Axes], None], caption: str = "") -> Markup:
    """A figure whose picture `draw` draws into the axes it is given; `alt` says what it shows."""
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(_WIDTH / 72, _HEIGHT / 72), layout="constrained")
        draw(figure.add_subplot())
        file = io.BytesIO()
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    return el("figure", _inline(file.getvalue(), alt), el("figcaption", caption) if caption else "")


def _inline(svg: bytes, alt: str) -> Markup:
    """matplotlib's file → an element named `alt`, without names that only a file of its own needs.

    Ids would be the same in each drawing: those that are referred to get the drawing's own prefix.
    """
    root = ElementTree.fromstring(svg)
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in (f"{{{_SVG}}}metadata", f"{{{_SVG}}}style"):  # a style is the page's
                parent.remove(child)
    text = ElementTree.tostring(root, encoding="unicode")
    used = set(re.findall(r"(?:url\(#|href=\"#)([\w-]+)", text))
    prefix = f"plot{crc32(alt.encode()):08x}"
    for node in root.iter():
        name = node.get("id")
        if name is not None and name not in used:
            del node.attrib["id"]
    for name in ("width", "height"):
        root.attrib.pop(name, None)
    root.set("role", "img")
    root.set("aria-label", alt)
    root.set("class", "plot")
    ElementTree.register_namespace("", _SVG)
    ElementTree.register_namespace("xlink", _XLINK)
    text = ElementTree.tostring(root, encoding="unicode")
    text = re.sub(r'(url\(#|href="#|id=")([\w-]+)', rf"\g<1>{prefix}-\g<2>", text)
    for colour, variable in _VARIABLES.items():
        text = text.replace(colour, variable)
    return Markup(text)
