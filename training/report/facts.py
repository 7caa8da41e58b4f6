"""What was trained, on what, how and with what: the card's facts as tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from app.card import Card, Layer
from training.report.markup import Markup, details, section, table

MOST_OF_A_LIST = 20  # file names and the like
MOST_LAYERS = 25  # a longer table is opened by who wants it


def layers(rows: Sequence[Layer]) -> Markup:
    """The layer table; the optimizer's own variables are counted nowhere."""
    head = ["layer", "type", "output", "window", "stride", "padding", "parameters", "multiply-adds"]
    head.append("sees")
    body = [
        [
            layer.name,
            layer.type,
            _sides(layer.output_shape),
            _sides(layer.window),
            _sides(layer.strides),
            layer.padding or "–",
            f"{layer.parameters:,}",
            f"{layer.multiply_adds:,}",
            _sides(layer.receptive_field),
        ]
        for layer in rows
    ]
    total_parameters = sum(layer.parameters for layer in rows)
    total_multiply_adds = sum(layer.multiply_adds for layer in rows)
    dash = "–"
    totals = ["all", dash, dash, dash, dash, dash]
    body.append([*totals, f"{total_parameters:,}", f"{total_multiply_adds:,}", dash])
    shown = table("Shapes in pixels, counts of one image", head, body)
    if len(rows) > MOST_LAYERS:
        shown = details(f"{len(rows)} layers, {total_parameters:,} parameters", shown)
    return section("layers", "Layers", shown)


def _sides(sizes: Sequence[int] | None) -> str:
    return "×".join(map(str, sizes)) if sizes else "–"


def made(card: Card, split: Mapping[str, Any] | None) -> Markup:
    """Data, recipe and environment, each under its own lid."""
    parts = {
        "Data": card.dataset.model_dump() if card.dataset else None,
        "Split of the pictures": split and parts_of(split),
        "What the network is given": asdict(card.preprocess),
        "Recipe": card.recipe,
        "Made with": card.made_with,
    }
    return section(
        "made",
        "How it was made",
        [
            details(title, table(title, ["fact", "value"], flat(facts), numbers=False))
            for title, facts in parts.items()
            if facts
        ],
    )


def parts_of(split: Mapping[str, Any]) -> dict[str, Any]:
    """What split.json says, with the number of pictures of each part in place of their list."""
    files = split.get("files", [])
    counts = Counter(file["part"] for file in files)
    facts = {name: fact for name, fact in split.items() if name not in ("files", "preprocess")}
    return {"pictures": dict(counts)} | facts if files else facts


def flat(facts: Mapping[str, Any], above: str = "") -> Iterator[list[str]]:
    """Nested facts as rows of name and value; long lists are cut, and say so."""
    for name, value in facts.items():
        full_name = f"{above}{name}".replace("_", " ")
        if isinstance(value, Mapping):
            yield from flat(value, f"{full_name}: ")
        elif isinstance(value, list | tuple):
            more = len(value) - MOST_OF_A_LIST
            text = ", ".join(map(_item, value[:MOST_OF_A_LIST]))
            yield [full_name, f"{text} and {more:,} more" if more > 0 else text or "none"]
        else:
            yield [full_name, str(value)]


def _item(value: Any) -> str:
    """One of a list: what was skipped and why, or pictures that are the same."""
    if isinstance(value, Mapping):
        return ": ".join(map(str, value.values()))
    return " = ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
