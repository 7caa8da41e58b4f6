from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import colour_card, colour_model, foreign_model
from tests.training.doctor.test_examine import unnamed
from training.doctor import as_text, examine

ROOT = Path(__file__).parents[3]


def test_the_values_of_a_report_stand_in_one_column_of_lines_of_100_at_the_most(
    tmp_path: Path,
) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(foreign_model())
    card = {"labels": ["a", "a", "c"], "preprocess": {"height": 5, "width": 4}}
    path.with_suffix(".json").write_text(json.dumps(card))
    first, *lines = as_text(examine(path)).splitlines()
    assert first == "net.onnx: not sound"
    assert max(map(len, lines)) <= 100
    for line in lines:
        assert re.fullmatch(r"|  [A-Za-z]{0,12} *(?<=^.{15})\S.*", line), line


def test_a_sound_file_says_so_and_what_it_is(tmp_path: Path) -> None:
    (tmp_path / "colours.onnx").write_bytes(colour_model())
    text = as_text(examine(tmp_path / "colours.onnx"))
    assert text.splitlines()[0] == "colours.onnx: sound"
    for line in (
        "  input        image: uint8 N × 4 × 4 × 3",
        "  nodes        4: 1 Cast, 1 ReduceMean, 1 Mul, 1 Softmax",
        "  card         colours, in the file",
        "  labels       3: red, green, blue",
        "  preprocess   4 × 4 RGB, squash, bilinear",
    ):
        assert line in text.splitlines()


def test_what_a_file_says_cannot_steer_the_terminal(tmp_path: Path) -> None:
    card = colour_card(name="\x1b[2Jclear", labels=["a\rb", "\u202egreen", "blue"])
    (tmp_path / "net.onnx").write_bytes(colour_model(card))
    text = as_text(examine(tmp_path / "net.onnx"))
    assert "  card         ?[2Jclear, in the file" in text
    assert "3: a?b, ?green, blue" in text


def test_the_name_of_a_file_cannot_either(tmp_path: Path) -> None:
    path = tmp_path / "net\x1b[31m\n.onnx"
    path.write_bytes(colour_model())
    assert as_text(examine(path)).splitlines()[0] == "net?[31m?.onnx: sound"


@pytest.mark.parametrize("classes", [10, 11])
def test_a_proposal_is_json_and_shows_ten_labels_at_the_most(tmp_path: Path, classes: int) -> None:
    (tmp_path / "net.onnx").write_bytes(unnamed(["N", 3, 32, 48], [2, 3], classes=classes))
    text = as_text(examine(tmp_path / "net.onnx"))
    proposed = json.loads(text[text.index("  {") :])
    assert len(proposed["labels"]) == min(classes, 11)
    assert (proposed["labels"][-1] == "… 11 in all") == (classes == 11)


def doctor(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "training", "doctor", *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command_ends_with_0_if_all_files_are_sound_else_with_1(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.onnx", tmp_path / "bad.onnx"
    good.write_bytes(colour_model())
    bad.write_bytes(foreign_model())
    run = doctor(good)
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.startswith("good.onnx: sound\n")
    both = doctor(good, bad)
    assert both.returncode == 1
    assert re.findall(r"^\S.*", both.stdout, re.MULTILINE) == [
        "good.onnx: sound",
        "bad.onnx: not sound",
    ]


def test_for_programs_it_is_one_list_of_json(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.onnx", tmp_path / "bad.onnx"
    good.write_bytes(colour_model(colour_card(name="색깔")))
    bad.write_bytes(foreign_model())
    run = doctor("--json", good, bad)
    assert run.returncode == 1
    first, second = json.loads(run.stdout)
    assert (first["file"], first["sound"], first["card"]["name"]) == ("good.onnx", True, "색깔")
    assert first["contents"]["operators"]["Cast"] == 1
    assert (second["sound"], second["card"]) == (False, None)
    assert [one["fault"] for one in second["findings"]] == [True, True]
    assert second["proposed_card"]["output"] == "logits"
