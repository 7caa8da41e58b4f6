"""A model file → what is in it, and what is wrong with it, each with a remedy.

The judge is the service's own Classifier. It names the first fault; where a change of the card is
the remedy, the change is made in memory and the judge is asked again, so that all faults are told.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx
from google.protobuf.message import DecodeError

from app.card import Card, Proof, card_from_json, card_from_metadata, facts_from_metadata
from app.classifier import Classifier
from app.errors import ConvoluError, ModelRefused
from training.doctor.contents import Contents, contents, text_of
from training.doctor.remedies import Facts, remedy_for


@dataclass(frozen=True)
class Finding:
    """`fault`: the service refuses the file, or answers wrongly from it."""

    fault: bool
    what: str
    remedy: str


@dataclass(frozen=True)
class Report:
    """All that was found in a file."""

    file: str
    bytes: int = 0
    contents: Contents | None = None
    card: Card | None = None  # if it is valid
    card_is_beside: bool = False
    embedding_dim: int | None = None
    proof_differences: list[float] = field(default_factory=list)  # largest of each picture
    findings: list[Finding] = field(default_factory=list)
    proposed_card: Facts | None = None  # for a file without one

    @property
    def sound(self) -> bool:
        """Whether the service takes it as it is."""
        return not any(finding.fault for finding in self.findings)


def examine(path: Path) -> Report:
    """Look at a model file, and at the card beside it if there is one. Raises nothing."""
    content = card_json = None
    try:
        content = path.read_bytes()
        beside = path.with_suffix(".json")
        card_json = beside.read_bytes() if beside.exists() else None
    except OSError as exc:
        what = "it" if content is None else f"{beside.name}, the card beside it,"
        unread = f"{what} cannot be read: {exc.strerror}"
        finding = Finding(True, unread, "check its name and its rights")
        return Report(path.name or str(path), findings=[finding])
    model = _parsed(content)
    found = contents(model)
    metadata = {text_of(one.key): text_of(one.value) for one in model.metadata_props}
    card = _card(card_json, metadata)
    facts = _facts(card_json, metadata)
    findings, classifier, treated = _judged(path.name, content, card_json, facts, found)
    has_card = bool({"labels", "preprocess"} & metadata.keys())
    return Report(
        file=path.name,
        bytes=len(content),
        contents=found if found.operators else None,
        card=card,
        card_is_beside=card_json is not None,
        embedding_dim=classifier.embedding_dim if classifier else None,
        proof_differences=differences(classifier, card.proof) if classifier and card else [],
        findings=findings
        + _remarks(content, card, beside.name if card_json and has_card else None),
        proposed_card=None if has_card or card_json is not None or treated == facts else treated,
    )


def _parsed(content: bytes) -> onnx.ModelProto:
    try:
        return onnx.load_from_string(content)
    except DecodeError:  # the judge says so too
        return onnx.ModelProto()


def _card(card_json: bytes | None, metadata: Mapping[str, str]) -> Card | None:
    try:
        return card_from_metadata(metadata) if card_json is None else card_from_json(card_json)
    except ModelRefused:
        return None


def _facts(card_json: bytes | None, metadata: Mapping[str, str]) -> Facts:
    try:
        facts = facts_from_metadata(metadata) if card_json is None else json.loads(card_json)
    except (ModelRefused, ValueError, RecursionError):
        return {}
    return facts if isinstance(facts, dict) else {}


def _judged(
    file: str, content: bytes, card_json: bytes | None, facts: Facts, found: Contents
) -> tuple[list[Finding], Classifier | None, Facts]:
    """All faults, the classifier if there is one in the end, and the card that it took."""
    findings: list[Finding] = []
    while True:
        try:
            return findings, Classifier(content, card_json), facts
        except ModelRefused as exc:
            what, remedy, treat = remedy_for(exc, facts, found, file)
        if findings and findings[-1].what == what:  # the treatment did not help
            return findings, None, facts
        findings.append(Finding(True, what, remedy))
        treated = treat(facts, found) if treat else None
        if treated is None or treated == facts:
            return findings, None, facts
        facts, card_json = treated, json.dumps(treated).encode()


def _remarks(content: bytes, card: Card | None, overruling: str | None) -> list[Finding]:
    """What the judge lets pass."""
    remarks = []
    if card is not None and card.output == "logits" and _gives_probabilities(content, card):
        remarks.append(
            Finding(
                True,
                'its card says "output": "logits", and the graph gives probabilities: a second '
                "softmax makes every answer look unsure",
                'say "output": "probabilities" in the card',
            )
        )
    if overruling is not None:
        remarks.append(
            Finding(
                False,
                f"{overruling} takes the place of the card in the file",
                f"remove {overruling} if it is not meant to",
            )
        )
    if card is not None and card.proof is None:
        remarks.append(
            Finding(
                False,
                "it has no proof: nothing shows that it answers as in its training",
                "none, for a model from elsewhere; training.export.file.model_file writes one",
            )
        )
    return remarks


def _gives_probabilities(content: bytes, card: Card) -> bool:
    claim = card.model_copy(update={"output": "probabilities", "proof": None})
    try:
        Classifier(content, claim.model_dump_json().encode())
    except ModelRefused:
        return False
    return True


def differences(classifier: Classifier, proof: Proof | None) -> list[float]:
    """How far each picture of the proof is from its answer in training, at its worst class."""
    found = []
    for image in proof.images if proof else []:
        expected = np.array(image.probabilities, np.float32)
        try:
            answer = classifier.classify(classifier.pixels_from(image.data)[None])[0]
        except ConvoluError:
            continue  # a finding already
        if len(answer) == len(expected) and np.isfinite(answer).all():
            found.append(float(np.abs(answer - expected).max()))
    return found
