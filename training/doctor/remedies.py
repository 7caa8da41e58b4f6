"""What the service says of a file that it refuses → what that means, and what to do about it.

Where a change of the card could be the remedy, it is made here, so that what else is wrong can be
found behind it: a refusal is only ever the first fault.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.errors import ModelRefused
from training.doctor.contents import Contents, Tensor

Facts = dict[str, Any]  # a card as JSON has it, valid or not
Treatment = Callable[[Facts, Contents], Facts | None]  # None: no card could help

UNKNOWN_SIDE = 224  # pixels, where the graph leaves them free: what most networks are trained on
# ImageNet's, as torchvision, timm and others use them.
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


@dataclass(frozen=True)
class Remedy:
    """`what` and `remedy` may name groups of the pattern as {0}, {1}, and {file}, {stem}."""

    pattern: str  # of the refusal
    remedy: str
    what: str | None = None  # where the refusal's own words are not plain
    treat: Treatment | None = None


def proposed_card(facts: Facts, found: Contents) -> Facts | None:
    """A card for a graph without one: what the shapes say, and placeholders for the rest."""
    image = _image(found)
    if image is None:
        return None
    layout, height, width, channels = image
    output = _answer(found)
    classes = output.shape[-1] if output.shape and isinstance(output.shape[-1], int) else 2
    card: Facts = {
        "labels": [f"class {number}" for number in range(classes)],
        "preprocess": {"height": height, "width": width, "channels": channels},
    }
    if found.inputs[0].type != "uint8":
        card["normalise"] = {"mean": MEAN[:channels], "std": STD[:channels], "layout": layout}
    return facts | card


def _answer(found: Contents) -> Tensor:
    """The output that the service takes for the answer."""
    outputs = {one.name: one for one in found.outputs}
    others = [one for one in found.outputs if one.name != "embedding"] or found.outputs
    return outputs.get("probabilities", others[0])


def _image(found: Contents) -> tuple[str, int, int, int] | None:
    """Layout, height, width and channels of the graph's input, if it may be an image."""
    if len(found.inputs) != 1 or len(found.inputs[0].shape) != 4 or not found.outputs:
        return None
    _, first, second, third = found.inputs[0].shape
    layout = "NCHW" if first in (1, 3) and third not in (1, 3) else "NHWC"
    sides, channels = ((second, third), first) if layout == "NCHW" else ((first, second), third)
    if channels not in (1, 3):
        return None
    height, width = (side if isinstance(side, int) else UNKNOWN_SIDE for side in sides)
    return layout, height, width, int(channels)


def _different_labels(facts: Facts, _: Contents) -> Facts:
    return facts | {"labels": [f"{label} {at}" for at, label in enumerate(facts["labels"])]}


def _as_many_labels(facts: Facts, found: Contents) -> Facts | None:
    classes = _answer(found).shape[-1:]
    if not classes or not isinstance(classes[0], int):
        return None
    return facts | {"labels": [f"class {number}" for number in range(classes[0])]}


def _size_of_the_graph(facts: Facts, found: Contents) -> Facts | None:
    image = _image(found)
    if image is None:
        return None
    _, height, width, channels = image
    facts = facts | {
        "preprocess": facts["preprocess"] | {"height": height, "width": width, "channels": channels}
    }
    return _normalised(facts, found) if facts.get("normalise") else facts


def _normalised(facts: Facts, found: Contents) -> Facts | None:
    proposal = proposed_card({}, found)
    return None if proposal is None else facts | {"normalise": proposal.get("normalise")}


def _logits(facts: Facts, _: Contents) -> Facts | None:
    return None if facts.get("output") == "logits" else facts | {"output": "logits"}


def _without_proof(facts: Facts, _: Contents) -> Facts:
    return {key: value for key, value in facts.items() if key != "proof"}


_EXPORT = "export it again from the trained network"
_BATCH = (
    "the input is {input}; export it with a free first dimension (dynamic_axes of "
    "torch.onnx.export, None in Keras), and reshape by -1 where the batch is meant"
)

