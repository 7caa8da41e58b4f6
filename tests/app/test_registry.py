from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from app.card import Proof, ProofImage
from app.errors import ModelRefused, NotReady, UnknownModel
from app.metrics import Metrics
from app.preprocess import Preprocess
from app.registry import Registry
from app.settings import Settings
from tests.conftest import RED, colour_card, colour_model, foreign_model


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


# --- While it serves ---

Step = Callable[[Registry], None]


def after(folder: Path, *steps: Step, looks: int = 2) -> Registry:
    """The registry after each step and as many looks at the folder as a settled file takes."""
    registry = Registry(Settings(models=folder), Metrics())

    async def run() -> None:
        registry.load()
        for step in steps:
            step(registry)
            for _ in range(looks):
                await registry.refresh()

    asyncio.run(run())
    registry.close()
    return registry


def write(path: Path, content: bytes) -> Step:
    return lambda _: replace(path, content)


def replace(path: Path, content: bytes) -> None:
    """In one step, as a careful tool does it."""
    new = path.with_name(path.name + ".new")
    new.write_bytes(content)
    new.replace(path)


def test_a_file_that_comes_is_served(models_folder: Path) -> None:
    registry = after(models_folder, write(models_folder / "again.onnx", colour_model()))
    assert [model.name for model in registry.models] == ["again", "colours"]


def test_a_file_that_is_replaced_is_served_in_its_new_version(models_folder: Path) -> None:
    versions = []

    def note(registry: Registry) -> None:
        versions.append(registry.get("colours").version)

    new = write(models_folder / "colours.onnx", colour_model(gain=3))
    after(models_folder, note, new, note)
    assert len(set(versions)) == 2


def test_a_file_that_goes_is_gone(models_folder: Path) -> None:
    again = models_folder / "again.onnx"
    registry = after(models_folder, write(again, colour_model()), lambda _: again.unlink(), looks=2)
    assert [model.name for model in registry.models] == ["colours"]


def test_a_card_that_changes_is_served_with_its_model(models_folder: Path) -> None:
    card = (
        '{"labels": ["a", "b", "%s"], "preprocess": {"height": 4, "width": 4}, "output": "logits",'
        ' "normalise": {"mean": [0, 0, 0], "std": [1, 1, 1], "layout": "NCHW"}}'
    )
    (models_folder / "bare.onnx").write_bytes(foreign_model())
    (models_folder / "bare.json").write_text(card % "c")
    new = write(models_folder / "bare.json", (card % "d").encode())
    registry = after(models_folder, new)
    assert registry.get("bare").card.labels == ["a", "b", "d"]


def test_a_file_that_still_grows_is_left_alone_until_two_looks_find_it_the_same(
    models_folder: Path,
) -> None:
    content = colour_model()
    path = models_folder / "slow.onnx"
    seen = []

    def grow(size: int) -> Step:
        def step(registry: Registry) -> None:
            path.write_bytes(content[:size])
            seen.append((dict(registry.refused), len(registry.models)))

        return step

    registry = after(
        models_folder, *(grow(size) for size in range(100, len(content), 100)), looks=1
    )
    assert set(map(str, seen)) == {"({}, 1)"}
    assert registry.refused == {}
    registry = after(models_folder, grow(len(content)))
    assert registry.get("slow").version


def tensor(name: str, **external: str) -> onnx.TensorProto:
    """Weights that lie in another file."""
    found = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=[3])
    found.data_location = TensorProto.EXTERNAL
    for key, value in external.items():
        found.external_data.add(key=key, value=value)
    return found


def with_weights(*weights: onnx.TensorProto, first: onnx.NodeProto | None = None) -> bytes:
    """`colour_model` with more to load."""
    model = onnx.load_from_string(colour_model())
    model.graph.initializer.extend(weights)
    for weight in weights:
        model.graph.node.append(helper.make_node("Identity", [weight.name], [f"{weight.name}_2"]))
        model.graph.output.append(
            helper.make_tensor_value_info(f"{weight.name}_2", TensorProto.FLOAT, None)
        )
    if first is not None:
        model.graph.node.append(first)
        model.graph.output.append(
            helper.make_tensor_value_info(first.output[0], TensorProto.FLOAT, None)
        )
    return bytes(model.SerializeToString())


def lying_proof() -> bytes:
    proof = Proof(images=[ProofImage(data=b"", probabilities=[0, 0, 1])])
    proof = proof.model_copy(update={"images": [proof.images[0].model_copy(update={"data": RED})]})
    return colour_model(colour_card(proof))


