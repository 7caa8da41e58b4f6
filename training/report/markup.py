"""HTML made of values: what is not markup is escaped, whoever it came from."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

_VOID = {"meta"}  # elements without an end


class Markup(str):
    """Text that is HTML already; `el`, `joined` and, of what is no value, `plots` and styles."""


Child = str | Markup | Iterable["Child"] | None


def el(tag: str, *children: Child, **attributes: object) -> Markup:
    """An element. `class_` is `class`, `aria_label` is `aria-label`; None leaves one out."""
    written = "".join(
        f' {name.strip("_").replace("_", "-")}="{escape(str(value))}"'
        for name, value in attributes.items()
        if value is not None
    )
    end = "" if tag in _VOID else f"</{tag}>"
    return Markup(f"<{tag}{written}>{joined(*children)}{end}")


def joined(*children: Child) -> Markup:
    """Children one behind the other: text is escaped, None is nothing."""
    return Markup("".join(_text(child) for child in children))


def _text(child: Child) -> str:
    if child is None or isinstance(child, Markup):
        return child or ""
    if isinstance(child, str):
        return escape(child)
    return joined(*child)


def section(name: str, title: str, *children: Child) -> Markup:
    """A part of the page with its heading, to which `#name` leads."""
    heading = el("h2", title, id=f"{name}-title")
    return el("section", heading, *children, id=name, aria_labelledby=f"{name}-title")


def table(
    caption: str, head: Iterable[str], rows: Iterable[Iterable[Child]], numbers: bool = True
) -> Markup:
    """A table whose first column names the row; the others are numbers unless told otherwise.

    It scrolls sideways by itself where it is too wide, also by keyboard.
    """
    kind = "number" if numbers else None
    first, *others = head
    header = el("tr", el("th", first, scope="col"), [_head(one, kind) for one in others])
    body = [
        el("tr", el("th", name, scope="row"), [el("td", cell, class_=kind) for cell in cells])
        for name, *cells in rows
    ]
    whole = el("table", el("caption", caption), el("thead", header), el("tbody", body))
    return scrolling(caption, whole)


def _head(text: str, kind: str | None) -> Markup:
    return el("th", text, scope="col", class_=kind)


def scrolling(name: str, *children: Child) -> Markup:
    """A box that scrolls sideways, reached by keyboard."""
    return el("div", *children, class_="scroll", role="region", aria_label=name, tabindex=0)


def details(summary: str, *children: Child) -> Markup:
    """What is shown when it is asked for."""
    return el("details", el("summary", summary), *children)


def percent(share: float, digits: int = 2) -> str:
    """0.9944 → 99.44 %"""
    return f"{share * 100:.{digits}f}\N{NO-BREAK SPACE}%"