REMEDIES = [
    # What ONNX Runtime cannot load
    Remedy(
        r"protobuf parsing failed|No graph was found",
        "export or download it again; a Git LFS pointer that was not fetched is 130 bytes of text",
        "it is no ONNX file, or not all of one",
    ),
    Remedy(
        r"[Ee]xternal data",
        'make one file of it, where they are: onnx.save(onnx.load("{file}"), "whole.onnx")',
        "its weights are in other files: {external}",
    ),
    Remedy(
        r"Opset (\d+) is under development.* till opset (\d+)",
        "export it with opset_version={1} or older",
        "its opset is {0}; this ONNX Runtime knows opsets up to {1}",
    ),
    Remedy(
        r"Unsupported model IR version: (\d+), max supported IR version: (\d+)",
        "set it: model = onnx.load(…); model.ir_version = {1}; onnx.save(model, …)",
        "its IR version is {0}; this ONNX Runtime reads versions up to {1}",
    ),
    Remedy(
        r"No Op registered for (\S+) with domain_version of (\d+)",
        "export it with another opset_version or exporter, or replace the layer behind {0}",
        "ONNX has no operator {0} in opset {1}",
    ),
    Remedy(
        r"Fatal error: (\S+)\(-?\d+\) is not a registered|No opset import for domain '(.*?)'",
        "build these layers of standard ones and export it again: the service loads no extensions",
        "it has operators that are not ONNX's own: {extensions}",
    ),
    Remedy(
        r"Could not find an implementation for (\w+)\(\d+\)",
        "export it in float32: fewer operators take float16, bfloat16 or double on a CPU",
        "ONNX Runtime has no {0} for numbers of the type that it gets here",
    ),
    Remedy(
        r"cannot load it",
        'onnx.checker.check_model("{file}", full_check=True) may say more; else ' + _EXPORT,
    ),
    # What the card lacks
    Remedy(
        r"it has no card",
        "export it with training.export, or put a card beside it as {stem}.json",
        "it has no card, so nobody knows its labels and what pixels it wants",
        proposed_card,
    ),
    Remedy(r"card beside it is not JSON", "python -m json.tool {stem}.json shows the place"),
    Remedy(
        r"labels must differ",
        "give each class a name of its own",
        "its card has labels more than once: {duplicates}",
        _different_labels,
    ),
    Remedy(r"card is not valid", "docs/models.md has the fields of a card"),
    Remedy(r"its metadata key|not UTF-8", "write the card by Card.to_metadata()"),
    # Where card and graph disagree
    Remedy(r"its graph has \d+ inputs", "make constants of all inputs but the image"),
    Remedy(
        r"its input is tensor\(float\), ",
        'say "normalise": {{"mean": …, "std": …, "layout": …}} in the card, as in its training',
        "its input is float32, and its card does not say how pixels become that",
        _normalised,
    ),
    Remedy(
        r"its input is tensor\(uint8\), ",
        "take `normalise` out of the card: this graph takes the bytes as they are",
        "its input is uint8, and its card says `normalise`, which is for float32",
        lambda facts, _: facts | {"normalise": None},
    ),
    Remedy(r"its input is ", "put a Cast behind an input of uint8 or float32"),
    Remedy(r"its (output|embedding) is tensor", "put a Cast to float32 before this output"),
    Remedy(r"does not run on \(2,", _BATCH, "it runs on one image, and not on two at once"),
    Remedy(
        r"does not run on \(1,",
        "the input is {input}: `preprocess` must have its height, width and channels, `normalise` "
        "its layout, and the first dimension must be free",
        treat=_size_of_the_graph,
    ),
    Remedy(
        r"answers with shape",
        "the card needs a label for each class, in the order of the network's outputs",
        treat=_as_many_labels,
    ),
    Remedy(
        r"not a softmax",
        'end the network in Softmax, or say "output": "logits" in the card and get it there',
        "its answers are no probabilities; its last operator is {last}",
        _logits,
    ),
    Remedy(r"embedding has shape", "flatten it to N × dim behind the pooling, or rename it"),
    Remedy(
        r"its proof",
        "weights, preprocessing or proof are not those of the training: " + _EXPORT,
        treat=_without_proof,
    ),
    Remedy(r"", _EXPORT),
]


def remedy_for(
    refusal: ModelRefused, facts: Facts, found: Contents, file: str
) -> tuple[str, str, Treatment | None]:
    """What is wrong, what to do, and how to go on looking."""
    whole = f"{refusal} {refusal.__cause__}"  # ONNX Runtime says the best last
    row, match = next(
        (row, match) for row in REMEDIES if (match := re.search(row.pattern, whole, re.DOTALL))
    )
    labels = facts.get("labels")
    counts = Counter(map(str, labels if isinstance(labels, list) else []))
    words = {
        "file": file,
        "stem": Path(file).stem,
        "external": ", ".join(found.external),
        "extensions": ", ".join(name for name in found.operators if ":" in name),
        "duplicates": ", ".join(label for label, count in counts.items() if count > 1),
        "input": " × ".join(str(side) for one in found.inputs for side in one.shape),
        "last": found.last.get(_answer(found).name, "unknown") if found.outputs else "unknown",
    }
    what = str(refusal) if row.what is None else row.what.format(*match.groups(), **words)
    return what, row.remedy.format(*match.groups(), **words), row.treat