BAD_FILES = {
    "empty": b"",
    "text": b"hello",
    "half": colour_model()[:200],
    "no card": foreign_model(),
    "a card for other labels": colour_model(colour_card(labels=["a", "b"])),
    "a card for another size": colour_model(colour_card(preprocess=Preprocess(8, 8, channels=1))),
    "a proof that fails": lying_proof(),
    "weights in /etc/passwd": with_weights(tensor("w", location="/etc/passwd")),
    "weights above the folder": with_weights(tensor("w", location="../../../etc/passwd")),
    "weights beside it": with_weights(tensor("w", location="weights.bin")),
    "a tensor that says it is huge": with_weights(
        TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[1 << 40])
    ),
    "a negative tensor": with_weights(
        TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[-5])
    ),
    "an operator nobody knows": with_weights(
        first=helper.make_node("Evil", ["image"], ["x"], domain="evil.example")
    ),
}


@pytest.mark.parametrize("content", BAD_FILES.values(), ids=BAD_FILES.keys())
def test_a_bad_file_in_place_of_a_good_one_is_refused_and_the_good_one_serves_on(
    models_folder: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    (models_folder / "weights.bin").write_bytes(bytes(12))
    registry = after(models_folder, write(models_folder / "colours.onnx", content), looks=4)
    assert registry.default is not None
    assert registry.default.version == hashlib.sha256(colour_model()).hexdigest()[:12]
    assert len(registry.refused["colours.onnx"]) > 10
    assert caplog.text.count("colours.onnx is refused") == 1  # once, not at every look


def test_a_file_that_was_refused_is_served_once_it_is_right(models_folder: Path) -> None:
    path = models_folder / "later.onnx"
    registry = after(models_folder, write(path, b"hello"), write(path, colour_model()))
    assert registry.refused == {}
    assert registry.get("later").version


def test_a_model_that_asks_for_more_memory_than_it_may_is_refused(models_folder: Path) -> None:
    model = onnx.load_from_string(colour_model())
    shape = numpy_helper.from_array(np.array([1 << 28], np.int64), "gigabyte")
    model.graph.initializer.append(shape)
    value = helper.make_tensor("value", TensorProto.FLOAT, [1], [1.0])
    model.graph.node.append(
        helper.make_node("ConstantOfShape", ["gigabyte"], ["filled"], value=value)
    )
    model.graph.output.append(helper.make_tensor_value_info("filled", TensorProto.FLOAT, None))
    (models_folder / "greedy.onnx").write_bytes(model.SerializeToString())
    registry = Registry(Settings(models=models_folder, max_model_bytes=1 << 29), Metrics())
    registry.load()
    registry.close()
    assert "greedy.onnx" in registry.refused
    assert [one.name for one in registry.models] == ["colours"]


def test_a_file_larger_than_it_may_be_is_not_even_read(models_folder: Path) -> None:
    with (models_folder / "large.onnx").open("wb") as file:
        file.truncate(1 << 40)  # a hole: it takes no space
    with loaded(models_folder) as registry:
        assert "CONVOLU_MAX_MODEL_BYTES" in registry.refused["large.onnx"]


def test_a_link_to_outside_the_folder_is_refused(models_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "outside.onnx").write_bytes(colour_model())
    (models_folder / "link.onnx").symlink_to(tmp_path / "outside.onnx")
    with loaded(models_folder) as registry:
        assert "outside the folder" in registry.refused["link.onnx"]


def test_a_link_within_the_folder_is_served_as_orchestrators_mount_files(
    models_folder: Path,
) -> None:
    (models_folder / "..data").mkdir()
    (models_folder / "colours.onnx").rename(models_folder / "..data" / "colours.onnx")
    (models_folder / "colours.onnx").symlink_to("..data/colours.onnx")
    with loaded(models_folder) as registry:
        assert registry.get("colours").name == "colours"


def test_a_folder_that_is_gone_for_a_moment_takes_no_model_with_it(models_folder: Path) -> None:
    away = models_folder.with_name("away")
    registry = after(models_folder, lambda _: os.rename(models_folder, away))
    assert [model.name for model in registry.models] == ["colours"]


def test_what_the_old_version_was_given_it_answers(models_folder: Path) -> None:
    registry = Registry(Settings(models=models_folder), Metrics())

    async def run() -> list[float]:
        registry.load()
        old = [registry.get("colours").batcher.submit([RED]).answered for _ in range(200)]
        replace(models_folder / "colours.onnx", colour_model(gain=3))
        for _ in range(2):
            await registry.refresh()
        new = registry.get("colours").batcher.submit([RED]).answered
        return [float(answer[0]) for (answer,) in await asyncio.gather(*old, new)]  # type: ignore[index]

    answers = asyncio.run(run())
    registry.close()
    assert len(set(answers[:-1])) == 1
    assert answers[-1] > answers[0]
