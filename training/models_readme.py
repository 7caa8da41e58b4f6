"""models/README.md: what each model file is and how good, read from the files themselves."""

from __future__ import annotations

from pathlib import Path

from app.card import Card
from app.classifier import Classifier
from training import markdown

START, END = "<!-- table: made by `make models` -->", "<!-- end of table -->"
_HEADER = (
    "file",
    "what it is",
    "parameters",
    "multiply-adds",
    "size",
    "right on the test images (95 % interval)",
    "mean of the seeds",
    "trained on",
)


def write_readme(folder: Path) -> None:
    """Replace the table in `folder`/README.md by one made from the cards of `folder`/*.onnx.

    Without that file, one is written. Raises ValueError if it has no place for the table.
    """
    path = folder / "README.md"
    there = path.read_text() if path.exists() else f"# The models\n\n{START}\n{END}\n"
    before, start, rest = there.partition(START)
    _, end, after = rest.partition(END)
    if not (start and end):
        raise ValueError(f"{path} needs the two lines {START} and {END} to write between")
    path.write_text(f"{before}{START}\n{table(folder)}\n{END}{after}")


def table(folder: Path) -> str:
    """One row per model file: accuracy as its card has it, never typed by hand."""
    return markdown.table(_HEADER, [_row(path) for path in sorted(folder.glob("*.onnx"))])


def _row(path: Path) -> list[str]:
    beside = path.with_suffix(".json")
    if beside.exists():  # from elsewhere: its card need not say how good it is, and of what
        card = Classifier(path.read_bytes(), beside.read_bytes()).card
        size = f"{path.stat().st_size / 1e6:.1f} MB"
        return [
            f"`{path.name}`",
            markdown.plain(card.description) or "–",
            "–",
            "–",
            size,
            "–",
            "–",
            "–",
        ]
    card = Classifier(path.read_bytes()).card
    if card.dataset is None or not card.description:
        raise ValueError(f"{path.name}: its card lacks a description or a data set")
    return [
        f"`{path.name}`",
        markdown.plain(card.description),
        f"{sum(layer.parameters for layer in card.layers):,}",
        f"{sum(layer.multiply_adds for layer in card.layers):,}",
        f"{path.stat().st_size / 1e6:.1f} MB",
        *_accuracies(path, card),
        markdown.plain(card.dataset.name),
    ]


def _accuracies(path: Path, card: Card) -> tuple[str, str]:
    """Of the file and of all seeds, as measured; or as others published it, and said to be that."""
    if card.published is not None:
        return f"{card.published.accuracy:.1%} as published, not measured here", "–"
    if card.metrics is None:
        raise ValueError(f"{path.name}: its card lacks metrics")
    low, high = card.metrics.accuracy_interval
    seeds = list(card.metrics.seed_accuracies.values())
    return (
        f"{card.metrics.accuracy:.2%} ({low:.2%}–{high:.2%}) of {card.metrics.images:,}",
        f"{sum(seeds) / len(seeds):.3%} of {len(seeds)}",
    )
