"""models/NAME.md: all that is known of a model file, for people and for the Hugging Face Hub.

Made of the facts in the file and the texts of its data set; nothing is typed by hand, and nothing
that a reader needs is left empty.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from app.card import Card, Dataset, Layer, Metrics, Proof, Published, Robustness
from app.classifier import Classifier
from app.preprocess import Preprocess
from training.card_texts import DATA_TEXTS, DataText
from training.markdown import listed, plain, table

MOST_LABELS = 100
WORST_PAIRS = 10

_LAYOUTS = {
    "squash": "brought to that size whatever its proportions",
    "crop": "made just large enough to fill it, the middle cut out",
    "pad": "made to fit into it, the rest filled with the background",
    "digit": "the ink is found, made light on dark, scaled into 20×20 and centred by its mass, as "
    "MNIST's makers did it",
}
_Fact = TypeVar("_Fact")


class EmptyField(ValueError):
    """A model card would have an empty field; the message names file, field and remedy."""


def write_model_cards(folder: Path) -> list[Path]:
    """Write `folder`/NAME.md for each `folder`/NAME.onnx, or none if one of them cannot be.

    Returns the files that were passed over, because nobody has described what they are for: those
    of one's own pictures, and those from elsewhere. Raises EmptyField.
    """
    files = sorted(folder.glob("*.onnx"))
    passed_over = [path for path in files if not _is_described(path)]
    cards = {
        path.with_suffix(".md"): model_card(path.name, path.read_bytes())
        for path in files
        if path not in passed_over
    }
    for path, text in cards.items():
        path.write_text(text, encoding="utf-8")
    return passed_over


def _is_described(path: Path) -> bool:
    """Not what has its card beside it, or names neither licence nor author."""
    if path.with_suffix(".json").exists():
        return False
    card = Classifier(path.read_bytes()).card
    return bool(card.license or card.author)


def model_card(file_name: str, content: bytes) -> str:
    """A model file's content → Markdown with front matter. Raises EmptyField."""
    card = Classifier(content).card

    def needed(field: str, value: _Fact | None, remedy: str = "build the model again") -> _Fact:
        if not value:
            raise EmptyField(f"{file_name}: its card has no {field}; {remedy}.")
        return value

    dataset = needed("dataset", card.dataset)
    texts = needed(
        f"text for the data set {dataset.name!r}",
        DATA_TEXTS.get(dataset.name),
        "describe the data set in training/card_texts.py",
    )
    how_good = card.published or needed("metrics", card.metrics)
    recipe = needed("recipe", card.recipe)
    sections = {
        "": needed("description", card.description),
        "Classes": _classes(card.labels),
        "Intended use": f"{texts.intended_use}\n\n**Not for:** {texts.not_for}",
        "Input": _input(card.preprocess, needed("normalise", recipe.get("normalise"))),
        "Results": _results(how_good),
    }
    if card.metrics is not None:  # who publishes an accuracy seldom publishes confusions
        counts = needed("confusion", card.confusion, "measure the model again")
        sections["Worst confusions"] = _confusions(card.labels, counts)
    sections |= {
        "Known failures": _failures(card.labels, card.robustness),
        "Training data": _data(dataset, texts),
        "Recipe": _recipe(recipe),
        "Layers": _layers(needed("layers", card.layers)),
        "Size": f"{len(content):,} bytes, graph, card and proof in one file.",
        "Versions and checksums": _versions(
            needed("made_with", card.made_with), file_name, content
        ),
        "Proof": _proof(needed("proof", card.proof)),
        "Licence": f"{needed('license', card.license)}, by {needed('author', card.author)}.",
    }
    body = "\n\n".join(
        f"## {title}\n\n{text}" if title else text for title, text in sections.items()
    )
    name = needed("name", card.name)
    return (
        f"{_front_matter(card, how_good.accuracy, dataset, texts)}\n# {plain(name)}\n\n{body}\n\n"
        f"Written by `convolu-train readme` from what is in `{file_name}`.\n"
    )


def _front_matter(card: Card, accuracy: float, dataset: Dataset, texts: DataText) -> str:
    """YAML, of which JSON is a part: no value can break out of its quotes."""
    result = {
        "task": {"type": "image-classification"},
        "dataset": {"type": texts.hub, "name": dataset.name}
        | ({} if card.published else {"split": "test"}),
        "metrics": [{"type": "accuracy", "value": accuracy}],
    }
    facts = {
        "license": card.license.lower(),
        "library_name": "keras",
        "tags": ["onnx", "image-classification", "convolu"],
        "pipeline_tag": "image-classification",
        "datasets": [texts.hub],
        "metrics": ["accuracy"],
        "model-index": [{"name": card.name, "results": [result]}],
    }
    lines = [f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in facts.items()]
    return "\n".join(["---", *lines, "---"])


def _classes(labels: Sequence[str]) -> str:
    more = len(labels) - MOST_LABELS
    shown = ", ".join(map(plain, labels[:MOST_LABELS]))
    return f"{len(labels):,}: {shown}" + (f" and {more:,} more." if more > 0 else ".")


def _input(preprocess: Preprocess, normalise: Mapping[str, Any]) -> str:
    colour = "grey" if preprocess.channels == 1 else "RGB"
    rows = [
        ("the graph's input", f"`image`: uint8, N×{_size(preprocess)}, values from 0 to 255"),
        ("size", f"{preprocess.width}×{preprocess.height} pixels, {colour}"),
        ("how a picture gets there", _LAYOUTS[preprocess.layout]),
        ("filter", f"{preprocess.resample}, antialiased"),
        ("EXIF orientation", "applied first"),
        ("transparent pixels", f"laid on the colour {listed(preprocess.background)}"),
        (
            "normalising, in the graph",
            f"(pixel − {listed(normalise['mean'])}) / {listed(normalise['std'])}",
        ),
    ]
    return table(("what", "how"), rows)


