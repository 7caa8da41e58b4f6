"""A report → lines for people, or JSON for programs."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from pathlib import Path

from app.card import Card
from training.doctor.contents import Contents, Tensor
from training.doctor.examine import Report

INDENT, COLUMN, WIDTH = "  ", 13, 100
LABELS_SHOWN = 10


def as_text(report: Report) -> str:
    """The verdict, what is in the file, then each finding with its remedy."""
    lines = [_plain_text(f"{report.file}: {'sound' if report.sound else 'not sound'}")]
    rows: list[tuple[str, str]] = []
    if report.contents is not None:
        rows += _contents(report.contents, report.bytes)
    if report.card is not None:
        rows += _card(report.card, report.card_is_beside)
    if report.embedding_dim is not None:
        rows.append(("embedding", f"{report.embedding_dim} numbers, at POST /embed"))
    if report.card is not None and report.card.proof is not None:
        rows.append(("proof", _proof(report, report.card.proof.tolerance)))
    lines += [_row(name, value) for name, value in rows]
    for finding in report.findings:
        lines += ["", _row("WRONG" if finding.fault else "note", finding.what)]
        lines += [_row("remedy", finding.remedy)]
    if report.proposed_card is not None:
        beside = Path(report.file).with_suffix(".json").name
        lines += [
            "",
            _row("card", f"{beside} could be, but with labels and numbers of its training:"),
        ]
        lines += _proposal(report.proposed_card)
    return "\n".join(lines)


def _row(name: str, value: str) -> str:
    return textwrap.fill(
        _plain_text(value),  # it quotes the file
        WIDTH,
        initial_indent=f"{INDENT}{name:{COLUMN}}",
        subsequent_indent=" " * (len(INDENT) + COLUMN),
        break_long_words=False,
        break_on_hyphens=False,
    )


def _plain_text(text: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in text)


def _contents(found: Contents, size: int) -> Iterator[tuple[str, str]]:
    opsets = ", ".join(
        f"opset {version}" + ("" if domain == "ai.onnx" else f" of {domain}")
        for domain, version in found.opsets.items()
    )
    by = f", by {found.producer}" if found.producer else ""
    yield "file", f"{size:,} bytes, IR version {found.ir_version}, {opsets or 'no opset'}{by}"
    for name, tensors in (("input", found.inputs), ("output", found.outputs)):
        for tensor in tensors:
            yield name, _tensor(tensor)
    counts = ", ".join(f"{count} {operator}" for operator, count in found.operators.items())
    yield "nodes", f"{sum(found.operators.values()):,}: {counts}"
    for kind, weights in found.weights.items():
        yield "weights", f"{weights.numbers:,} {kind}, {weights.bytes:,} bytes"


def _tensor(tensor: Tensor) -> str:
    return f"{tensor.name}: {tensor.type} {' × '.join(map(str, tensor.shape))}"


def _card(card: Card, beside: bool) -> Iterator[tuple[str, str]]:
    name = card.name or "without a name"
    yield "card", name + (", beside the file" if beside else ", in the file")
    more = ", …" if len(card.labels) > LABELS_SHOWN else ""
    yield "labels", f"{len(card.labels):,}: {', '.join(card.labels[:LABELS_SHOWN])}{more}"
    wanted = card.preprocess
    colour = "RGB" if wanted.channels == 3 else "grey"
    yield (
        "preprocess",
        f"{wanted.height} × {wanted.width} {colour}, {wanted.layout}, {wanted.resample}",
    )
    if card.layers:
        adds = sum(layer.multiply_adds for layer in card.layers)
        numbers = sum(layer.parameters for layer in card.layers)
        yield "layers", f"{len(card.layers)}: {numbers:,} parameters, {adds:,} multiply-adds"
    if card.metrics is not None:
        low, high = card.metrics.accuracy_interval
        yield (
            "accuracy",
            f"{card.metrics.accuracy:.2%} ({low:.2%} to {high:.2%}) of {card.metrics.images:,} "
            "images",
        )


def _proof(report: Report, tolerance: float) -> str:
    differences = report.proof_differences
    if not differences:
        return "could not be replayed"
    return (
        f"{len(differences)} pictures, the largest difference {max(differences):.2g}; "
        f"{tolerance:g} is allowed"
    )


def _proposal(card: dict[str, object]) -> list[str]:
    """As the file beside it would have it; long lists of labels are cut, --json has them all."""
    labels = card["labels"]
    assert isinstance(labels, list)
    if len(labels) > LABELS_SHOWN:
        card = card | {"labels": [*labels[:LABELS_SHOWN], f"… {len(labels)} in all"]}
    rows = [f"{INDENT * 2}{json.dumps(key)}: {json.dumps(value)}" for key, value in card.items()]
    return [f"{INDENT}{{", *[row + "," for row in rows[:-1]], rows[-1], f"{INDENT}}}"]


def to_json(reports: Iterable[Report]) -> str:
    """All of it, a list of one object for each file; of a proof its pictures are left out."""
    return json.dumps([_plain(report) for report in reports], indent=2)


def _plain(report: Report) -> dict[str, object]:
    card = report.card.model_dump(mode="json", exclude={"proof"}) if report.card else None
    return {"sound": report.sound} | asdict(replace(report, card=None)) | {"card": card}
