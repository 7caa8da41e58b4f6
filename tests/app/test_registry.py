from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.errors import ModelRefused, NotReady, UnknownModel
from app.metrics import Metrics
from app.registry import Registry
from app.settings import Settings
from tests.conftest import colour_model, foreign_model


@contextmanager
def loaded(folder: Path, default_model: str | None = None) -> Iterator[Registry]:
    registry = Registry(Settings(models=folder, default_model=default_model), Metrics())
    registry.load()
    try:
        yield registry
    finally:
        registry.close()


def test_every_onnx_file_is_served_under_its_files_name(models_folder: Path) -> None:
    (models_folder / "again.onnx").write_bytes(colour_model())
    (models_folder / "README.md").write_text("no model")
    with loaded(models_folder) as registry:
        assert [model.name for model in registry.models] == ["again", "colours"]
        assert registry.get("colours").name == "colours"


def test_without_a_default_the_first_by_name_answers(models_folder: Path) -> None:
    (models_folder / "again.onnx").write_bytes(colour_model())
    with loaded(models_folder) as registry:
        assert registry.get(None).name == "again"


def test_the_default_that_was_set_answers(models_folder: Path) -> None:
    (models_folder / "again.onnx").write_bytes(colour_model())
    with loaded(models_folder, default_model="colours") as registry:
        assert registry.get(None).name == "colours"


def test_a_default_that_is_not_there_is_never_replaced_by_another(models_folder: Path) -> None:
    with loaded(models_folder, default_model="gone") as registry:
        with pytest.raises(NotReady):
            registry.get(None)
        assert registry.get("colours").name == "colours"


def test_an_unknown_name_is_answered_with_the_known_ones(models_folder: Path) -> None:
    with loaded(models_folder) as registry, pytest.raises(UnknownModel, match="colours"):
        registry.get("../colours")


def test_a_bad_file_is_refused_with_its_reason_and_the_rest_serves(models_folder: Path) -> None:
    (models_folder / "broken.onnx").write_bytes(b"nonsense")
    (models_folder / "bare.onnx").write_bytes(foreign_model())
    with loaded(models_folder) as registry:
        assert [model.name for model in registry.models] == ["colours"]
        assert set(registry.refused) == {"broken.onnx", "bare.onnx"}
        assert "no card" in registry.refused["bare.onnx"]


def test_a_card_beside_a_model_from_elsewhere_makes_it_serve(models_folder: Path) -> None:
    (models_folder / "bare.onnx").write_bytes(foreign_model())
    (models_folder / "bare.json").write_text(
        '{"labels": ["a", "b", "c"], "preprocess": {"height": 4, "width": 4}, "output": "logits",'
        ' "normalise": {"mean": [0, 0, 0], "std": [1, 1, 1], "layout": "NCHW"}}'
    )
    with loaded(models_folder) as registry:
        assert registry.refused == {}
        assert not registry.get("bare").proven


@pytest.mark.parametrize("files", [{}, {"broken.onnx": b"nonsense"}, {"notes.txt": b""}])
def test_a_folder_from_which_nothing_can_be_served_is_an_error_that_says_why(
    tmp_path: Path, files: dict[str, bytes]
) -> None:
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ModelRefused, match="CONVOLU_MODELS") as refused, loaded(tmp_path):
        pass
    if "broken.onnx" in files:
        assert "broken.onnx: ONNX Runtime cannot load it" in str(refused.value)


def test_a_folder_that_does_not_exist_is_the_same_error(tmp_path: Path) -> None:
    with pytest.raises(ModelRefused, match=r"holds no \*\.onnx"), loaded(tmp_path / "nowhere"):
        pass