def _size(preprocess: Preprocess) -> str:
    return f"{preprocess.height}×{preprocess.width}×{preprocess.channels}"


def _results(metrics: Metrics | Published) -> str:
    if isinstance(metrics, Published):
        return (
            f"**{metrics.accuracy:.1%}** right, as those who trained it published; it was not "
            f"measured here. {metrics.source}."
        )
    low, high = metrics.accuracy_interval
    right = round(metrics.accuracy * metrics.images)
    seeds = metrics.seed_accuracies
    lines = [
        f"**{metrics.accuracy:.2%}** right: {right:,} of {metrics.images:,} (95 % interval "
        f"{low:.2%} to {high:.2%}), measured on {metrics.measured_on}.",
        f"Expected calibration error {metrics.calibration_error:.4f} in 15 bins"
        + (
            ", without a temperature."
            if metrics.temperature is None or metrics.calibration_error_before is None
            else f"; {metrics.calibration_error_before:.4f} without its temperature "
            f"{metrics.temperature:.3f}, which is in the graph."
        ),
    ]
    if len(seeds) > 1:
        mean, spread = sum(seeds.values()) / len(seeds), max(seeds.values()) - min(seeds.values())
        every = ", ".join(f"{one:.2%}" for one in seeds.values())
        lines.append(
            f"Mean of {len(seeds)} seeds fixed beforehand {mean:.3%}, from lowest to highest "
            f"{spread * 100:.2f} points: {every}. The first one's model is this file."
        )
    rows = [
        (plain(label), f"{share:.2%}")
        for label, share in sorted(metrics.per_class_accuracy.items(), key=lambda one: one[1])
    ]
    return "\n\n".join([*lines, table(("class, the weakest first", "right"), rows)])


def _confusions(labels: Sequence[str], counts: Sequence[Sequence[int]]) -> str:
    pairs = sorted(
        (-count, true, answer)
        for true, row in enumerate(counts)
        for answer, count in enumerate(row)
        if count and true != answer
    )[:WORST_PAIRS]
    if not pairs:
        return "None: no answer was wrong."
    rows = [
        (plain(labels[true]), plain(labels[answer]), f"{-less:,} of {sum(counts[true]):,}")
        for less, true, answer in pairs
    ]
    return table(("shows", "answered", "how often"), rows)


def _failures(labels: Sequence[str], measured: Sequence[Robustness]) -> str:
    always = (
        f"Every picture gets one of its {len(labels):,} labels, whatever it shows: it cannot say "
        "“none of these”."
    )
    if not measured:
        return always
    rows = [("untouched", "", f"{measured[0].accuracy:.1%}")] + [
        (one.change, f"{one.strength:g} {one.unit}" if one.unit else "", f"{one.accuracy:.1%}")
        for one in measured
        if one.strength
    ]
    changed = f"Measured on {measured[0].images:,} of the test images, changed:"
    return f"{always}\n\n{changed}\n\n{table(('change', 'strength', 'right'), rows)}"


def _data(dataset: Dataset, texts: DataText) -> str:
    rows = [
        ("data", texts.title),
        ("source", texts.source),
        ("licence", texts.licence),
    ]
    if dataset.sha256 is not None:
        rows.append(("sha-256 of all pixels and labels", f"`{dataset.sha256}`"))
    return table(("what", "which"), rows)


def made_by_build(recipe: Mapping[str, Any]) -> bool:
    """Is it on the card of a file that `build` wrote? `fit` has other seeds."""
    return recipe.get("seed") in recipe.get("seeds", [None])[:1]


def _recipe(recipe: Mapping[str, Any]) -> str:
    rows = [
        (name.replace("_", " "), plain(_value(value)))
        for name, value in recipe.items()
        if name not in ("name", "description", "normalise")
    ]
    command = recipe.get("command")
    if not command and made_by_build(recipe):
        command = f"convolu-train build {recipe['name']}"
    told = f"```\n{command}\n```\n\n" if command else ""
    return told + table(("what", "value"), rows)


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key.replace('_', ' ')} {_value(one)}" for key, one in value.items())
    return listed(value) if isinstance(value, list | tuple) else str(value)


def _layers(layers: Sequence[Layer]) -> str:
    rows = [
        (
            f"`{layer.name}`",
            layer.type,
            "×".join(map(str, layer.output_shape)),
            "×".join(map(str, layer.window)) if layer.window else "–",
            f"{layer.parameters:,}",
            f"{layer.multiply_adds:,}",
        )
        for layer in layers
    ]
    parameters = sum(layer.parameters for layer in layers)
    multiply_adds = sum(layer.multiply_adds for layer in layers)
    rows.append(("all", "", "", "", f"{parameters:,}", f"{multiply_adds:,}"))
    return table(("layer", "type", "output", "window", "parameters", "multiply-adds"), rows)


def _versions(made_with: Mapping[str, str], file_name: str, content: bytes) -> str:
    rows = [(name, plain(value)) for name, value in made_with.items()]
    rows.append((f"sha-256 of `{file_name}`", f"`{hashlib.sha256(content).hexdigest()}`"))
    return table(("what", "which"), rows)


def _proof(proof: Proof) -> str:
    return (
        f"{len(proof.images)} pictures with the probabilities that Keras gave for them are in the "
        "file. They are replayed through the service's own path before it is served; a difference "
        f"above {proof.tolerance:g} and it is refused."
    )
